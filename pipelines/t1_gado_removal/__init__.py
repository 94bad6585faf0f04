"""Contrast-enhanced T1w in, the T1w without contrast out."""
