"""What is asked of each block: the maps from a block to its vector, and what the vector's parts are."""

import math
from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from mpi_pgd.engine.arrays import Vector, aligned
from mpi_pgd.engine.block import Block

BlockMap = Callable[[Block, Vector], None]  # a block, and where its vector is to be written
Loss = Callable[[Vector, Vector, Vector], None]  # of a block's rows; see ``losses.Loss``


class Layout:
    """The named parts of a block's vector, one after the other, each with its shape."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.shapes = dict(shapes)
        self.width = sum(math.prod(shape) for shape in shapes.values())

    def split(self, vector: Vector) -> dict[str, Vector]:
        """The parts of ``vector`` (width,), as views into it."""
        sizes = [math.prod(shape) for shape in self.shapes.values()]
        parts = np.split(vector, np.cumsum(sizes)[:-1])
        return {name: part.reshape(shape) for part, (name, shape) in zip(parts, self.shapes.items(), strict=True)}


class Task(Protocol):
    """Sums over the rows that a driver can ask for."""

    layout: Layout  # what comes back
    width: int  # numbers of the point at which it is evaluated
    uneven: bool  # some parts may shrink while others don't: the bound of the sums is taken anew for each query

    def bind(self, point: Vector) -> BlockMap:
        """What maps a block at ``point``, whose first ``width`` numbers count, to its vector (layout.width,)."""


class GradientTask:
    """The task of a descent: ``gradient`` X'slope (p,), ``slopes`` their sum, and ``value``, the sum of the losses.

    The point is ``[w (p) | c]``, in the user's units.
    """

    uneven = False

    def __init__(self, loss: Loss, features: int, block_rows: int) -> None:
        self.layout = Layout({"gradient": (features,), "slopes": (), "value": ()})
        self.width = features + 1
        self.loss = loss
        self._lines: Vector = aligned((2, block_rows), np.float64)
        self._lines[0] = 1.0

    def bind(self, point: Vector) -> BlockMap:
        """Nothing is allocated for a block.

        The rows stream through the cache and push out all else, Python's own objects too: so what is the same for all blocks is
        looked up here, once a round.
        """
        loss, lines, full = self.loss, self._lines, self._lines.shape[1]
        eta, features = lines[1], self.width - 1
        w, intercept = point[:features], point[features]
        add = np.add

        def mapped(block: Block, out: Vector) -> None:
            rows, pair, linear = block.rows, lines, eta
            if rows < full:  # the last block alone
                pair = lines[:, :rows]
                linear = pair[1]
            block.dot(w, linear)
            if intercept:
                add(linear, intercept, linear)
            loss(block.y, pair, out[features:])
            block.tdot(linear, out[:features])

        return mapped


class MomentsTask:
    """``sums`` and ``squares`` (p + 1,) of the columns, y last, less a point (p + 1,), all times ``unit`` (p + 1,)."""

    uneven = True  # about the means sums may be far smaller, in one column and not in others: each is to have all its digits

    def __init__(self, unit: Vector, block_rows: int) -> None:
        self.width = len(unit)
        self.layout = Layout({"sums": (self.width,), "squares": (self.width,)})
        self.unit = unit
        self._less: Vector = aligned((block_rows, self.width - 1), np.float64)
        self._target = np.empty(block_rows)
        self._ones = np.ones(block_rows)

    def bind(self, point: Vector) -> BlockMap:
        """About ``point``."""
        unit, about, features = self.unit, point[: self.width] * self.unit, self.width - 1

        def mapped(block: Block, out: Vector) -> None:
            rows = block.rows
            ones, less, target = self._ones[:rows], self._less[:rows], self._target[:rows]
            sums, squares = out[: features + 1], out[features + 1 :]
            block.scaled(unit[:features], less)  # first: a difference of large values may overflow
            np.multiply(block.y, unit[features], out=target)
            less -= about[:features]
            target -= about[features]
            np.dot(ones, less, out=sums[:features])
            sums[features] = np.dot(ones, target)
            np.multiply(less, less, out=less)
            np.dot(ones, less, out=squares[:features])
            squares[features] = np.dot(target, target)

        return mapped
