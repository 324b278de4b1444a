"""Rows stored as the numbers that are not 0: read from the three data sets of a group, as runs with the verbs of others."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mpi_pgd.data.csr import Csr, Memory
from mpi_pgd.data.opening import reading, search_as
from mpi_pgd.data.piece import Array, Piece
from mpi_pgd.data.storage import load_plugin
from mpi_pgd.data.stored import places
from mpi_pgd.data.table import Part, Table
from mpi_pgd.engine.arrays import Rows, Vector, aligned
from mpi_pgd.engine.block import Block
from mpi_pgd.engine.sparse import SparseBlock
from mpi_pgd.errors import InputError

MEMBERS = ("data", "indices", "indptr")  # of the group, as scipy, AnnData and 10x Genomics call them
DATA, INDICES, INDPTR = range(3)


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
        done = 0
        for part, here in table.pieces(rows):
            _read(table, part, here, rows.start + done, self.x.part(slice(done, done + len(here))))
            done += len(here)
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

    def row(self, number: int) -> Vector:
        """See ``Piece``."""
        found: Vector = self.x.row(number)
        return found

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


def count(table: Table, rows: range) -> int:
    """How many numbers are stored of these rows."""
    total = 0
    for part, here in table.pieces(rows):
        start, stop = (int(_numbers(table, part, INDPTR, range(at, at + 1))[0]) for at in (here.start, here.stop))
        if not 0 <= start <= stop <= part.numbers:
            raise _unsorted(table, part, here.start)
        total += stop - start
    return total


def _read(table: Table, part: Part, rows: range, first: int, x: Csr) -> None:
    """Rows of one part, of which the first is row ``first`` of the table. Refuses what are no sparse rows."""
    starts = _numbers(table, part, INDPTR, range(rows.start, rows.stop + 1)).astype(np.int64)
    bad = (starts[1:] < starts[:-1]) | (starts[:-1] < 0) | (starts[1:] > part.numbers)
    if bad.any():
        raise _unsorted(table, part, rows.start + int(np.argmax(bad)))
    x.lay(np.diff(starts))
    here = range(int(starts[0]), int(starts[-1]))
    if not here:
        return
    _numbers(table, part, DATA, here, x.values)
    indices = _numbers(table, part, INDICES, here)
    if int(indices.min()) < 0 or int(indices.max()) >= table.features:
        wrong = int(np.argmax((indices < 0) | (indices >= table.features)))
        row = int(np.searchsorted(starts, here.start + wrong, side="right")) - 1
        raise InputError(
            f"row {first + row} of {table.x} has a number in column {indices[wrong]} of {table.features}: expected "
            f"{table.x}/{MEMBERS[INDICES]} in {part.path} to be from 0 to {table.features - 1}; mend it, or the shape"
        )
    x.indices[:] = np.asarray(part.columns)[indices] if part.columns else indices
    again = _again(x)
    if again:
        row, column = again
        raise InputError(
            f"row {first + row} of {table.x} has two numbers in column {column}: expected one at most in {part.path}; "
            f"add them up first (sum_duplicates of scipy's does)"
        )


def _again(x: Csr) -> tuple[int, int] | None:
    """A row and a column that is there twice."""
    indices, starts = x.indices, x.starts - x.starts[0]
    falls = indices[1:] <= indices[:-1]
    ends = starts[1:-1]
    falls[ends[(ends > 0) & (ends < len(indices))] - 1] = False
    if not falls.any():
        return None  # all rows are in ascending order
    rows = np.repeat(np.arange(len(starts) - 1, dtype=np.int64), np.diff(starts))
    keys = np.sort(rows * x.shape[1] + indices)
    twice = np.flatnonzero(keys[1:] == keys[:-1])
    return divmod(int(keys[twice[0]]), x.shape[1]) if len(twice) else None


def _unsorted(table: Table, part: Part, row: int) -> InputError:
    return InputError(
        f"{table.x}/{MEMBERS[INDPTR]} in {part.path} is not sorted at row {row}: expected where each row begins among the "
        f"{part.numbers} numbers, ascending from 0; make the file again"
    )


def _numbers(table: Table, part: Part, which: int, span: range, room: Rows | None = None) -> Rows:
    """Some of the numbers of a data set of the group, as they are stored, or in ``room``."""
    names = members(table.x)
    stored = places(part.path, part.files[:1], names, table.prefixes)[which]
    if stored is not None:
        out = room if room is not None and room.dtype == stored.dtype else np.empty(len(span), stored.dtype)
        try:
            stored.fill(span, out)
        except (OSError, MemoryError):
            places.cache_clear()
        else:
            return _in(room, out)
    if table.plugin:
        load_plugin()
    search_as(table.prefixes)
    with part.opened(range(part.rows)) as file, reading(part.path, span):
        return _in(room, file[names[which]][span.start : span.stop])


def _in(room: Rows | None, numbers: Rows) -> Rows:
    if room is None or room is numbers:
        return numbers
    room[:] = numbers
    return room


def members(group: str) -> tuple[str, ...]:
    """The names of the data sets of a group."""
    return tuple(f"{group}/{name}" for name in MEMBERS)
