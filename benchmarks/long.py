"""One reduce of a long gradient, in both modes, beside the bare MPI calls on buffers of the gradient's bytes.

    mpirun -n 2 python -m mpi4py benchmarks/long.py [--features P] [--repeats K] [--folds 1|2]

A reduce lasts from a block's vector until the next query is on the worker: cut, sum, broadcast; peers broadcast nothing. *Wire* is
what of it is sums and broadcasts. Memory is what the process has grown by at its peak, in vectors of P numbers.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # measure this checkout, installed or not

import numpy as np
from mpi4py import MPI

from mpi_pgd.engine.block import Block, Blocks
from mpi_pgd.engine.loop import Observer, rounds
from mpi_pgd.engine.query import Query
from mpi_pgd.engine.sums import Sums
from mpi_pgd.engine.tasks import Layout
from mpi_pgd.modes import MODES
from mpi_pgd.modes.facts import Team

FEATURES, REPEATS = 25_000_000, 5
COMM = MPI.COMM_WORLD


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
    """A driver that asks the same again, and notes how long reduces took on a rank that maps."""

    def __init__(self, task: Given, repeats: int) -> None:
        self.task, self.repeats, self.whole, self.wire = task, repeats, list[float](), list[float]()

    def open(self, query: Any) -> None:
        """Anywhere."""

    def update(self, partial: Any, query: Any) -> None:
        """Have the sums."""
        partial.settle() if partial.cutting.long else partial.total(np.empty(partial.width))
        self.repeats -= 1
        query.stop = self.repeats < 0

    def mapped(self, query: Any) -> None:
        """The partial is cut."""
        self.cut = perf_counter()

    def asked(self, query: Any) -> None:
        """The next query is here."""
        now = perf_counter()
        self.whole.append(now - self.task.there)
        self.wire.append(now - self.cut)


def grown() -> Iterator[int]:
    """Bytes by which the peak of this process's memory is above what it was at first."""
    Path("/proc/self/clear_refs").write_text("5")
    first = _status("VmRSS")
    while True:
        yield _status("VmHWM") - first


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(name))


def bare(mode: str, features: int, repeats: int) -> float:
    """Median seconds of the MPI library's calls on whole vectors, on the slowest rank."""
    vector, seconds = np.full(features, 0.7), []
    for _ in range(repeats + 1):
        vector[:] = 0.7
        COMM.Barrier()
        begun = perf_counter()
        if MODES[mode].servers:
            COMM.Reduce(vector if COMM.rank else MPI.IN_PLACE, None if COMM.rank else vector)
            COMM.Bcast(vector)
        else:
            COMM.Allreduce(MPI.IN_PLACE, vector)
        seconds.append(COMM.allreduce(perf_counter() - begun, MPI.MAX))
    return median(seconds[1:])


def ours(mode: str, features: int, repeats: int, folds: int) -> tuple[float, float, float]:
    """Median seconds of a reduce and of its wire, on the slowest rank that maps; vectors of memory, on the rank that has most."""
    peak = grown()
    next(peak)
    task = Given(features)
    query, driver = Query([task]), Reduces(task, repeats)
    made = MODES[mode].make(Team(COMM), "library")
    mine = [Block(np.zeros((1, 1)), np.zeros(1))] if made.worker >= 0 else []
    sums = Sums(query, made.workers, folds=folds)
    sums.expect(np.ones(task.layout.width))
    rounds(made, Blocks(mine), sums, driver, query, [driver])
    mapping = made.worker >= 0
    whole, wire = (median(each[1:]) if mapping else 0.0 for each in (driver.whole, driver.wire))
    return (*(COMM.allreduce(each, MPI.MAX) for each in (whole, wire)), COMM.allreduce(next(peak), MPI.MAX) / (8 * features))


def main() -> None:
    """Print a line for each mode."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=int, default=FEATURES)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--folds", type=int, default=1)
    given = parser.parse_args()
    for mode in ("client-server", "peer-to-peer"):
        whole, wire, vectors = ours(mode, given.features, given.repeats, given.folds)
        least = bare(mode, given.features, given.repeats)
        if COMM.rank == 0:
            print(
                f"{mode:14s} p = {given.features:,}: reduce {whole * 1e3:.1f} ms, of it wire {wire * 1e3:.1f} ms; "
                f"bare MPI {least * 1e3:.1f} ms; bare/reduce {least / whole:.2f}, bare/wire {least / wire:.2f}; "
                f"{vectors:.1f} vectors a rank"
            )


if __name__ == "__main__":
    main()
