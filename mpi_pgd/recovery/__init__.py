"""A run that goes on: attempts, checkpoints, signals, and who watches over the ranks."""
