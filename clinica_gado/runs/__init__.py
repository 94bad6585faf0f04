"""What a run over the visits of a dataset takes, whichever pipeline and whichever engine it has."""
