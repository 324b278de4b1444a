"""Sparse rows read from the three data sets of a group."""

from typing import TYPE_CHECKING

import numpy as np

from mpi_pgd.data.csr import Csr
from mpi_pgd.data.opening import reading, search_as
from mpi_pgd.data.storage import load_plugin
from mpi_pgd.data.stored import places
from mpi_pgd.engine.arrays import Rows
from mpi_pgd.errors import InputError

if TYPE_CHECKING:
    from mpi_pgd.data.filepart import FilePart
    from mpi_pgd.data.table import Table

MEMBERS = ("data", "indices", "indptr")  # of the group, as scipy, AnnData and 10x Genomics call them
DATA, INDICES, INDPTR = range(3)


def count(table: "Table", part: "FilePart", rows: range) -> int:
    """How many numbers are stored of these rows of one part."""
    start, stop = (int(_numbers(table, part, INDPTR, range(at, at + 1))[0]) for at in (rows.start, rows.stop))
    if not 0 <= start <= stop <= part.numbers:
        raise _unsorted(table, part, rows.start)
    return stop - start


def read(table: "Table", part: "FilePart", rows: range, first: int, x: Csr) -> None:
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
    again = x.again()
    if again:
        row, column = again
        raise InputError(
            f"row {first + row} of {table.x} has two numbers in column {column}: expected one at most in {part.path}; "
            f"add them up first (sum_duplicates of scipy's does)"
        )


def _unsorted(table: "Table", part: "FilePart", row: int) -> InputError:
    return InputError(
        f"{table.x}/{MEMBERS[INDPTR]} in {part.path} is not sorted at row {row}: expected where each row begins among the "
        f"{part.numbers} numbers, ascending from 0; make the file again"
    )


def _numbers(table: "Table", part: "FilePart", which: int, span: range, room: Rows | None = None) -> Rows:
    """Some of the numbers of a data set of the group, as they are stored, or in ``room``."""
    names = members(table.x)
    stored = places(part.path, part.files[:1], names, table.prefixes)[names[which]]
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
