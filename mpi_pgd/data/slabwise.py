"""A table in slabs that all passes of a check go through."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from mpi_pgd.data.csr import Csr
from mpi_pgd.data.piece import Piece
from mpi_pgd.data.profile import widened_rows
from mpi_pgd.data.sparse import SparsePiece
from mpi_pgd.data.table import Table
from mpi_pgd.engine.arrays import Rows, Vector
from mpi_pgd.engine.narrow import widened

MATRIX = 2000  # features of which all pairs are compared, and that sparse rows are widened to
SIZE = 4 << 20  # bytes of features that are read at a time
Watch = Callable[[Sequence[range]], Iterable[range]]


class Slab(NamedTuple):
    """Some rows, all as float64.

    Attributes:
        rows: their numbers.
        x: (rows, p), or sparse rows, if they are so and have too many features to be widened.
        beside: (columns, rows): the targets, the weights, the offset.
    """

    rows: range
    x: Vector | Csr
    beside: Vector


def slabs(table: Table, watch: Watch, taken: Callable[[int], bool] = lambda _: True) -> Iterator[Slab]:
    """The rows in their order; of slabs by their numbers those that are ``taken``. Sparse rows of few features are widened."""
    wide = not table.sparse or table.features <= MATRIX
    size = max(1, SIZE // (8 * table.features if wide else table.x_bytes)) * table.x_bytes
    cuts = [rows for number, rows in enumerate(table.slabs(range(table.rows), size)) if taken(number)]
    for rows in watch(cuts):
        piece = SparsePiece.made(table, len(rows), table.count(rows)) if table.sparse else Piece.room(table, len(rows))
        piece.read(table, rows)
        x: Rows | Csr = (widened_rows(piece.x) if wide else piece.x) if table.sparse else widened(piece.x).astype(np.float64)
        lines = [piece.y, *([piece.weights] if table.weights else []), piece.offset]
        yield Slab(rows, x, np.vstack([line for line in lines if line is not None]))
