"""From pairs of real images to a model bundle."""
