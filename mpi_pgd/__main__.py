"""``python -m mpi_pgd``: one BLAS thread a rank, then the command line."""

import os
import sys

# Parallelism is the ranks' business. Threads of BLAS would fight over the cores and, by splitting a product differently,
# change its last bits. It has to be said before numpy is imported.
for _variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[_variable] = "1"

from mpi_pgd.cli import main  # noqa: E402  (after the environment is set)

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
