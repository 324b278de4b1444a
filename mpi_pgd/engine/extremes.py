"""The task that looks for separated classes. Its parts are not summed but maximised: the largest of each number over all blocks."""

from collections.abc import Iterable
from typing import Protocol

import numpy as np

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.block import Block
from mpi_pgd.engine.tasks import BlockMap, Layout


class PullingLoss(Protocol):
    """What is wanted of a loss; see ``losses.Loss``."""

    def pulls(self, y: Vector) -> Vector | None:
        """Where each row's linear predictor has to go, so that its loss falls for ever."""


class ExtremesTask:
    """How far rows come on the sides to which they are pulled along some directions of the unknowns, and the columns' ranges.

    The point is d directions, each ``[w (k, p) | c (k,)]``: weights in the user's units, intercepts on centred features, no
    offset. The parts are, without rows whose weight is 0,

    - ``against`` (d,) and ``along`` (d,): what moves a row furthest to the wrong and to its right side,
    - ``highest`` and ``lowest`` (groups, p): the columns, and minus them, over the rows that are pulled alike. There is a group
      for each of several outputs; with one there are three, of rows that are pulled down, nowhere, and up.

    Movements are relative to the sum of the magnitudes that they are made of, so that an error of the direction, and a row that
    lies far out, count for as much in all rows.

    ``mean`` (p,) is what features are centred by.
    """

    uneven = coarse = varies = False
    bound = units = None

    def __init__(self, loss: PullingLoss, mean: Vector, outputs: int, directions: int) -> None:
        p, self.groups = len(mean), outputs if outputs > 1 else 3
        self.loss, self.mean, self.outputs, self.directions = loss, mean, outputs, directions
        self.width = directions * outputs * (p + 1)
        columns = (self.groups, p)
        self.layout = Layout({"against": (directions,), "along": (directions,), "highest": columns, "lowest": columns})

    def bind(self, point: Vector) -> BlockMap:
        """What is nowhere is -inf."""
        found = point[: self.width].reshape(self.directions, -1)
        lines = [(one[: -self.outputs].reshape(self.outputs, -1), one[-self.outputs :, None]) for one in found]

        def mapped(block: Block, out: Vector) -> None:
            out[:] = -np.inf
            parts = self.layout.split(out)
            counts = np.ones(block.rows, dtype=bool) if block.weights is None else block.weights > 0
            pulls = self.loss.pulls(block.y)
            if pulls is None or not counts.any():
                return
            pulls = pulls[counts]
            groups = pulls.astype(np.intp) + (self.outputs == 1)
            block.ranges(counts, groups, parts["highest"], parts["lowest"])
            for number, (w, c) in enumerate(lines):
                eta, size = block.swings(counts, self.mean, w)
                least, most = moved(pulls, eta + c, size + np.abs(c))
                parts["against"][number], parts["along"][number] = (-least).max(), most.max()

        return mapped

    def largest(self, point: Vector, blocks: Iterable[Block]) -> Vector:
        """The parts (layout.width,) over ``blocks``."""
        mapped, part, found = self.bind(point), np.empty(self.layout.width), np.full(self.layout.width, -np.inf)
        for block in blocks:
            mapped(block, part)
            np.maximum(found, part, out=found)
        return found


def moved(pulls: Vector, eta: Vector, size: Vector) -> tuple[Vector, Vector]:
    """By how much each row comes to the side that it is pulled to, at least and at most, relative to ``size``: (rows,) each.

    Args:
        pulls: (rows,) as ``PullingLoss`` says.
        eta: (k, rows) how linear predictors move. With several outputs a row's own has to rise above each other one.
        size: (k, rows) of what eta was summed from.
    """
    if len(eta) == 1:
        sided = pulls * eta[0]
        least, most, whole = np.where(pulls == 0, -np.abs(eta[0]), sided), sided, size[0]
    else:
        rows, own = np.arange(len(pulls)), pulls.astype(np.intp)
        others = eta[own, rows] - eta
        most = others.max(axis=0)
        others[own, rows] = np.inf
        least, whole = others.min(axis=0), 2 * size.max(axis=0)
    scale = np.where(whole > 0, whole, 1.0)
    return least / scale, most / scale
