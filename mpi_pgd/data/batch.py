"""Rows of a batch, gathered from the blocks that they lie in."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpi_pgd.data.piece import Piece
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.batches import UNIT, Units
from mpi_pgd.engine.block import Block


class Room(NamedTuple):
    """For the rows of a batch that lie in one block, which are gathered into the same memory for each.

    Attributes:
        piece: of as many rows as a block has.
        wide: (rows, p) float64, into which X is widened; that of ``piece`` if it needs none.
    """

    piece: Piece
    wide: Vector

    def blocks(
        self, units: Units, held: NDArray[np.int64], stored: Callable[[NDArray[np.int64]], Iterable[Block]]
    ) -> Iterator[Block]:
        """The rows of ``units``, ascending, that lie in the blocks ``held``: a block of them for each that has some.

        Only these rows are touched. ``stored`` gives blocks by number, one by one; the last one, and so its last unit, may be
        shorter.
        """
        size = self.piece.rows
        runs = size // UNIT
        owners = (units // np.uint64(runs)).astype(np.int64)
        first, last = np.searchsorted(owners, held), np.searchsorted(owners, held, side="right")
        rows = ((units % np.uint64(runs)).astype(np.int64)[:, None] * UNIT + np.arange(UNIT)).reshape(-1)
        some = np.flatnonzero(last > first)
        for whole, start, stop in zip(stored(held[some]), first[some].tolist(), last[some].tolist(), strict=True):
            taken = rows[start * UNIT : stop * UNIT]
            yield self.piece.gather(whole, taken if taken[-1] < whole.rows else taken[taken < whole.rows], self.wide)
