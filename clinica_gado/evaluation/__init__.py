"""How good a synthetic image is, by stated definitions."""
