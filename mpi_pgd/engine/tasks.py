"""What is asked of each block: the maps from a block to its vector."""

from collections.abc import Callable

import numpy as np

from mpi_pgd.engine.arrays import Vector, aligned
from mpi_pgd.engine.block import Block

Loss = Callable[[Vector, Vector, Vector], None]
BlockMap = Callable[[Block, Vector], None]  # a block, and where its vector is to be written


class GradientMap:
    """The map of a round: a block's ``[X'slope (p) | sum of slopes | sum of losses]`` at a point ``[w (p) | c]``."""

    def __init__(self, loss: Loss, block_rows: int) -> None:
        self.loss = loss
        self._lines: Vector = aligned((2, block_rows), np.float64)
        self._lines[0] = 1.0

    def __call__(self, point: Vector) -> BlockMap:
        """What maps a block at ``point`` (p + 1,) to its vector (p + 2,). Nothing is allocated for a block.

        The rows stream through the cache and push out all else, Python's own objects too: so what is the same for all blocks is
        looked up here, once a round.
        """
        loss, lines, full = self.loss, self._lines, self._lines.shape[1]
        eta, features = lines[1], len(point) - 1
        w, intercept = point[:features], point[features]
        dot, add = np.dot, np.add

        def mapped(block: Block, out: Vector) -> None:
            x, y = block
            pair, linear = lines, eta
            if len(y) < full:  # the last block alone
                pair = lines[:, : len(y)]
                linear = pair[1]
            dot(x, w, linear)
            if intercept:
                add(linear, intercept, linear)
            loss(y, pair, out[features:])
            dot(linear, x, out[:features])

        return mapped


class MomentsMap:
    """A block's ``[sums (p + 1) | sums of squares (p + 1)]`` of the columns and of y, less a point, times ``unit`` (p + 1,)."""

    def __init__(self, block_rows: int, features: int, unit: Vector) -> None:
        self.unit = unit
        self._less: Vector = aligned((block_rows, features), np.float64)
        self._target = np.empty(block_rows)
        self._ones = np.ones(block_rows)

    def __call__(self, point: Vector) -> BlockMap:
        """What maps a block about ``point`` (p + 1,) to its vector (2 (p + 1),)."""
        unit, about = self.unit, point * self.unit

        def mapped(block: Block, out: Vector) -> None:
            rows, features = block.x.shape
            ones, less, target = self._ones[:rows], self._less[:rows], self._target[:rows]
            sums, squares = out[: features + 1], out[features + 1 :]
            np.multiply(block.x, unit[:features], out=less)  # first: a difference of large values may overflow
            np.multiply(block.y, unit[features], out=target)
            less -= about[:features]
            target -= about[features]
            np.dot(ones, less, out=sums[:features])
            sums[features] = np.dot(ones, target)
            np.multiply(less, less, out=less)
            np.dot(ones, less, out=squares[:features])
            squares[features] = np.dot(target, target)

        return mapped
