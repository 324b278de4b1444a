"""One reduce of a long gradient, in both modes, beside the bare MPI calls on buffers of the gradient's bytes.

    mpirun -n 2 python -m mpi4py benchmarks/long.py [--features P] [--repeats K] [--folds 1|2]

A reduce lasts from a block's vector until the next query is on the worker: cut, sum, broadcast; peers broadcast nothing. *Wire* is
what of it is sums and broadcasts. Memory is what the process has grown by at its peak, in vectors of P numbers.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
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
    """A driver that asks the same again, and notes how long reduces took on a rank that maps; between them, the bare calls."""

    def __init__(self, task: Given, repeats: int, bare: Callable[[], None]) -> None:
        self.task, self.repeats, self.bare = task, repeats, bare
        self.seconds: list[tuple[float, float, float]] = []  # of the whole, its wire, the bare calls

    def open(self, query: Any) -> None:
        """Anywhere."""

    def update(self, partial: Any, query: Any) -> None:
        """Have the sums."""
        partial.settle()
        self.repeats -= 1
        query.stop = self.repeats < 0

    def mapped(self, query: Any) -> None:
        """The partial is cut."""
        self.cut = perf_counter()

    def asked(self, query: Any) -> None:
        """The next query is here."""
        now = perf_counter()
        COMM.Barrier()
        begun = perf_counter()
        self.bare()
        self.seconds.append((now - self.task.there, now - self.cut, perf_counter() - begun))
        COMM.Barrier()


def grown() -> Iterator[int]:
    """Bytes by which the peak of this process's memory is above what it was at first."""
    Path("/proc/self/clear_refs").write_text("5")
    first = _status("VmRSS")
    while True:
        yield _status("VmHWM") - first


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(name))


def bare(mode: str, vector: Any) -> None:
    """The MPI library's calls on a whole vector."""
    if MODES[mode].servers:
        COMM.Reduce(vector if COMM.rank else MPI.IN_PLACE, None if COMM.rank else vector)
        COMM.Bcast(vector)
    else:
        COMM.Allreduce(MPI.IN_PLACE, vector)


def ours(mode: str, features: int, repeats: int, folds: int, bare: Callable[[], None]) -> tuple[Any, float]:
    """Seconds of a reduce, its wire and the bare calls (2, 3), medians and least, on the slowest rank that maps; the memory."""
    peak = grown()
    next(peak)
    task = Given(features)
    query, driver = Query([task]), Reduces(task, repeats, bare)
    made = MODES[mode].make(Team(COMM), "library")
    mine = [Block(np.zeros((1, 1)), np.zeros(1))] if made.worker >= 0 else []
    sums = Sums(query, made.workers, folds=folds)
    sums.expect(np.ones(task.layout.width))
    rounds(made, Blocks(mine), sums, driver, query, [driver])
    seconds = np.quantile(driver.seconds[1:], (0.5, 0.0), axis=0) * (made.worker >= 0)
    COMM.Allreduce(MPI.IN_PLACE, seconds, MPI.MAX)
    return seconds, COMM.allreduce(next(peak), MPI.MAX) / (8 * features)


def main() -> None:
    """Print a line for each mode."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=int, default=FEATURES)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--folds", type=int, default=1)
    given = parser.parse_args()
    for mode in ("client-server", "peer-to-peer"):
        _, vectors = ours(mode, given.features, 2, given.folds, lambda: None)
        vector = np.zeros(given.features)
        both, _ = ours(mode, given.features, given.repeats, given.folds, partial(bare, mode, vector))
        for which, (whole, wire, least) in zip(("medians", "least"), both.tolist(), strict=True):
            if COMM.rank == 0:
                times = f"reduce {whole * 1e3:.1f} ms, of it wire {wire * 1e3:.1f} ms; bare MPI {least * 1e3:.1f} ms"
                ratios = f"bare/reduce {least / whole:.2f}, bare/wire {least / wire:.2f}"
                print(f"{mode:13s} {which:7s} {times}; {ratios}; {vectors:.1f} vectors a rank", flush=True)


if __name__ == "__main__":
    main()
