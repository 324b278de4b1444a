"""The task of second-order methods: the Hessian of the losses, in the units that a solver works in, beside the gradient."""

import math

import numpy as np

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.block import Block
from mpi_pgd.engine.tasks import BlockMap, GradientTask, Layout, RowLoss


class HessianTask:
    """What a ``GradientTask`` gives, and ``hessian``: of the losses of every ``every``-th row, in the weights of scaled features.

    These are z = (x - mean) / scale, then a one if ``free``: m of them. For k outputs there is a matrix Z'hZ (m, m) for each pair
    of them, of which the upper triangle is stored, row by row, the pairs likewise: (k (k + 1) / 2, m (m + 1) / 2). Rows count as
    their weights say. ``weight`` is that of the rows that were taken.

    ``mean`` (p,) and ``scale`` (p,) are in the user's units; a column whose scale is infinite counts as zeros. A panel has at most
    ``rows`` rows. ``bound`` is that of the gradient's parts, ``largest`` (m,) are the largest z, times the root of the largest
    curvature and weight.
    """

    uneven, coarse, varies = False, True, False
    units = None

    def __init__(
        self,
        loss: RowLoss,
        mean: Vector,
        scale: Vector,
        rows: int,
        bound: Vector,
        largest: Vector,
        free: bool,
        outputs: int = 1,
        every: int = 1,
    ) -> None:
        self._gradient = GradientTask(loss, len(mean), rows, outputs)
        self.loss, self.outputs, self.every, self.width = loss, outputs, every, self._gradient.width
        m = len(mean) + free
        self._mean, self._inverse = np.zeros(m), np.ones(m)  # the last ones those of the column of ones
        self._mean[: len(mean)], self._inverse[: len(mean)] = mean, 1.0 / scale
        pairs = outputs * (outputs + 1) // 2
        gradient = self._gradient.layout
        self.layout = Layout(gradient.shapes | {"hessian": (pairs, m * (m + 1) // 2), "weight": ()}, gradient.columned)
        taken = -(-rows // every)
        self._eta, self._curvatures = np.empty((outputs, taken)), np.empty((pairs, taken))
        self._room = np.empty((loss.rooms, taken))
        squares = taken * np.outer(largest, largest)[np.triu_indices(m)]
        self.bound = np.concatenate([bound, np.tile(squares, pairs), [max(taken, squares.max())]])

    def bind(self, point: Vector) -> BlockMap:
        """At ``point``, that of a ``GradientTask``."""
        gradient, rest = self._gradient.bind(point), self.layout.width - self._gradient.layout.width
        w = point[: self.width - self.outputs].reshape(self.outputs, -1)
        intercept = point[self.width - self.outputs : self.width, None]

        def mapped(block: Block, out: Vector) -> None:
            gradient(block, out[:-rest])
            part = block.every(self.every) if self.every > 1 else block
            out[-1] = part.rows if part.weights is None else np.add.reduce(part.weights)
            if part.rows:
                self._hessian(part, w, intercept, out[-rest:-1].reshape(len(self._curvatures), -1))
            else:
                out[-rest:-1] = 0.0

        return mapped

    def _hessian(self, block: Block, w: Vector, intercept: Vector, out: Vector) -> None:
        rows = block.rows
        eta, h = self._eta[:, :rows], self._curvatures[:, :rows]
        if w.any():
            block.dots(w, eta)
        else:  # as in most first rounds: the rows need not be read for that
            eta[:] = 0.0
        eta += intercept
        if block.offset is not None:
            eta += block.offset
        single = self.outputs == 1
        self.loss.curvatures(block.y, eta[0] if single else eta, h[0] if single else h, self._room[:, :rows])
        if block.weights is not None:
            h *= block.weights
        block.gram(None, self._mean, self._inverse, h, out)


def unpacked(packed: Vector, outputs: int, features: int) -> Vector:
    """The matrix (k m, k m) of a ``HessianTask``'s part, in the order of a solver's unknowns: weights (k, p), intercepts (k,)."""
    k, m = outputs, (math.isqrt(8 * packed.shape[1] + 1) - 1) // 2
    upper, whole, square = np.triu_indices(m), np.empty((k, m, k, m)), np.empty((m, m))
    for one, other, triangle in zip(*np.triu_indices(k), packed, strict=True):
        square[upper] = square.T[upper] = triangle
        whole[one, :, other] = whole[other, :, one] = square
    if k == 1:
        return whole.reshape(m, m)
    order = np.arange(k * m).reshape(k, m)
    order = np.concatenate([order[:, :features].ravel(), order[:, features:].ravel()])
    return whole.reshape(k * m, k * m)[np.ix_(order, order)]
