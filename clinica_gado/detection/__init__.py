"""Does a T1w hold gadolinium? What to say of an image whose metadata do not."""
