"""A fitted model: what it predicts, how well, and the file that keeps it. Nothing here knows of MPI."""
