"""The task of working sets: the Hessian of the losses among some of the columns, beside the gradient of all."""

import numpy as np
from numpy.typing import NDArray

from mpi_pgd.engine.arrays import Vector, aligned
from mpi_pgd.engine.block import Block
from mpi_pgd.engine.hessian import strips
from mpi_pgd.engine.tasks import BlockMap, GradientTask, Layout, RowLoss

Columns = NDArray[np.int64]


class ColumnsTask:
    """What a ``GradientTask`` of one output gives, and ``columns`` (new, all): the Hessian of the losses, in some columns.

    The point goes on behind that of a ``GradientTask``: ``[every | new | all | numbers of columns]``. So many columns in all, of
    which the first are new; number p stands for a column of ones. The Hessian is that of every so many-th row, and ``weight``
    what these count. Columns are z = (x - mean) / scale, rows count as their weights say.

    ``mean`` (p,) and ``scale`` (p,) are in the user's units; a column whose scale is infinite counts as zeros. A panel has at most
    ``rows`` rows, and ``most`` columns are asked for at most. ``bound`` is that of the gradient's parts, ``largest`` (p + 1,) are
    the largest z, the last one 1, times the root of the largest curvature and weight.
    """

    uneven, coarse, varies = False, True, True
    units = None

    def __init__(self, loss: RowLoss, mean: Vector, scale: Vector, rows: int, bound: Vector, largest: Vector, most: int) -> None:
        self._gradient = GradientTask(loss, len(mean), rows)
        self.loss, self._rows, self._known, self._largest = loss, rows, bound, largest
        self._mean, self._inverse = np.append(mean, 0.0), np.append(1.0 / scale, 1.0)
        self.place = self._gradient.width  # of the numbers behind the usual point
        self.width = self.place + 3 + most
        self._lines = aligned((2 + loss.rooms, rows), np.float64)
        self.bind(np.zeros(self.width))

    def request(self, point: Vector) -> tuple[int, Columns, Columns]:
        """What ``point`` asks for: every how many-th row, the new columns, and all."""
        every, new, count = point[self.place : self.place + 3].astype(int).tolist()
        columns = point[self.place + 3 : self.place + 3 + count].astype(np.int64)
        return max(1, every), columns[:new], columns

    def bind(self, point: Vector) -> BlockMap:
        """The layout is as long as ``point`` asks for, until the next one."""
        step, new, columns = self.request(point)
        shape, rows = (len(new), len(columns)), -(-self._rows // step)
        self.layout = Layout(self._gradient.layout.shapes | {"columns": shape, "weight": ()})
        squares = rows * np.outer(self._largest[new], self._largest[columns]).ravel()
        self.bound = np.concatenate([self._known, squares, [max(rows, squares.max(initial=0.0))]])
        gradient, size = self._gradient.bind(point), self._gradient.layout.width
        z, weighted = aligned((rows, len(columns)), np.float64), aligned((rows, len(new)), np.float64)
        features = len(self._mean) - 1
        taken, ones = np.minimum(columns, features - 1), columns == features

        mean, inverse = self._mean[columns], self._inverse[columns]
        whole = len(new) == len(columns)
        parts = strips(rows, max(1, len(columns)))

        def mapped(panel: Block, out: Vector) -> None:
            gradient(panel, out[:size])
            block = panel.every(step) if step > 1 else panel
            out[-1] = block.rows if block.weights is None else np.add.reduce(block.weights)
            if not block.rows:
                out[size:-1] = 0.0
                return
            these, those = z[: block.rows], weighted[: block.rows]
            h = self._curvature(block, point)[:, None]
            if whole:  # a product with itself takes half the time
                np.sqrt(np.maximum(h, 0.0, out=h), out=h)
            for strip in parts:
                part = these[strip]
                block.taken(strip, taken, part)
                part[:, ones] = 1.0
                part -= mean
                part *= inverse
                np.multiply(part[:, : len(new)], h[strip], out=those[strip])
            np.dot(those.T, those if whole else these, out=out[size:-1].reshape(shape))

        return mapped

    def _curvature(self, block: Block, point: Vector) -> Vector:
        """Of each row (rows,), times its weight."""
        eta: Vector = self._lines[0, : block.rows]
        h: Vector = self._lines[1, : block.rows]
        room = self._lines[2:, : block.rows]
        block.dot(point[: self.place - 1], eta)
        eta += point[self.place - 1]
        if block.offset is not None:
            eta += block.offset
        self.loss.curvatures(block.y, eta, h, room)
        if block.weights is not None:
            h *= block.weights
        return h
