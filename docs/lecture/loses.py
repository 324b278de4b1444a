"""The program, of which rank 2 is killed after its hundredth round; with Open MPI. See measure.py."""

import os
import runpy
import signal

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as the program does, if it is the first to import numpy
from mpi_pgd.observers.heartbeat import Heartbeat

beat = Heartbeat.beat


def last(self: Heartbeat, number: int) -> None:
    """Of a round that has finished."""
    beat(self, number)
    if number == 100:
        os.kill(os.getpid(), signal.SIGKILL)


if os.environ["OMPI_COMM_WORLD_RANK"] == "2":
    Heartbeat.beat = last  # type: ignore[method-assign]
runpy.run_module("mpi_pgd", run_name="__main__", alter_sys=True)
