"""Remove and simulate gadolinium contrast in T1-weighted MRI, from Clinica.

Every Python start of the environment imports this module (see `_startup.py`): keep it empty.
"""

__version__ = "0.1.0"
