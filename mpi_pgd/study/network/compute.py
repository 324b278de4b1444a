"""How fast a rank maps rows: alone on its node, and with all the node's ranks at work, which share the memory's bandwidth."""

import os
from collections.abc import Callable, Sequence
from itertools import pairwise
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm.world import rest
from mpi_pgd.data.budget import available_bytes
from mpi_pgd.data.partition import BLOCK_BYTES, Partition
from mpi_pgd.drivers.fit import FitDriver
from mpi_pgd.drivers.history import History
from mpi_pgd.drivers.objective import Objective, Scaling
from mpi_pgd.engine.arrays import Vector, aligned
from mpi_pgd.engine.block import Block
from mpi_pgd.engine.partial import Partial
from mpi_pgd.engine.query import Query
from mpi_pgd.engine.tasks import Ask, GradientTask
from mpi_pgd.losses.squared import Squared
from mpi_pgd.solvers.gd import GradientDescent
from mpi_pgd.study.fitting import fit

RANK_BYTES, QUICK_BYTES, SMALL_BYTES = 128 << 20, 64 << 20, 32 << 20  # rows of one rank: more than its share of the caches
SHARE = 0.125  # of the memory that is there, for the rows of all ranks of a node
WIDE, NARROW = 200, 8  # features: blocks of the full size, and blocks whose cost is calls and rows rather than bytes
PASSES, QUICK_PASSES = 25, 10
SECONDS, QUICK_SECONDS = 1.0, 0.3  # that the passes of one measurement may take
LONG = 200_000  # features of the update's second point
# What rank 0 measures while the others rest; the last two not if it has to be quick.
ALONE = ("bytes_per_second", "update_seconds", "feature_seconds", "row_seconds", "block_seconds")


class Rates(NamedTuple):
    """Of one rank: seconds of each pass over ``bytes`` of rows."""

    seconds: Vector
    bytes: int

    @property
    def rate(self) -> float:
        """Bytes per second, by the median pass."""
        return self.bytes / float(np.median(self.seconds))

    @property
    def jitter(self) -> float:
        """The mean excess over the fastest pass, from the median one: of an exponential excess that is mean * ln 2."""
        return float(np.median(self.seconds) - np.min(self.seconds)) / float(np.log(2))


def measure(comm: MPI.Intracomm, nodes: list[int], counts: Sequence[int], quick: bool = False) -> dict[str, Any]:
    """What network.json holds under "compute"; the same on every rank. Collective.

    Args:
        comm: all ranks.
        nodes: the number of each rank's node.
        counts: the first so many ranks are at work at once, in each measurement; all of them and one are in any case.
        quick: fewer and smaller passes, and nothing about narrow rows and small blocks.
    """
    fullest = max(map(nodes.count, nodes))
    size = int(min(QUICK_BYTES if quick else RANK_BYTES, SHARE * available_bytes() / fullest))
    passes, seconds = (QUICK_PASSES, QUICK_SECONDS) if quick else (PASSES, SECONDS)
    wide = _pass(WIDE, size)
    one: dict[str, float] = {}
    at_work, mine = [], Rates(np.array([np.nan]), size)
    for ranks in sorted({1, *counts, comm.size}):
        rest(comm)  # those that wait are idle
        mine = _timed(wide, size, passes, seconds) if comm.rank < ranks else Rates(np.array([np.nan]), size)
        one = one or (_alone(mine, quick) if comm.rank == 0 else {"": np.nan})
        at_work.append({"ranks": ranks, "bytes_per_second": _over(comm, mine.rate)})
    rest(comm)
    found: dict[str, Any] = {name: _over(comm, one.get(name, np.nan)) for name in (ALONE[:3] if quick else ALONE)}
    for before, each in pairwise(at_work):  # more at work are never faster: that was chance
        each["bytes_per_second"] = min(each["bytes_per_second"], before["bytes_per_second"])
    found["at_work"], found["together"] = at_work, {**at_work[-1], "ranks": fullest}
    found["jitter_seconds"] = _over(comm, mine.jitter)
    found["pass_seconds"] = _over(comm, float(np.median(mine.seconds)))
    return found | {"cores": os.cpu_count() or 1}


