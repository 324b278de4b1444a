# What starts the ranks: srun --mpi=... or mpirun, by the MPI that this Python loads.
words=${MPI_PGD_LAUNCH:-$("${python[@]}" -m mpi_pgd slurm launcher)}
words=$(xargs printf '%s\n' <<<"$words") # with quotes as in a shell
mapfile -t launch <<<"$words"
