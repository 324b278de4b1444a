"""The task of the columns' moments."""

from functools import cached_property

import numpy as np

from mpi_pgd import kernel
from mpi_pgd.engine.arrays import Vector, aligned
from mpi_pgd.engine.block import Block
from mpi_pgd.engine.tasks import BlockMap, Layout, RowLoss


class MomentsTask:
    """``sums`` and ``squares`` (p + q,) of the columns, the q targets last, less a point (p + q,), all times ``unit`` (p + q,).

    All rows count as their weights say. Beside them ``weight``, the sum of these; ``floor``, the sum of the least losses that
    there can be; and ``shares`` (k,), the sums of the weights of each class, where targets are numbers of ``classes`` classes.

    ``shifted``: the targets are taken less their rows' offsets.

    Attributes:
        peaks: (p,) the largest magnitudes of the features that this rank has mapped; NaN or infinite where one of them is.
    """

    uneven = True  # about the means sums may be far smaller, in one column and not in others: each is to have all its digits
    coarse = varies = False
    bound = units = None

    def __init__(
        self, unit: Vector, block_rows: int, features: int, loss: RowLoss, classes: int = 0, shifted: bool = False
    ) -> None:
        self.width, self.features, self.classes, self.shifted, self.loss = len(unit), features, classes, shifted, loss
        self.layout = Layout({"sums": (self.width,), "squares": (self.width,), "weight": (), "floor": (), "shares": (classes,)})
        self.unit, self.peaks = unit, np.zeros(features)
        self._rows = block_rows
        self._targets = np.empty((self.width - features, block_rows))
        self._room = np.empty((loss.rooms + 1, block_rows))
        self._ones = np.ones(block_rows)

    def bind(self, point: Vector) -> BlockMap:
        """About ``point``."""
        p, width, about = self.features, self.width, point[: self.width] * self.unit
        unit, beside = self.unit[:p], self.unit[p:, None]

        def mapped(block: Block, out: Vector) -> None:
            sums, squares, weights = out[:width], out[width : 2 * width], block.weights
            counts = self._ones[: block.rows] if weights is None else weights
            block.moments(counts, unit, about[:p], self._room_of, sums[:p], squares[:p], self.peaks)
            targets = np.multiply(block.y, beside, out=self._targets[:, : block.rows])
            if self.shifted and block.offset is not None:
                targets -= block.offset * beside
            targets -= about[p:, None]
            for place, target in enumerate(targets, p):
                sums[place] = kernel.dot(counts, target)
                squares[place] = kernel.dot(target if weights is None else weights * target, target)
            self._rest(block, counts, out[2 * width :])

        return mapped

    def _room_of(self, rows: int) -> Vector:
        return self._less[:rows]

    @cached_property
    def _less(self) -> Vector:
        """Made where a block asks for it: sparse rows of very many features have no room for it."""
        return aligned((self._rows, self.features), np.float64)

    def _rest(self, block: Block, weights: Vector, out: Vector) -> None:
        room = self._room[:, : block.rows]
        out[0] = block.rows if block.weights is None else np.add.reduce(weights)
        self.loss.floor(block.y, room[0], room[1:])
        out[1] = kernel.dot(room[0], weights)
        for number in range(self.classes):
            out[2 + number] = kernel.dot(np.equal(block.y, number, out=room[0]), weights)
