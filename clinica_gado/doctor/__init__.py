"""What is installed here, whether it works, and what to do about what is missing."""
