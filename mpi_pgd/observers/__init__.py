"""What watches the rounds: it is told of them, and no number changes by it."""
