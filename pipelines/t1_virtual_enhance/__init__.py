"""Sequences of one visit in, its contrast-enhanced T1w out."""
