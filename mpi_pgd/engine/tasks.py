"""What is asked of each block: the maps from a block to its vector, and what the vector's parts are."""

import math
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from mpi_pgd import kernel
from mpi_pgd.engine.arrays import Vector, aligned
from mpi_pgd.engine.batches import Units
from mpi_pgd.engine.block import Block

Halves = Sequence[tuple[slice, slice]]  # of a vector, the numbers that are low halves of pairs, and their high ones
LOW = "_low"  # the end of a part's name
BlockMap = Callable[[Block, Vector], None]  # a block, and where its vector is to be written


class Ask(IntEnum):
    """What a solver can ask of a round, beside the objective and its gradient over all rows, which come with each."""

    GRADIENT = 0  # nothing else
    HESSIAN = 1  # the Hessian over all rows
    SAMPLE = 2  # the Hessian over some rows, spread evenly
    PRECISE = 3  # the gradient in twice the precision
    COLUMNS = 4  # the Hessian of some of the columns
    BATCH = 5  # objective and gradient over some rows, drawn by chance: in place of those over all


class RowLoss(Protocol):
    """What the tasks here want of a loss; see ``losses.Loss``."""

    @property
    def rooms(self) -> int:
        """Lines that it wants to work in."""

    @property
    def compiled(self) -> tuple[str, tuple[float, ...]] | None:
        """The function of the compiled kernel that computes the same, and its parameters; None if there is none."""

    def __call__(self, y: Vector, eta: Vector, value: Vector, room: Vector) -> None:
        """Each row's loss into ``value``, its slope in place of ``eta``."""

    def curvatures(self, y: Vector, eta: Vector, out: Vector, room: Vector) -> None:
        """Each row's second derivatives."""

    def floor(self, y: Vector, out: Vector, room: Vector) -> None:
        """Each row's least loss over all eta."""


class Layout:
    """The named parts of a block's vector, one after the other, each with its shape.

    ``columned``, (k, p): a vector begins with k lines of a number for each of p columns, and a task writes these alone of the
    columns that a block has, if it has some (``Block.columns``); (0, 0) if it writes all.
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]], columned: tuple[int, int] = (0, 0)) -> None:
        self.shapes, self.columned = dict(shapes), columned
        self.width = sum(math.prod(shape) for shape in shapes.values())

    def split(self, vector: Vector) -> dict[str, Vector]:
        """The parts of ``vector`` (width,), as views into it."""
        places = self.places
        return {name: vector[places[name]].reshape(shape) for name, shape in self.shapes.items()}

    def halves(self) -> Halves:
        """Where in a vector the low halves of pairs are, the parts called NAME_low, and where their high ones are, NAME."""
        places = self.places
        return [(places[name + LOW], places[name]) for name in places if name + LOW in places]

    @property
    def behind(self) -> int:
        """How many numbers stand behind the largest part, the last of those if there are several."""
        sizes = [math.prod(shape) for shape in self.shapes.values()]
        return sum(sizes[len(sizes) - sizes[::-1].index(max(sizes)) :])

    @cached_property
    def places(self) -> dict[str, slice]:
        """Where in a vector each part is."""
        sizes = [math.prod(shape) for shape in self.shapes.values()]
        ends = np.cumsum(sizes).tolist()
        return {name: slice(end - size, end) for name, size, end in zip(self.shapes, sizes, ends, strict=True)}


class Task(Protocol):
    """Sums over the rows that a driver can ask for."""

    layout: Layout  # what comes back
    width: int  # numbers of the point at which it is evaluated

    @property
    def uneven(self) -> bool:
        """Whether some parts may shrink while others don't: the bound of the sums is taken anew for each query."""

    @property
    def coarse(self) -> bool:
        """Whether a vector is so long that it wants many rows: panels of neighbouring blocks in place of blocks."""

    @property
    def varies(self) -> bool:
        """Whether its layout is another one for each point; it is the one of the point that it was bound to last."""

    @property
    def bound(self) -> Vector | None:
        """(layout.width,) that is not exceeded by the first answer, if that is known beforehand.

        Its first parts are those of the driver's first task: once that was answered, its bound is taken for them.
        """

    @property
    def units(self) -> Units | None:
        """Of which units of rows (``engine.batches``), ascending, the answer is made; None if of all.

        They are those of the point that it was bound to last.
        """

    def bind(self, point: Vector) -> BlockMap:
        """What maps a block at ``point``, whose first ``width`` numbers count, to its vector (layout.width,)."""


