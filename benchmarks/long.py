"""One reduce of a long gradient beside the bare MPI calls on a vector of as many numbers, turn by turn; and its memory.

A reduce lasts from a block's vector until the next query is on the worker: cut, sum, broadcast; peers broadcast nothing. *Wire* is
what of it is sums and broadcasts, with what is cut as it is sent. Memory is what the process has grown by at its peak, in vectors.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from mpi4py import MPI

from mpi_pgd.engine.block import Block, Blocks
from mpi_pgd.engine.loop import Observer, rounds
from mpi_pgd.engine.query import Query
from mpi_pgd.engine.sums import Sums
from mpi_pgd.engine.tasks import Layout
from mpi_pgd.modes import MODES
from mpi_pgd.modes.facts import Team


class Given:
    """A task whose vectors cost next to nothing: a gradient of so many features, and when it was there."""

    uneven = coarse = varies = False
    bound = units = None

    def __init__(self, features: int) -> None:
        self.layout, self.width = Layout({"gradient": (1, features), "slopes": (1,), "value": ()}), features + 1
        self.there = 0.0

    def bind(self, point: Any) -> Callable[[Any, Any], None]:
        """The same numbers for each block."""

        def mapped(block: Any, out: Any) -> None:
            out[:] = 0.7
            self.there = perf_counter()

        return mapped


class Reduces(Observer):
    """A driver that asks the same again, and notes how long reduces took on a rank that maps; between them, the bare calls."""

    def __init__(self, comm: MPI.Intracomm, task: Given, repeats: int, bare: Callable[[], None]) -> None:
        self.comm, self.task, self.repeats, self.bare = comm, task, repeats, bare
        self.seconds: list[tuple[float, float, float]] = []  # of the whole, its wire, the bare calls

    def open(self, query: Any) -> None:
        """Anywhere."""

    def update(self, partial: Any, query: Any) -> None:
        """Have the sums."""
        partial.settle()
        self.repeats -= 1
        query.stop = self.repeats < 0

    def mapped(self, query: Any) -> None:
        """All is to be sent."""
        self.sent = perf_counter()

    def asked(self, query: Any) -> None:
        """The next query is here."""
        now = perf_counter()
        self.comm.Barrier()
        begun = perf_counter()
        self.bare()
        self.seconds.append((now - self.task.there, now - self.sent, perf_counter() - begun))
        self.comm.Barrier()


def grown() -> Iterator[int]:
    """Bytes by which the peak of this process's memory is above what it was at first."""
    Path("/proc/self/clear_refs").write_text("5")
    first = _status("VmRSS")
    while True:
        yield _status("VmHWM") - first


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(name))


def bare(comm: MPI.Intracomm, mode: str, vector: Any) -> None:
    """The MPI library's calls on a whole vector."""
    if MODES[mode].servers:
        comm.Reduce(vector if comm.rank else MPI.IN_PLACE, None if comm.rank else vector)
        comm.Bcast(vector)
    else:
        comm.Allreduce(MPI.IN_PLACE, vector)


def reduces(
    comm: MPI.Intracomm, mode: str, features: int, repeats: int, bare: Callable[[], None] = lambda: None
) -> tuple[Any, float]:
    """Seconds of a reduce, its wire and the bare calls (repeats, 3), on the slowest rank that maps; the memory of the largest."""
    peak = grown()
    next(peak)
    task = Given(features)
    query, driver = Query([task]), Reduces(comm, task, repeats, bare)
    made = MODES[mode].make(Team(comm), "library")
    mine = [Block(np.zeros((1, 1)), np.zeros(1))] if made.worker >= 0 else []
    sums = Sums(query, made.workers, folds=1)
    sums.expect(np.ones(task.layout.width))
    rounds(made, Blocks(mine), sums, driver, query, [driver])
    seconds = np.array(driver.seconds[1:]) * (made.worker >= 0)
    comm.Allreduce(MPI.IN_PLACE, seconds, MPI.MAX)
    return seconds, comm.allreduce(next(peak), MPI.MAX) / (8 * features)
