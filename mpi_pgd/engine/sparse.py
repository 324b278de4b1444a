"""Sparse rows as a small linear operator."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpi_pgd import kernel
from mpi_pgd.engine.arrays import Columns, Rows, Vector
from mpi_pgd.engine.block import Block, Room

HOT = 4096  # features whose numbers are met so often that they should stay in a core's first cache


class SparseBlock(Block):
    """Rows of which few numbers are stored: all others are 0. Nothing as long as the features is made for its products.

    Args:
        values: (numbers,) those that are stored, row by row, of any real type.
        indices: (numbers,) of each its place in ``columns``, in which a row has no place twice.
        starts: (rows + 1,) int64, where rows begin among them; from 0.
        columns: as of ``Block``.
        features: how many there are.
    """

    columns: Rows
    __slots__ = ("columns", "features", "indices", "starts", "values")

    def __init__(
        self,
        values: Rows,
        indices: Rows,
        starts: NDArray[np.int64],
        columns: Rows,
        features: int,
        y: Vector,
        weights: Vector | None = None,
        offset: Vector | None = None,
        start: int = 0,
    ) -> None:
        self.values, self.indices, self.starts, self.columns, self.features = values, indices, starts, columns, features
        self.y, self.weights, self.offset, self.start = y, weights, offset, start
        self.rows, self.handle = len(starts) - 1, None

    def once(self, gradient: Any, out: Vector) -> None:
        """See ``Block``."""
        gradient.sparse(self.values, self.indices, self.starts, self.columns, self.y, self.weights, self.offset, out)

    def dot(self, w: Vector, out: Vector) -> None:
        """See ``Block``."""
        kernel.sparse_dot(self.values, self.indices, self.starts, self.columns, w, out)

    def tdot(self, slopes: Vector, out: Vector) -> None:
        """See ``Block``."""
        kernel.sparse_tdot(self.values, self.indices, self.starts, slopes, out)

    def dots(self, w: Vector, out: Vector) -> None:
        """See ``Block``."""
        for one, line in zip(w, out, strict=True):
            self.dot(one, line)

    def tdots(self, slopes: Vector, out: Vector) -> None:
        """See ``Block``."""
        for one, line in zip(slopes, out, strict=True):
            self.tdot(one, line)

    def scaled(self, unit: Vector, rows: slice, out: Vector) -> None:
        """See ``Block``."""
        out[:] = 0.0
        here, owners = self._of(rows)
        columns = self.columns[self.indices[here]]
        out[owners, columns] = self.values[here] * unit[columns]

    def gram(self, columns: Columns | None, mean: Vector, inverse: Vector, curvatures: Vector, out: Vector) -> None:
        """See ``Block``."""
        if columns is not None:
            x, (places,), mean, inverse = self._narrow([columns], mean, inverse)
            kernel.gram(x, places, mean, inverse, curvatures, out)
            return
        values, centre = self._centred(mean)
        for curvature, line in zip(curvatures, out, strict=True):
            h = np.maximum(curvature, 0.0) if len(curvatures) == 1 else curvature
            kernel.sparse_gram(values, self.indices, self.starts, self.columns, self.features, centre, inverse, h, line)

    def cross(self, left: Columns, right: Columns, mean: Vector, inverse: Vector, curvature: Vector, out: Vector) -> None:
        """See ``Block``."""
        x, (left, right), mean, inverse = self._narrow([left, right], mean, inverse)
        kernel.cross(x, left, right, mean, inverse, curvature, out)

    def _centred(self, mean: Vector) -> tuple[Rows, Vector]:
        """The values, less the means in columns that no row is without; and the means that are left.

        Of others what is subtracted from sums of squares is no larger than these, for many rows are 0.
        """
        whole = np.bincount(self.indices, minlength=len(self.columns)) == self.rows
        if not whole.any():
            return self.values, mean
        centre, own = mean.copy(), self.columns[whole]
        centre[own] = 0.0
        return self.values - np.where(whole, mean[self.columns], 0.0)[self.indices], centre

    def _narrow(self, some: list[Columns], mean: Vector, inverse: Vector) -> tuple[Vector, list[Columns], Vector, Vector]:
        """Of all features in ``some`` dense rows, places, means and inverses; the last ones of these are of a column of ones."""
        p = len(mean) - 1
        wanted = np.unique(np.concatenate(some))
        wanted = wanted[wanted < p]
        there = np.searchsorted(wanted, self.columns)
        there[~np.isin(self.columns, wanted)] = len(wanted)
        owners = np.repeat(np.arange(self.rows), np.diff(self.starts))
        found = np.zeros((self.rows, len(wanted) + 1))  # the last one is that of all others
        found[owners, there[self.indices]] = self.values
        kept = np.append(wanted, p)
        return found[:, :-1], [np.searchsorted(wanted, each) for each in some], mean[kept], inverse[kept]

    def moments(
        self, weights: Vector, unit: Vector, about: Vector, room: Room, sums: Vector, squares: Vector, peaks: Vector
    ) -> None:
        """See ``Block``: what is not stored counts as it is, without being written down."""
        most = peaks[self.columns]
        raise_peaks(self.values, self.indices, most)
        peaks[self.columns] = most
        scale, centre, size = unit[self.columns], about[self.columns], len(self.columns)
        owners = np.repeat(weights, np.diff(self.starts))
        away = self.values * scale[self.indices] - centre[self.indices]
        whole = np.add.reduce(weights)
        absent = whole - np.bincount(self.indices, owners, size)
        absent[np.bincount(self.indices, minlength=size) == self.rows] = 0.0  # not what rounding leaves
        np.multiply(about, -whole, out=sums)
        np.multiply(about, about * whole, out=squares)
        sums[self.columns] = np.bincount(self.indices, owners * away, size) - centre * absent
        squares[self.columns] = np.bincount(self.indices, owners * away * away, size) + centre * (centre * absent)

    def unsound(self) -> tuple[int, int, Any] | None:
        """See ``Block``."""
        bad = np.flatnonzero(~np.isfinite(self.values))
        if not len(bad):
            return None
        row = int(np.searchsorted(self.starts, bad[0], side="right")) - 1
        return row, int(self.columns[self.indices[bad[0]]]), self.values[bad[0]]

    def ranges(self, counts: Rows, groups: Rows, highest: Vector, lowest: Vector) -> None:
        """See ``Block``."""
        of, size = np.full(self.rows, -1), len(self.columns)
        of[counts] = groups
        owners = np.repeat(of, np.diff(self.starts))
        place = (owners * size + self.indices)[owners >= 0]
        numbers = self.values[owners >= 0].astype(np.float64)
        stored = np.bincount(place, minlength=len(highest) * size).reshape(-1, size)
        held = np.bincount(groups, minlength=len(highest))
        for values, out in ((numbers, highest), (-numbers, lowest)):
            found = np.full((len(highest), size), -np.inf)
            np.maximum.at(found.reshape(-1), place, values)
            found[stored < held[:, None]] = np.maximum(found[stored < held[:, None]], 0.0)
            out[held > 0] = 0.0
            out[:, self.columns] = found

    def swings(self, counts: Rows, mean: Vector, w: Vector) -> tuple[Vector, Vector]:
        """See ``Block``."""
        eta, size = np.empty((2, len(w), self.rows))
        self.dots(w, eta)
        eta -= np.array([[kernel.dot(one, mean)] for one in w])
        middle, more = mean[self.columns][self.indices], np.empty(self.rows)
        for one, line in zip(np.abs(w), size, strict=True):
            beyond = np.abs(self.values - middle) - np.abs(middle)
            kernel.sparse_dot(beyond, self.indices, self.starts, self.columns, one, more)
            line[:] = kernel.dot(one, np.abs(mean)) + more
        return eta[:, counts], size[:, counts]

    def gathered(self, rows: NDArray[np.int64]) -> "SparseBlock":
        """See ``Block``."""
        counts = np.diff(self.starts)[rows]
        starts = np.concatenate([[0], np.cumsum(counts)])
        taken = np.arange(starts[-1]) + np.repeat(self.starts[rows] - starts[:-1], counts)
        weights, offset = (None if each is None else each[rows] for each in (self.weights, self.offset))
        first = self.start + int(rows[0]) if len(rows) else self.start
        values, indices, y = self.values[taken], self.indices[taken], self.y.take(rows, axis=-1)  # line by line
        return SparseBlock(values, indices, starts, self.columns, self.features, y, weights, offset, first)

    def every(self, step: int) -> "SparseBlock":
        """See ``Block``."""
        return self.gathered(np.arange(-self.start % step, self.rows, step))

    def _of(self, rows: slice) -> tuple[slice, NDArray[np.int64]]:
        """The numbers of some rows, and the row of each, from 0."""
        starts = self.starts[min(rows.start, self.rows) : rows.stop + 1]
        return slice(int(starts[0]), int(starts[-1])), np.repeat(np.arange(len(starts) - 1), np.diff(starts))


def raise_peaks(values: Rows, indices: Rows, peaks: Vector) -> None:
    """``kernel.peaks`` of ``values`` (numbers,), which are in columns ``indices`` (numbers,)."""
    with np.errstate(invalid="ignore"):
        np.maximum.at(peaks, indices, np.abs(values.astype(np.float64)))


def renumbered(indices: Rows, out: Rows, features: int) -> Rows:
    """The features among ``indices`` (numbers,); into ``out`` of each its place among these.

    The most frequent ones come first, so that those that are met often lie together in a core's own cache, then the others as they
    are, so that sums are added to one after the other.
    """
    times = np.bincount(indices, minlength=features)
    columns = np.flatnonzero(times)
    hot = columns
    if len(columns) > HOT:
        hot = columns[times[columns] >= -np.partition(-times[columns], HOT)[HOT]]
    hot = hot[np.argsort(-times[hot], kind="stable")][:HOT]
    times[hot] = 0
    columns = np.concatenate([hot, np.flatnonzero(times)]).astype(np.uint32)
    places = np.empty(features, dtype=out.dtype)
    places[columns] = np.arange(len(columns), dtype=out.dtype)
    np.take(places, indices, out=out, mode="clip")
    return columns