class Once:
    """Maps blocks by a gradient of the kernel, in one pass."""

    def __init__(self, once: Any) -> None:
        self.once, self.over = once, once.over

    def __call__(self, block: Block, out: Vector) -> None:
        """See ``BlockMap``."""
        block.once(self.once, out)


class GradientTask:
    """The task of a descent: ``gradient`` X'slope (k, p), ``slopes`` their sums (k,), and ``value``, the sum of the losses.

    All rows count as their weights say. The point is ``[w (k, p) | c (k,)]``, in the user's units, for k outputs.
    """

    uneven = coarse = varies = False
    bound: Vector | None = None
    units = None

    def __init__(self, loss: RowLoss, features: int, block_rows: int, outputs: int = 1) -> None:
        columns = outputs, features
        self.layout = Layout({"gradient": columns, "slopes": (outputs,), "value": ()}, columns)
        self.width = outputs * (features + 1)
        self.loss, self.outputs = loss, outputs
        self._lines: Vector = aligned((outputs + 1, block_rows), np.float64)  # eta, then slopes, of each output; values
        self._room: Vector = aligned((loss.rooms, block_rows), np.float64)
        self._ones = np.ones(block_rows)
        self._bound: tuple[Vector, Once] | None = None  # the last point, and what maps there: it reads what is written to it

    def bind(self, point: Vector) -> BlockMap:
        """Nothing is allocated for a block.

        Where the loss is compiled, rows are mapped in one pass; else in several, with the same bits.
        The rows stream through the cache and push out all else, Python's own objects too: so what is the same for all blocks is
        looked up here, once a round.
        """
        if not kernel.Gradient or not self.loss.compiled:
            return self._single(point) if self.outputs == 1 else self._several(point)
        if self._bound is None or self._bound[0] is not point:
            once = Once(kernel.Gradient(*self.loss.compiled, self.width // self.outputs - 1, self.outputs, point))
            self._bound = point, once
        return self._bound[1]

    def _single(self, point: Vector) -> BlockMap:
        loss, lines, full, all_ones, all_room = self.loss, self._lines, self._lines.shape[1], self._ones, self._room
        features = self.width - 1
        w, intercept = point[:features], point[features]
        eta, value = lines
        add, totals, multiply = np.add, kernel.totals, np.multiply

        def mapped(block: Block, out: Vector) -> None:
            rows, pair, linear, losses, ones, room = block.rows, lines, eta, value, all_ones, all_room
            if rows < full:  # the last block alone
                pair, ones, room = lines[:, :rows], all_ones[:rows], all_room[:, :rows]
                linear, losses = pair
            block.dot(w, linear)
            if intercept:
                add(linear, intercept, linear)
            if block.offset is not None:
                add(linear, block.offset, linear)
            loss(block.y, linear, losses, room)
            if block.weights is None:
                totals(pair, ones, out[-2:])
            else:
                totals(pair, block.weights, out[-2:])
                multiply(linear, block.weights, linear)
            block.tdot(linear, out[:-2])

        return mapped

    def _several(self, point: Vector) -> BlockMap:
        k, width = self.outputs, self.width
        w, intercept = point[: width - k].reshape(k, -1), point[width - k : width, None]

        def mapped(block: Block, out: Vector) -> None:
            lines, room = self._lines[:, : block.rows], self._room[:, : block.rows]
            eta = lines[:k]
            block.dots(w, eta)
            eta += intercept
            if block.offset is not None:
                eta += block.offset
            self.loss(block.y, eta, lines[k], room)
            kernel.totals(lines, self._ones[: block.rows] if block.weights is None else block.weights, out[-k - 1 :])
            if block.weights is not None:
                eta *= block.weights
            block.tdots(eta, out[: -k - 1].reshape(k, -1))

        return mapped
