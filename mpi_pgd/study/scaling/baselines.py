"""What the parallel rounds have to be held against: one rank that uses all cores' threads, and the closed form."""

import os
from collections.abc import Iterator
from time import perf_counter
from typing import Any

import numpy as np
from mpi4py import MPI

from mpi_pgd.data.memory import MemoryShard
from mpi_pgd.engine.arrays import Rows, Vector
from mpi_pgd.modes import AMONG_PEERS
from mpi_pgd.report.progress import steps
from mpi_pgd.session.inspect import Problem
from mpi_pgd.session.load import choose_mode, load_rows
from mpi_pgd.study.turns import Teams, watched

SLAB_BYTES = 64 << 20  # a product's worth of rows, as float64
FEATURES = 2000  # of the closed form, at most: its time grows with their cube, and is some seconds here


def measure(problem: Problem, repeats: int) -> list[dict[str, Any]]:
    """On rank 0 while the others rest: the median of some passes with all threads, and the closed form. Collective."""

    def both(team: MPI.Intracomm) -> list[dict[str, Any]]:
        from threadpoolctl import threadpool_limits

        alone = problem.on(team, **AMONG_PEERS)
        shard = load_rows(alone, choose_mode(alone))
        threads = len(os.sched_getaffinity(0))
        with threadpool_limits(threads, "blas"):
            return [
                {"name": "one rank, all threads", "threads": threads, "seconds_per_round": _round(shard, repeats, shown)},
                {"name": "closed form", "threads": threads, "seconds": _closed_form(shard)},
            ]

    shown = watched(problem)
    with Teams(problem.comm) as teams:
        return teams.do(1, both) or []


def _slabs(shard: MemoryShard) -> Iterator[tuple[Rows, Vector]]:
    step = max(1, SLAB_BYTES // (8 * shard.table.features))
    for x, y, *_ in shard.pieces:
        for start in range(0, len(x), step):
            yield x[start : start + step].astype(np.float64, copy=False), y[..., start : start + step]


def _outputs(shard: MemoryShard) -> tuple[int, ...]:
    """The shape of a row's targets."""
    return shard.pieces[0][1].shape[:-1]


def _round(shard: MemoryShard, repeats: int, shown: bool) -> float:
    """The median seconds of the two products with all rows, each split over the threads by BLAS."""
    w, taken = np.zeros((shard.table.features, *_outputs(shard))), []
    for _ in steps("pass", range(max(3, repeats)), shown):
        begun = perf_counter()
        for x, y in _slabs(shard):
            np.dot(np.dot(x, w).T - y, x)
        taken.append(perf_counter() - begun)
    return float(np.median(taken))


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
