"""Sparse rows of a matrix that is stored by columns: as many at a time as there is room for, each in a pass over all numbers."""

from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mpi_pgd.data.sparsefile import MEMBERS
from mpi_pgd.errors import InputError

ROOM = 1 << 26  # numbers of the rows that are gathered together, 16 bytes each
SLAB = 1 << 20  # numbers that are read at a time
Whole = NDArray[np.int64]


class Turned:
    """The group X of a file, of so many rows; ``lengths`` (rows,) are the numbers that each has."""

    def __init__(self, group: h5py.Group, path: str, rows: int) -> None:
        self._path, self._rows = path, rows
        self._data, self._indices, starts = (group[name] for name in MEMBERS)
        self._starts = starts[()].astype(np.int64)
        if (np.diff(self._starts) < 0).any():
            raise InputError(f"{path} has X/indptr that do not ascend: write it again")
        self.lengths: Whole = np.zeros(rows, np.int64)
        for here in self._slabs():
            self.lengths += np.bincount(self._owners(here), minlength=rows)

    def runs(self) -> Iterator[tuple[range, Whole, NDArray[Any], NDArray[Any]]]:
        """Rows that follow each other, with their lengths, and the columns and values of their numbers, row after row."""
        ends = np.cumsum(self.lengths)
        first = 0
        while first < self._rows:
            before = int(ends[first - 1]) if first else 0
            stop = max(first + 1, int(np.searchsorted(ends, before + ROOM, side="right")))
            lengths = self.lengths[first:stop]
            yield range(first, stop), lengths, *self._gathered(range(first, stop), lengths)
            first = stop

    def _gathered(self, rows: range, lengths: Whole) -> tuple[NDArray[Any], NDArray[Any]]:
        places, values = np.empty(int(lengths.sum()), np.int64), np.empty(int(lengths.sum()), self._data.dtype)
        free = np.cumsum(lengths) - lengths  # where the next number of each row goes
        for here in self._slabs():
            owners = self._owners(here) - rows.start
            mine = np.flatnonzero((owners >= 0) & (owners < len(rows)))
            if not len(mine):
                continue
            taken = mine[np.argsort(owners[mine], kind="stable")]
            counts = np.bincount(owners[mine], minlength=len(rows))
            into = np.arange(len(taken)) + np.repeat(free - np.cumsum(counts) + counts, counts)
            places[into] = np.searchsorted(self._starts, here.start + taken, side="right") - 1
            values[into] = self._data[here][taken]
            free += counts
        return places, values

    def _slabs(self) -> Iterator[slice]:
        for start in range(0, len(self._data), SLAB):
            yield slice(start, min(start + SLAB, len(self._data)))

    def _owners(self, here: slice) -> Whole:
        """The rows of some numbers."""
        owners: Whole = self._indices[here].astype(np.int64)
        bad = np.flatnonzero((owners < 0) | (owners >= self._rows))
        if len(bad):
            column = int(np.searchsorted(self._starts, here.start + bad[0], side="right")) - 1
            raise InputError(
                f"column {column + 1} of X in {self._path} has a number in row {owners[bad[0]]} of {self._rows}: write it again"
            )
        return owners
