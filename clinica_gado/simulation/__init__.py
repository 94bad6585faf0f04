"""Physical simulation of T1w MRI with and without gadolinium, from whole-head label maps."""
