"""``python -m mpi_pgd`` and the script ``mpi_pgd``: somebody can be told, signals are heard, one BLAS thread, the command line."""

import os
import sys

from mpi_pgd.system.streams import secure

secure()

from mpi_pgd.recovery.signals import SignalFlag  # noqa: E402  (it opens a pipe)

early = SignalFlag().__enter__()  # before what takes long: numpy, MPI

# Parallelism is the ranks' business. Threads of BLAS would fight over the cores and, by splitting a product differently,
# change its last bits. It has to be said before numpy is imported.
for _variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[_variable] = "1"

# Where ranks outnumber cores, MPICH's collectives through shared memory spin until the next tick of the kernel: a round took
# 10 ms in place of 0.4. Those made of messages give way. MPICH's launcher says how many ranks the node has.
_cores = len(os.sched_getaffinity(0))
if int(os.environ.get("MPI_LOCALNRANKS", "1")) > (_cores if _cores > 1 else os.cpu_count() or 1):  # one core: a pinned rank
    os.environ.setdefault("MPIR_CVAR_DEVICE_COLLECTIVES", "none")

from mpi_pgd.cli import main  # noqa: E402  (after the environment is set)


def run() -> int:
    """The console script ``mpi_pgd``."""
    return main(sys.argv[1:], early)


if __name__ == "__main__":
    sys.exit(run())
