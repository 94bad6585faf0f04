"""Templates shipped with the package, and the script that built them."""
