"""Memory for rows that other processes of the machine see, too: a file without a name, which lives as long as anybody has it."""

import math
import mmap
import os
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from mpi_pgd.data.piece import Piece
from mpi_pgd.data.rooms import features_bytes, held
from mpi_pgd.data.table import Table
from mpi_pgd.engine.arrays import ALIGNMENT, Rows
from mpi_pgd.errors import InputError


class Place(NamedTuple):
    """Where a run of blocks lies, as another process can open it."""

    run: range
    process: int
    number: int  # of the file, in that process


class Arena:
    """One file's memory, given away array by array, each on a cache line: the same ones to whoever asks for the same."""

    def __init__(self, file: int) -> None:
        self._memory = memoryview(mmap.mmap(file, os.fstat(file).st_size))
        self._used = 0

    def array(self, shape: tuple[int, ...], dtype: DTypeLike) -> Rows:
        """The next one."""
        dtype = np.dtype(dtype)
        start, size = self._used, math.prod(shape) * dtype.itemsize
        self._used += -(-size // ALIGNMENT) * ALIGNMENT
        found: Rows = np.frombuffer(self._memory, dtype, math.prod(shape), start) if size else np.empty(0, dtype)
        return found.reshape(shape)


def shared(table: Table, rows: range) -> tuple[Piece, int]:
    """Room for these rows, and its file."""
    beside = 8 * (table.targets + 2) * (-(-len(rows) // 8) * 8)
    file = os.memfd_create("mpi_pgd rows")
    os.ftruncate(file, features_bytes(table, rows) + beside + 6 * ALIGNMENT)
    return held(table, rows, Arena(file).array), file


def opened(table: Table, rows: range, place: Place) -> Piece:
    """What another process has there. Refuses one that does not let this one see it."""
    try:
        file = os.open(f"/proc/{place.process}/fd/{place.number}", os.O_RDWR)
    except OSError as error:
        raise InputError(
            f"--share-rows needs ranks that see each other's memory through /proc, and here one can't ({error.strerror}): "
            "expected it to be left out"
        ) from None
    try:
        return held(table, rows, Arena(file).array)
    finally:
        os.close(file)
