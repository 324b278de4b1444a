"""Batch scripts for SLURM: their text, the sizes in them, and what is asked of a site."""
