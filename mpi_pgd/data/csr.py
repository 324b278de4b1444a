"""Sparse rows in memory: the numbers that are stored of them, row by row."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from mpi_pgd.engine.arrays import Columns, Rows, Vector, aligned
from mpi_pgd.engine.sparse import raise_peaks, renumbered

NARROW = 1 << 16  # numbers that two bytes tell apart
Array = Callable[[tuple[int, ...], DTypeLike], Rows]


class Memory:
    """Room for rows and the numbers that are stored of them; it grows where these are more.

    Attributes:
        values, indices: (numbers,) those that are stored, in the files' type, and the features that they are of.
        starts: (rows + 1,) int64, where rows begin among them; what is behind the last row that was read says nothing.
    """

    def __init__(self, rows: int, numbers: int, features: int, dtype: DTypeLike, array: Array = aligned) -> None:
        self.starts = array((rows + 1,), np.int64)
        self.values = array((numbers,), dtype)
        self.indices = array((numbers,), index_type(features))

    def grow(self, numbers: int) -> None:
        """Have room for so many."""
        if numbers > len(self.values):
            more = max(numbers, len(self.values) * 5 // 4)
            for name in ("values", "indices"):
                old = getattr(self, name)
                new = aligned((more,), old.dtype)
                new[: len(old)] = old
                setattr(self, name, new)


class Csr(NamedTuple):
    """Some of the rows in a memory.

    Attributes:
        shape: rows and features.
        first: the place of its first row there.
        own: whether nobody else sees its indices, so that they may become those of blocks.
    """

    memory: Memory
    shape: tuple[int, int]
    first: int = 0
    own: bool = True

    def part(self, rows: slice) -> "Csr":
        """Some of these."""
        start, stop, _ = rows.indices(self.shape[0])
        return self._replace(shape=(stop - start, self.shape[1]), first=self.first + start)

    @property
    def starts(self) -> Rows:
        """(rows + 1,) where they begin in the memory."""
        return self.memory.starts[self.first : self.first + self.shape[0] + 1]

    @property
    def here(self) -> slice:
        """Their numbers in the memory."""
        return slice(int(self.starts[0]), int(self.starts[-1]))

    @property
    def values(self) -> Rows:
        """(numbers,)."""
        return self.memory.values[self.here]

    @property
    def indices(self) -> Rows:
        """(numbers,)."""
        return self.memory.indices[self.here]

    def lay(self, counts: Rows) -> None:
        """Have rows of so many numbers each (rows,), behind those before them; the numbers are still to be filled in."""
        if self.first == 0:
            self.memory.starts[0] = 0
        starts = self.starts
        np.cumsum(counts, out=starts[1:])
        starts[1:] += starts[0]
        self.memory.grow(int(starts[-1]))

    def fill(self, other: "Csr") -> None:
        """Have the rows of another one, of as many."""
        self.lay(np.diff(other.starts))
        self.values[:], self.indices[:] = other.values, other.indices

    def copy(self) -> "Csr":
        """The same rows, in a memory of their own."""
        made = Csr(Memory(self.shape[0], len(self.values), self.shape[1], self.values.dtype), self.shape)
        made.fill(self)
        return made

    def cut(self) -> tuple[Rows, Rows, Rows, Columns]:
        """As a block has them: values, indices, starts and columns. Where they are its own, they become what blocks have."""
        starts, indices = self.starts - self.starts[0], self.indices
        out = indices if self.own else np.empty_like(indices)
        columns = renumbered(indices, out, self.shape[1])
        if indices.itemsize > 2 and len(columns) <= NARROW:  # in the same memory, which is twice as large
            narrow = out.view(np.uint16)[: len(out)]
            narrow[:] = out.copy()
            out = narrow
        return self.values, out, starts, columns

    def raise_peaks(self, peaks: Vector) -> None:
        """As of ``kernel.peaks``."""
        raise_peaks(self.values, self.indices, peaks)

    def again(self) -> tuple[int, int] | None:
        """A row and a column that is there twice."""
        indices, starts = self.indices, self.starts - self.starts[0]
        falls = indices[1:] <= indices[:-1]
        ends = starts[1:-1]
        falls[ends[(ends > 0) & (ends < len(indices))] - 1] = False
        if not falls.any():
            return None  # all rows are in ascending order
        rows = np.repeat(np.arange(len(starts) - 1, dtype=np.int64), np.diff(starts))
        keys = np.sort(rows * self.shape[1] + indices)
        twice = np.flatnonzero(keys[1:] == keys[:-1])
        return divmod(int(keys[twice[0]]), self.shape[1]) if len(twice) else None

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        numbers = self.here.stop - self.here.start
        return int(self.starts.nbytes + numbers * (self.memory.values.itemsize + self.memory.indices.itemsize))


def index_type(features: int) -> DTypeLike:
    """That tells so many features apart."""
    return np.uint16 if features <= NARROW else np.uint32


def row_bytes(features: int, numbers: float, dtype: DTypeLike) -> int:
    """Memory that a row takes, of so many numbers on average."""
    return int(np.ceil(numbers * (np.dtype(dtype).itemsize + np.dtype(index_type(features)).itemsize))) + 8
