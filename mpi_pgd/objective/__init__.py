"""What is minimised: a loss per row, a penalty, and the units they are in."""
