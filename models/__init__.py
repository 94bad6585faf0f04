"""Networks in pure torch, tensors in and tensors out, and the bundles that carry their weights."""
