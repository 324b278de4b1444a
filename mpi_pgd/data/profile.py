"""What columns are like: counts, ranges, means and deviations, and a hash of each, in a few numbers a column."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpi_pgd.data.csr import Csr
from mpi_pgd.data.hashes import Hashes, mixed
from mpi_pgd.engine.arrays import Rows, Vector

ROWS, COLUMNS = 1, 2  # seeds: what hashes of rows and of columns are multiplied by
ZERO = mixed(np.zeros(1, np.uint64), 0)[0]


def bits(values: Vector) -> Hashes:
    """Hashes of values, of 0 always 0: equal values have one, and all that are missing have one."""
    same = np.where(np.isnan(values), np.nan, values + 0.0)  # no zero below zero
    hashes: Hashes = mixed(same.view(np.uint64), 0) ^ ZERO
    return hashes


def keys(numbers: NDArray[Any] | range, seed: int) -> Hashes:
    """Odd factors of rows or columns of these numbers."""
    return mixed(np.asarray(numbers, np.uint64), seed) | np.uint64(1)


class Profile:
    """Of ``count`` columns, after slabs of rows were noted.

    Attributes:
        rows: how many were noted.
        missing, infinite, zeros: (count,) int64, how many values are so.
        least, most: (count,) of the finite values; inf and -inf where there is none.
        mean, squares: (count,) of the finite values, and the sum of their squared distances from it.
        hashes: (count,) of all values in their order: equal columns have one.
    """

    def __init__(self, count: int) -> None:
        self.rows = 0
        self.missing, self.infinite, self.zeros = (np.zeros(count, np.int64) for _ in range(3))
        self.least, self.most = np.full(count, np.inf), np.full(count, -np.inf)
        self.mean, self.squares, self.hashes = np.zeros(count), np.zeros(count), np.zeros(count, np.uint64)
        self._finite = np.zeros(count, np.int64)

    def note(self, x: Vector, hashes: Hashes, factors: Hashes) -> None:
        """A slab (rows, count), the hashes of its values, and the factors of its rows."""
        finite, missing = np.isfinite(x), np.isnan(x)
        good = np.where(finite, x, 0.0)
        counts = np.count_nonzero(finite, axis=0)
        self.missing += np.count_nonzero(missing, axis=0)
        self.infinite += len(x) - counts - np.count_nonzero(missing, axis=0)
        self.zeros += np.count_nonzero(x == 0, axis=0)
        np.minimum(self.least, np.where(finite, x, np.inf).min(axis=0), out=self.least)
        np.maximum(self.most, np.where(finite, x, -np.inf).max(axis=0), out=self.most)
        with np.errstate(over="ignore", invalid="ignore"):
            mean = good.sum(axis=0) / np.maximum(counts, 1)
            distance = np.where(finite, x - mean, 0.0)
            self._merge(counts, mean, (distance * distance).sum(axis=0))
            self.hashes += (hashes * factors[:, np.newaxis]).sum(axis=0)
        self.rows += len(x)

    def note_sparse(self, x: Csr, hashes: Hashes, factors: Hashes) -> None:
        """The same of sparse rows; ``factors`` of the row of each number."""
        columns, values, size = x.indices, x.values.astype(np.float64), len(self.mean)
        finite, missing = np.isfinite(values), np.isnan(values)
        good = np.where(finite, values, 0.0)
        there = np.bincount(columns, minlength=size)
        self.missing += np.bincount(columns[missing], minlength=size)
        self.infinite += np.bincount(columns[~finite & ~missing], minlength=size)
        self.zeros += x.shape[0] - there + np.bincount(columns[values == 0], minlength=size)
        np.minimum.at(self.least, columns[finite], values[finite])
        np.maximum.at(self.most, columns[finite], values[finite])
        some = there < x.shape[0]
        self.least[some], self.most[some] = np.minimum(self.least[some], 0.0), np.maximum(self.most[some], 0.0)
        counts = x.shape[0] - np.bincount(columns[~finite], minlength=size)
        with np.errstate(over="ignore", invalid="ignore"):
            mean = np.bincount(columns, good, size) / np.maximum(counts, 1)
            squares = np.bincount(columns, np.where(finite, (values - mean[columns]) * (values - mean[columns]), 0.0), size)
            self._merge(counts, mean, squares + (x.shape[0] - there) * mean * mean)
            np.add.at(self.hashes, columns, hashes * factors)
        self.rows += x.shape[0]

    def _merge(self, counts: NDArray[np.int64], mean: Vector, squares: Vector) -> None:
        """Chan, Golub and LeVeque, 1979."""
        whole = self._finite + counts
        share = counts / np.maximum(whole, 1)
        distance = mean - self.mean
        self.squares += squares + distance * distance * self._finite * share
        self.mean += distance * share
        self._finite = whole

    @property
    def deviation(self) -> Vector:
        """(count,) of the finite values, divided by how many there are; 0 where all are one."""
        with np.errstate(invalid="ignore"):
            return np.where(self.least < self.most, np.sqrt(self.squares / np.maximum(self._finite, 1)), 0.0)

    @property
    def constant(self) -> NDArray[np.bool_]:
        """(count,) all values are one."""
        return np.asarray((self.least == self.most) & (self._finite == self.rows))

    @property
    def sound(self) -> NDArray[np.bool_]:
        """(count,) all values are finite, and not all are one."""
        return np.asarray((self._finite == self.rows) & (self.least < self.most))


def alike(hashes: Hashes, left_out: NDArray[np.bool_]) -> list[list[int]]:
    """The places of equal hashes, a list each, but those that are left out."""
    order = np.argsort(hashes, kind="stable")
    order = order[~left_out[order]]
    cuts = np.flatnonzero(np.diff(hashes[order]) != 0) + 1
    return [group.tolist() for group in np.split(order, cuts) if len(group) > 1]


class Repeats:
    """Rows that are there more than once, by their hashes; of very many rows some are looked at, all copies of each.

    Attributes:
        share: of the rows that are looked at, those whose hash is below it.
    """

    def __init__(self, rows: int, most: int) -> None:
        self.share = min(1.0, most / rows)
        self._hashes, self._numbers = list[Hashes](), list[NDArray[np.int64]]()

    def note(self, hashes: Hashes, first: int) -> None:
        """Of neighbouring rows (rows,), from row ``first`` on."""
        numbers = np.arange(first, first + len(hashes))
        if self.share < 1:
            taken = mixed(hashes, 3) < np.uint64(int(self.share * 2.0**64))
            hashes, numbers = hashes[taken], numbers[taken]
        self._hashes.append(hashes)
        self._numbers.append(numbers)

    def found(self) -> tuple[int, list[int]]:
        """How many rows that are looked at repeat an earlier one; the first such two rows, none if there are none."""
        hashes, numbers = np.concatenate(self._hashes), np.concatenate(self._numbers)
        order = np.argsort(hashes, kind="stable")
        same = np.flatnonzero(hashes[order][1:] == hashes[order][:-1])
        if not len(same):
            return 0, []
        first = same[np.argmin(numbers[order[same + 1]])]
        return len(same), numbers[order[first : first + 2]].tolist()


def widened_rows(x: Csr) -> Rows:
    """Sparse rows as dense ones (rows, p) float64."""
    made = np.zeros(x.shape)
    rows = np.repeat(np.arange(x.shape[0]), np.diff(x.starts))
    made[rows, x.indices] = x.values
    return made
