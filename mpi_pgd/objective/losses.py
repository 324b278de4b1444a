"""Losses, seen only through the linear predictor eta = x'w + c.

A loss is a function ``(y, eta) -> sum of losses`` that also replaces ``eta`` (rows,) float64 by each row's slope, the derivative of
its loss in eta. Sums, never means: rows can be split any way, and the division by n is done once.
"""

from collections.abc import Callable

import numpy as np

from mpi_pgd.arrays import Vector, aligned
from mpi_pgd.data.memory import Block

Loss = Callable[[Vector, Vector], float]


def least_squares(y: Vector, eta: Vector) -> float:
    """1/2 (eta - y)^2 for each row; the slope is eta - y."""
    np.subtract(eta, y, out=eta)
    return 0.5 * float(np.dot(eta, eta))


def curvature(y: Vector, eta: Vector) -> float:
    """1/2 eta^2 for each row: least squares without targets, whose gradient is the product X'X w. For power iteration."""
    return 0.5 * float(np.dot(eta, eta))


class GradientMap:
    """The map of a round: a block's ``[X'slope (p) | sum of slopes | sum of losses]`` at a point ``[w (p) | c]``."""

    def __init__(self, loss: Loss, block_rows: int) -> None:
        self.loss = loss
        self._eta: Vector = aligned((block_rows,), np.float64)
        self._ones = np.ones(block_rows)

    def __call__(self, block: Block, point: Vector, out: Vector) -> None:
        """Write the vector of ``block`` at ``point`` into ``out`` (p + 2,); nothing is allocated."""
        x, y = block
        rows, features = x.shape
        eta, ones = self._eta, self._ones
        if rows < len(eta):  # the last block alone: at half a microsecond a call, Python and numpy count here
            eta, ones = eta[:rows], ones[:rows]
        intercept = point[features]
        np.dot(x, point[:features], out=eta)
        if intercept:
            eta += intercept
        out[features + 1] = self.loss(y, eta)
        out[features] = np.dot(eta, ones)
        np.dot(eta, x, out=out[:features])


class MomentsMap:
    """A block's ``[sums (p + 1) | sums of squares (p + 1)]`` of the columns and of y, less a point near their means."""

    def __init__(self, block_rows: int, features: int) -> None:
        self._less: Vector = aligned((block_rows, features), np.float64)
        self._target = np.empty(block_rows)
        self._ones = np.ones(block_rows)

    def __call__(self, block: Block, point: Vector, out: Vector) -> None:
        """Write the vector of ``block`` into ``out`` (2 (p + 1),)."""
        rows, features = block.x.shape
        ones, less, target = self._ones[:rows], self._less[:rows], self._target[:rows]
        sums, squares = out[: features + 1], out[features + 1 :]
        np.subtract(block.x, point[:features], out=less)
        np.subtract(block.y, point[features], out=target)
        np.dot(ones, less, out=sums[:features])
        sums[features] = np.dot(ones, target)
        np.multiply(less, less, out=less)
        np.dot(ones, less, out=squares[:features])
        squares[features] = np.dot(target, target)
