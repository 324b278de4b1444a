"""What the parallel rounds have to be held against: one rank that uses all cores' threads, and the closed form."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import perf_counter
from typing import Any

import numpy as np
from mpi4py import MPI

from mpi_pgd.data.memory import MemoryShard
from mpi_pgd.engine.arrays import Rows, Vector
from mpi_pgd.modes import AMONG_PEERS
from mpi_pgd.report.progress import steps
from mpi_pgd.report.shapes import PARTS
from mpi_pgd.session.inspect import Problem
from mpi_pgd.session.load import choose_mode, load_rows
from mpi_pgd.study.turns import Teams, quartiles, watched

SLAB_BYTES = 64 << 20  # a product's worth of rows, as float64
FEATURES = 2000  # of the closed form, at most: its time grows with their cube, and is some seconds here


def measure(problem: Problem, rows: int, repeats: int, closed: bool = False) -> list[dict[str, Any]]:
    """On rank 0 while the others rest: passes over its first ``rows`` rows with all threads, and the closed form. Collective.

    The passes are carried on to all rows of the problem. They are no rounds of a fit: nothing but the two products, which is
    what threads can do; no --delay is in them.
    """
    times = problem.rows / rows

    def both(team: MPI.Intracomm) -> list[dict[str, Any]]:
        from threadpoolctl import threadpool_limits

        alone = problem.on(team, rows, **AMONG_PEERS)
        shard = load_rows(alone, choose_mode(alone))
        with all_cores() as threads, threadpool_limits(threads, "blas"):
            low, middle, high = (times * seconds for seconds in quartiles(_rounds(shard, repeats, shown), float))
            parts = dict.fromkeys(PARTS, 0.0) | {"seconds_per_round": middle, "low": low, "high": high, "compute": middle}
            found = {"name": "one rank, all threads", "threads": threads, "rows": rows, "extrapolated": times > 1, **parts}
            if not closed:
                return [found]
            return [found, {"name": "closed form", "threads": threads, "seconds": _closed_form(shard) if times == 1 else None}]

    shown = watched(problem)
    with Teams(problem.comm) as teams:
        return teams.do(1, both) or []


@contextmanager
def all_cores() -> Iterator[int]:
    """Let this thread, and those that it starts, have all cores that the job has here, not its own alone; gives their number."""
    bound = os.sched_getaffinity(0)
    with suppress(OSError):  # it may be forbidden
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
    try:
        yield len(os.sched_getaffinity(0))
    finally:
        os.sched_setaffinity(0, bound)


def _slabs(shard: MemoryShard) -> Iterator[tuple[Rows, Vector]]:
    step = max(1, SLAB_BYTES // (8 * shard.table.features))
    for x, y, *_ in shard.pieces:
        for start in range(0, len(x), step):
            yield x[start : start + step].astype(np.float64, copy=False), y[..., start : start + step]


def _outputs(shard: MemoryShard) -> tuple[int, ...]:
    """The shape of a row's targets."""
    return shard.pieces[0][1].shape[:-1]


def _rounds(shard: MemoryShard, repeats: int, shown: bool) -> list[float]:
    """Seconds of the two products with all rows, each split over the threads by BLAS."""
    w, taken = np.zeros((shard.table.features, *_outputs(shard))), []
    for _ in steps("pass", range(max(3, repeats)), shown):
        begun = perf_counter()
        for x, y in _slabs(shard):
            np.dot(np.dot(x, w).T - y, x)
        taken.append(perf_counter() - begun)
    return taken


def _closed_form(shard: MemoryShard) -> float | None:
    """Seconds for the weights from the normal equations; None with so many features that nobody would wait for it."""
    features = shard.table.features
    if features > FEATURES:
        return None
    begun = perf_counter()
    gram, right = np.zeros((features + 1, features + 1)), np.zeros((features + 1, *_outputs(shard)))
    for x, y in _slabs(shard):
        gram[:features, :features] += np.dot(x.T, x)
        gram[features, :features] += x.sum(axis=0)
        gram[features, features] += len(x)
        right[:features] += np.dot(y, x).T
        right[features] += y.sum(axis=-1)
    gram[:features, features] = gram[features, :features]
    np.linalg.lstsq(gram, right, rcond=None)
    return perf_counter() - begun
