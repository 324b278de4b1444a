"""The loop, and what travels through it; neither MPI nor the names of members."""
