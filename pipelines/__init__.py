"""What `clinica run` sees: thin adapters between Clinica, nipype and the library."""
