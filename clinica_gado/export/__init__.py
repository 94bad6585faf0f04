"""A CAPS of T1w without contrast, for programs that know nothing of contrast."""
