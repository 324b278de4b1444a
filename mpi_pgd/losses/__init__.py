"""What is minimised, row by row."""
