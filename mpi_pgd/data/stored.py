"""Where a data set's numbers are in its file: found once, so that they are read past HDF5, at the speed of the disk.

What is not simple is left to HDF5, which reads anything.
"""

from collections.abc import Iterator
from functools import lru_cache
from math import prod

import h5py

from mpi_pgd.data.chunks import Chunked, simple
from mpi_pgd.data.files import Stamp
from mpi_pgd.data.handle import Handle
from mpi_pgd.data.opening import opened, search_as
from mpi_pgd.engine.arrays import Rows
from mpi_pgd.errors import InputError

PARTS = 8  # of a table, whose files are kept open: a process may have some hundreds open
PIECE = 1 << 19  # bytes that are read at a time if they are looked at, too: worth a call, and they stay in the core's own cache


class Contiguous:
    """The numbers of a data set in one run.

    Attributes:
        dtype: of the numbers as they are stored.
        shape: of one row.
        together: rows that are read together.
    """

    together = 1

    def __init__(self, data_set: h5py.Dataset) -> None:
        self.dtype, self.shape = data_set.dtype, data_set.shape[1:]
        self.row_bytes = prod(self.shape) * self.dtype.itemsize
        self._start = data_set.id.get_offset()
        self._handle = Handle(data_set.file)

    def fill(self, rows: range, room: Rows) -> None:
        """Fill ``room`` (len(rows), *shape), of the stored type, C-contiguous, with ``rows``; an OSError if they aren't there."""
        self._handle.read(self._start + rows.start * self.row_bytes, room)

    def there(self, rows: range) -> bool:
        """Whether ``rows`` only have to be copied, as they are in the system's memory."""
        return self._handle.there(self._start + rows.stop * self.row_bytes)


Stored = Contiguous | Chunked


def pieces(stored: Stored, rows: range) -> Iterator[range]:
    """``rows`` in runs that are looked at while they are in the core's own cache."""
    step = max(1, PIECE // max(1, stored.row_bytes) // stored.together) * stored.together
    start = rows.start
    while start < rows.stop:
        stop = min((start // step + 1) * step, rows.stop)
        yield range(start, stop)
        start = stop


@lru_cache(maxsize=PARTS)
def places(path: str, stamps: tuple[Stamp, ...], names: tuple[str, ...], prefixes: tuple[str, ...]) -> dict[str, Stored | None]:
    """Of each data set of a file by its name, unless that is empty: where its numbers are, or None where HDF5 has to read them.

    ``stamps`` tell one file from another that had its name before; ``prefixes`` are those of ``search_as``.
    """
    search_as(prefixes)
    try:
        with opened(path) as file:
            return {name: _stored(file[name]) for name in names if name}
    except InputError:
        return dict.fromkeys(names)  # HDF5 is asked again, and says why


def _stored(data_set: h5py.Dataset) -> Stored | None:
    if data_set.is_virtual or data_set.external or data_set.file.driver != "sec2" or data_set.file.userblock_size:
        return None
    stored = data_set.id.get_type()
    if data_set.dtype.kind not in "fiub" or not stored.equal(h5py.h5t.py_create(data_set.dtype, logical=True)):
        return None  # numpy has no such type
    layout = data_set.id.get_create_plist().get_layout()
    try:
        if layout == h5py.h5d.CHUNKED:
            return Chunked(data_set) if simple(data_set) else None
        whole = data_set.id.get_offset() is not None and data_set.id.get_storage_size() == data_set.nbytes
        return Contiguous(data_set) if layout == h5py.h5d.CONTIGUOUS and whole else None
    except OSError:
        return None
