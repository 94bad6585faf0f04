"""From an image as acquired to the grid the networks work on."""
