"""Studies of networks that add contrast: which inputs, how many cases, which local loss."""
