"""Room for rows, of the kind that a table has."""

import numpy as np

from mpi_pgd.data.csr import index_type
from mpi_pgd.data.piece import Array, GivenPiece, Piece
from mpi_pgd.data.sparse import SparsePiece
from mpi_pgd.data.table import Table
from mpi_pgd.engine.arrays import aligned


def held(table: Table, rows: range, array: Array = aligned) -> Piece:
    """For these rows, as much as they need; ``array`` makes it. Where it need not be made, their features are there already.

    Errors as of ``Piece.room``.
    """
    x = table.given(rows) if array is aligned else None
    if x is not None:
        return GivenPiece.of(table, x)
    if table.sparse:
        return SparsePiece.made(table, len(rows), table.count(rows), array)
    return Piece.room(table, len(rows), array)


def spare(table: Table, rows: int) -> Piece:
    """For any rows, so many."""
    return SparsePiece.made(table, rows, rows * table.density) if table.sparse else Piece.room(table, rows)


def features_bytes(table: Table, rows: range) -> int:
    """What the features of these rows take."""
    if not table.sparse:
        return len(rows) * table.x_bytes
    each = np.dtype(table.x_type).itemsize + np.dtype(index_type(table.features)).itemsize
    return table.count(rows) * each + 8 * (len(rows) + 1)
