"""Features beside each other and beside the targets, in a pass over the rows whose means and deviations are known."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpi_pgd import kernel
from mpi_pgd.data.csr import Csr
from mpi_pgd.data.hashes import mixed
from mpi_pgd.data.profile import Profile
from mpi_pgd.data.slabwise import MATRIX, Slab, Watch, slabs
from mpi_pgd.data.table import Table
from mpi_pgd.engine.arrays import Vector

WORK = 2e11  # products that the comparison takes: of more rows, some slabs are compared
TARGETS = 20  # that features are compared with
LIKE = 0.999  # a correlation that says that two columns are one


class Compared(NamedTuple):
    """What was found.

    Attributes:
        pairs: of two features and their correlation, where that is beyond ``LIKE``.
        rows: that pairs were looked for in; 0: there are too many features.
        targets: (k, p) each feature's correlation with each target.
        looked_at: rows that these are of.
        telling: features that are lower for one of two target values than they ever are for the other.
    """

    pairs: list[tuple[int, int, float]]
    rows: int
    targets: Vector
    looked_at: int
    telling: list[int]


def compare(table: Table, features: Profile, beside: Profile, two: tuple[float, ...], watch: Watch) -> Compared:
    """A pass over the rows, or over some slabs of them; ``two`` values of the first target, if it has no others."""
    p, k = table.features, min(table.targets, TARGETS)
    pairs = p <= MATRIX
    every = max(1, int(np.ceil(table.rows * float(p) * p / WORK))) if pairs else 1
    inverse, goal_inverse = _inverse(features), _inverse(beside)[:k, np.newaxis]
    mean, goal_mean = np.where(inverse > 0, features.mean, 0.0), beside.mean[:k, np.newaxis]
    square, sums, seen, ranges = np.zeros(p * (p + 1) // 2 if pairs else 0), np.zeros((k, p)), 0, _Ranges(two, p)
    room = np.empty((1, len(square)))
    for slab in slabs(table, watch, lambda number: int(mixed(np.array([number], np.uint64), 4)[0]) % every == 0):
        seen += len(slab.rows)
        goals = np.where(goal_inverse > 0, (slab.beside[:k] - goal_mean) * goal_inverse, 0.0)
        if isinstance(slab.x, Csr):
            _sparse(slab, slab.x, goals, mean, inverse, sums)
            continue
        x = np.where(inverse > 0, slab.x, 0.0)
        ranges.note(x, slab.beside[0])
        for line, goal in zip(sums, goals, strict=True):
            line += ((x - mean) * inverse * goal[:, np.newaxis]).sum(axis=0)
        if pairs:
            kernel.gram(x, None, mean, inverse, np.ones((1, len(x))), room)
            square += room[0]
    found = list(_pairs(square, p)) if pairs else []
    telling = ranges.apart(inverse > 0) if every == 1 else []
    return Compared(found, seen if pairs else 0, sums / max(seen, 1), seen, telling)


def _inverse(profile: Profile) -> Vector:
    """(count,) of the deviations; 0 of columns that are no quantities."""
    deviation = profile.deviation
    good = profile.sound & (deviation > 0) & np.isfinite(deviation)
    return np.where(good, 1 / np.where(good, deviation, 1.0), 0.0)


def _sparse(slab: Slab, x: Csr, goals: Vector, mean: Vector, inverse: Vector, sums: Vector) -> None:
    owners = np.repeat(np.arange(len(slab.rows)), np.diff(x.starts))
    scaled = np.where(inverse[x.indices] > 0, x.values.astype(np.float64), 0.0) * inverse[x.indices]
    for line, goal in zip(sums, goals, strict=True):
        line += np.bincount(x.indices, scaled * goal[owners], len(mean)) - mean * inverse * goal.sum()


class _Ranges:
    """Of features (p,), for each of two values of the target."""

    def __init__(self, values: tuple[float, ...], p: int) -> None:
        self._values, self._seen = values, False
        self._least, self._most = np.full((2, p), np.inf), np.full((2, p), -np.inf)

    def note(self, x: Vector, y: Vector) -> None:
        for place, value in enumerate(self._values):
            here = x[y == value]
            if len(here):
                self._seen = True
                np.minimum(self._least[place], here.min(axis=0), out=self._least[place])
                np.maximum(self._most[place], here.max(axis=0), out=self._most[place])

    def apart(self, good: NDArray[np.bool_]) -> list[int]:
        found = good & ((self._most[0] < self._least[1]) | (self._most[1] < self._least[0]))
        return np.flatnonzero(found).tolist() if self._seen else []


def _pairs(triangle: Vector, p: int) -> Iterator[tuple[int, int, float]]:
    rows, columns = np.triu_indices(p)
    size = np.sqrt(np.maximum(triangle[rows == columns], 0.0))  # of some of the rows deviations are others
    with np.errstate(invalid="ignore", divide="ignore"):
        found = triangle / (size[rows] * size[columns])
    for place in np.flatnonzero((np.abs(found) > LIKE) & (rows != columns)).tolist():
        yield int(rows[place]), int(columns[place]), float(np.clip(found[place], -1, 1))
