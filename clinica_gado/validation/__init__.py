"""Does a synthetic image say what a real one without contrast would? Measured visit by visit."""
