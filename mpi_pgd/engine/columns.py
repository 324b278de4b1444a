"""The task of working sets: the Hessian of the losses among some of the columns, beside the gradient of all."""

import numpy as np

from mpi_pgd.engine.arrays import Columns, Vector, aligned
from mpi_pgd.engine.block import Block
from mpi_pgd.engine.tasks import BlockMap, GradientTask, Layout, RowLoss


class ColumnsTask:
    """What a ``GradientTask`` gives, and ``columns`` (new, all): the Hessian of the losses, among some of the unknowns.

    Where all of them are new, and the output is one, it is the upper triangle alone, row by row: (all (all + 1) / 2,).

    The point goes on behind that of a ``GradientTask``: ``[every | new | all | places of unknowns]``. So many in all, of which the
    first are new, each a column of one of the k outputs: unknowns are [V (k, p) | c (k,)], row by row, and those of c stand for a
    column of ones. The Hessian is that of every so many-th row, and ``weight`` what these count. Columns are
    z = (x - mean) / scale, rows count as their weights say.

    ``mean`` (p,) and ``scale`` (p,) are in the user's units; a column whose scale is infinite counts as zeros. A panel has at most
    ``rows`` rows, and ``most`` unknowns are asked for at most. ``bound`` is that of the gradient's parts, ``largest`` (p + 1,) are
    the largest z, the last one 1, times the root of the largest curvature and weight.
    """

    uneven, coarse, varies = False, True, True
    units = None

    def __init__(
        self,
        loss: RowLoss,
        mean: Vector,
        scale: Vector,
        rows: int,
        bound: Vector,
        largest: Vector,
        most: int,
        outputs: int = 1,
    ) -> None:
        self._gradient = GradientTask(loss, len(mean), rows, outputs)
        self.loss, self._rows, self._known, self._largest, self.outputs = loss, rows, bound, largest, outputs
        self._mean, self._inverse = np.append(mean, 0.0), np.append(1.0 / scale, 1.0)
        self.place = self._gradient.width  # of the numbers behind the usual point
        self.width = self.place + 3 + most
        self._pairs = list(zip(*np.triu_indices(outputs), strict=True))  # of outputs, in the order of a row's curvatures
        self._lines = aligned((outputs + len(self._pairs) + loss.rooms, rows), np.float64)
        self.bind(np.zeros(self.width))

    def request(self, point: Vector) -> tuple[int, Columns, Columns]:
        """What ``point`` asks for: every how many-th row, the places of the new unknowns, and of all."""
        every, new, count = point[self.place : self.place + 3].astype(int).tolist()
        columns = point[self.place + 3 : self.place + 3 + count].astype(np.int64)
        return max(1, every), columns[:new], columns

    def bind(self, point: Vector) -> BlockMap:
        """The layout is as long as ``point`` asks for, until the next one."""
        step, fresh, places = self.request(point)
        p, single = len(self._mean) - 1, self.outputs == 1
        ones = places >= self.outputs * p
        columns, outputs = np.where(ones, p, places % p), np.where(ones, places - self.outputs * p, places // p)
        rows, new, shape = -(-self._rows // step), slice(len(fresh)), (len(fresh), len(places))
        whole = single and shape[0] == shape[1]
        self._lay_out(rows, columns[new], columns, whole)
        gradient, rest = self._gradient.bind(point), self.layout.width - self._gradient.layout.width

        def mapped(panel: Block, out: Vector) -> None:
            gradient(panel, out[:-rest])
            block = panel.every(step) if step > 1 else panel
            out[-1] = block.rows if block.weights is None else np.add.reduce(block.weights)
            found = out[-rest:-1]
            if not block.rows:
                found[:] = 0.0
                return
            h = self._curvatures(block, point)
            if whole:
                block.gram(columns, self._mean, self._inverse, h, found[None])
            elif single:
                block.cross(columns[new], columns, self._mean, self._inverse, h[0], found.reshape(shape))
            else:
                self._several(block, columns, h, outputs, found.reshape(shape))

        return mapped

    def _lay_out(self, rows: int, new: Columns, columns: Columns, whole: bool) -> None:
        squares = rows * np.outer(self._largest[new], self._largest[columns])
        found = squares[np.triu_indices(len(new))] if whole else squares
        gradient = self._gradient.layout
        self.layout = Layout(gradient.shapes | {"columns": found.shape, "weight": ()}, gradient.columned)
        self.bound = np.concatenate([self._known, found.ravel(), [max(rows, found.max(initial=0.0))]])

    def _several(self, block: Block, columns: Columns, h: Vector, outputs: Columns, out: Vector) -> None:
        """Block by block, of each two outputs."""
        out[:] = 0.0
        members = [np.flatnonzero(outputs == output) for output in range(self.outputs)]
        fresh = [member[member < len(out)] for member in members]
        for (one, other), curvature in zip(self._pairs, h, strict=True):
            for pair in {(one, other), (other, one)} if curvature.any() else ():
                left, right = fresh[pair[0]], members[pair[1]]
                if len(left) and len(right):
                    found = np.empty((len(left), len(right)))
                    block.cross(columns[left], columns[right], self._mean, self._inverse, curvature, found)
                    out[np.ix_(left, right)] = found

    def _curvatures(self, block: Block, point: Vector) -> Vector:
        """Of each row (pairs of outputs, rows), times its weight."""
        k, lines = self.outputs, self._lines[:, : block.rows]
        eta, h, room = np.split(lines, [k, k + len(self._pairs)])
        w = point[: self.place - k].reshape(k, -1)
        block.dots(w, eta)
        eta += point[self.place - k : self.place, None]
        if block.offset is not None:
            eta += block.offset
        single = k == 1
        self.loss.curvatures(block.y, eta[0] if single else eta, h[0] if single else h, room)
        if block.weights is not None:
            h *= block.weights
        return h
