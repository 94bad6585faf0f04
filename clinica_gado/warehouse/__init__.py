"""What a hospital runs over its whole warehouse."""