def _alone(rates: Rates, quick: bool) -> dict[str, float]:
    values = (rates.rate, *_update(), *(() if quick else _small(rates.rate)))
    return dict(zip(ALONE, values, strict=False))


def _over(comm: MPI.Intracomm, value: float) -> float:
    """The median over the ranks that have a value."""
    values = np.empty(comm.size)
    comm.Allgather(np.array(value), values)
    return float(np.nanmedian(values))


def _timed(once: Callable[[], None], size: int, passes: int, limit: float) -> Rates:
    seconds: list[float] = []
    start = perf_counter()
    while len(seconds) < passes and (len(seconds) < 3 or perf_counter() - start < limit):
        before = perf_counter()
        once()
        seconds.append(perf_counter() - before)
    return Rates(np.array(seconds), size)


def _pass(features: int, size: int, block_rows: int = 0) -> Callable[[], None]:
    """A round's map over ``size`` bytes of rows in memory, with the sums, as the loop of ``engine.loop`` makes it."""
    rows = max(64, size // (8 * (features + 1)))
    step = block_rows or Partition(rows, features).block_rows
    x, y = aligned((rows, features), np.float64), aligned((rows,), np.float64)
    x[:], y[:] = 0.5, 1.0
    blocks = [Block(x[start : start + step], y[start : start + step]) for start in range(0, rows, step)]
    task, point = GradientTask(Squared(), features, step), np.full(features + 1, 0.01)
    partial = Partial(task.layout.width, len(blocks))

    def once() -> None:
        partial.clear()
        mapped = task.bind(point)
        for block in blocks:
            mapped(block, partial.slot(block.rows))
        partial.close(False, False)

    once()
    partial.rebound()
    return once


def _small(rate: float) -> tuple[float, float]:
    """Seconds that a row costs beside its bytes, and a block beyond those of full size: from few features, and tiny blocks."""
    terms, seconds = [], []
    for features, block_rows in ((NARROW, 4096), (NARROW, 64), (WIDE, 64)):
        rows = SMALL_BYTES // (8 * (features + 1))
        once = _pass(features, SMALL_BYTES, block_rows)
        took = float(np.median(_timed(once, SMALL_BYTES, 5, QUICK_SECONDS / 3).seconds))
        terms.append((rows, rows / block_rows - SMALL_BYTES / BLOCK_BYTES))
        seconds.append(max(took - SMALL_BYTES / rate, 1e-3 * took))
    found = fit(terms, seconds).values
    return float(found[0]), float(found[1])


def _update() -> tuple[float, float]:
    """Seconds of an update, and more for each feature: from the driver itself, at few features and at many."""
    few, many = _updates(WIDE, 50), _updates(LONG, 3)
    per_feature = max(0.0, many - few) / (LONG - WIDE)
    return max(0.0, few - per_feature * WIDE), per_feature


def _updates(features: int, count: int) -> float:
    ones = np.ones(features + 1)
    objective = Objective(1, Scaling.of(0 * ones, ones, ones, True, True), Squared(), None, True)
    task = GradientTask(Squared(), features, 1)
    driver = FitDriver(objective, {Ask.GRADIENT: task}, GradientDescent("auto"), count + 9, 0.0, lambda *_: None, History(0.0))
    partial, query = Partial(task.layout.width, 1), Query([task])
    partial.peaks[:] = 1.0
    partial.rebound()
    partial.slot(1)[:] = 1.0
    partial.close(False, False)
    driver.open(query)
    seconds = []
    for _ in range(count):
        before = perf_counter()
        driver.update(partial, query)
        seconds.append(perf_counter() - before)
    return float(np.median(seconds))
