"""How sums and weights travel between the ranks."""
