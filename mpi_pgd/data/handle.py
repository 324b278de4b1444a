"""A file that stays open, read from at any place."""

import os
from weakref import finalize

import h5py
import numpy as np

from mpi_pgd.engine.arrays import Rows

CALL = 1 << 20  # bytes that are read at a time: with more, what a core's own cache gives way to costs a tenth


class Handle:
    """Open as long as somebody has it; any thread may read, and others go on meanwhile."""

    def __init__(self, file: h5py.File) -> None:
        """The file that HDF5 has open; an OSError if there is another one in its place."""
        self._number = os.open(os.fsdecode(file.filename), os.O_RDONLY)
        finalize(self, os.close, self._number)
        if not os.path.samestat(os.fstat(self._number), os.fstat(file.id.get_vfd_handle())):
            raise OSError("it was replaced")
        os.posix_fadvise(self._number, 0, 0, os.POSIX_FADV_SEQUENTIAL)  # the system then reads further ahead

    def read(self, start: int, room: Rows) -> None:
        """Fill ``room``, C-contiguous, with what is there from byte ``start`` on; an OSError if the file ends before."""
        left = room.reshape(-1).view(np.uint8).data
        while left:
            size = os.preadv(self._number, [left[:CALL]], start)
            if size == 0:
                raise OSError("it ends too soon")
            left, start = left[size:], start + size

    def there(self, stop: int) -> bool:
        """Whether what ends before byte ``stop`` is in the system's memory, as its last byte tells; False where nobody knows."""
        try:
            return os.preadv(self._number, [bytearray(1)], stop - 1, os.RWF_NOWAIT) == 1
        except OSError:
            return False
