# What makes `python -m mpi_pgd` work on a node: modules, a virtual environment, or a container.
# module load openmpi
# source .venv/bin/activate
