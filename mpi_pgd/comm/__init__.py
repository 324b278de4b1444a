"""MPI started and ended, and how bytes are sent, summed and maximised over the ranks."""
