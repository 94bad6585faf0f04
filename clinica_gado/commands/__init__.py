"""One module per `clinica-gado` verb: declares options, delegates."""
