"""Rows stored as the numbers that are not 0, as runs with the verbs of others."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mpi_pgd.data.csr import Csr, Memory
from mpi_pgd.data.piece import Array, Piece
from mpi_pgd.data.table import Table
from mpi_pgd.engine.arrays import Vector, aligned
from mpi_pgd.engine.block import Block
from mpi_pgd.engine.sparse import SparseBlock


class SparsePiece(Piece):
    """A run of sparse rows; ``x`` is a ``Csr``. Rows are filled in from the first one on, in turn."""

    __slots__ = ()

    @classmethod
    def made(cls, table: Table, rows: int, numbers: int, array: Array = aligned) -> Self:
        """Room for so many rows, and numbers that are stored of them."""

        def features() -> Csr:
            memory = Memory(rows, numbers, table.features, table.x_type, array)
            return Csr(memory, (rows, table.features), own=array is aligned)

        return cls._with(table, rows, array, features)

    @property
    def lasting(self) -> bool:
        """See ``Piece``."""
        return False

    def read(self, table: Table, rows: range, peaks: Vector | None = None) -> None:
        """See ``Piece``."""
        self.read_features(table, rows)
        if peaks is not None:
            self.raise_peaks(peaks)
        table.read(rows, None, *self[1:])

    def read_features(self, table: Table, rows: range) -> None:
        """See ``Piece``."""
        table.read_sparse(rows, self.x)
        table.read(rows, None, None)  # so that files are found to have changed

    def part(self, rows: slice) -> Self:
        """See ``Piece``."""
        return self._beside(lambda each: each[..., rows], self.x.part(rows))

    def fill(self, other: Self) -> None:
        """See ``Piece``."""
        self.x.fill(other.x)
        self.fill_beside(other)

    def gather(self, whole: Block, taken: NDArray[np.int64], _: Vector) -> Block:
        """See ``Piece``: in memory of their own."""
        return whole.gathered(taken)

    def raise_peaks(self, peaks: Vector) -> None:
        """See ``Piece``."""
        self.x.raise_peaks(peaks)

    def unsound(self) -> tuple[int, int, Any] | None:
        """See ``Piece``."""
        bad = np.flatnonzero(~np.isfinite(self.x.values))
        if not len(bad):
            return None
        row = int(np.searchsorted(self.x.starts - self.x.starts[0], bad[0], side="right")) - 1
        return row, int(self.x.indices[bad[0]]), self.x.values[bad[0]]

    def block(self, start: int) -> Block:
        """See ``Piece``; to be asked for once of rows that were filled in."""
        values, indices, starts, columns = self.x.cut()
        return SparseBlock(values, indices, starts, columns, self.x.shape[1], self.y, self.weights, self.offset, start)

    @property
    def nbytes(self) -> int:
        """See ``Piece``."""
        return int(self.x.nbytes) + sum(each.nbytes for each in self[1:] if each is not None)
