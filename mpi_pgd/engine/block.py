"""Rows as a small linear operator: all that a task needs to know of them."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from mpi_pgd import kernel
from mpi_pgd.engine.arrays import Columns, Rows, Vector
from mpi_pgd.engine.narrow import as_bits, unsound, widened

if TYPE_CHECKING:
    from mpi_pgd.engine.query import Query

Room = Callable[[int], Vector]  # of so many rows


class Block:
    """Dense rows ``x`` (rows, features) with what belongs to each of them, not to be written.

    Other kinds of rows have the same verbs; nothing outside asks which kind it is. X is of any real type that the kernel takes
    as it is (``kernel.STORED``), all else float64.

    Attributes:
        columns: the features that it has, (l,), each once, if others are 0 in all its rows; None if it has all of them. What
            ``tdot`` and ``tdots`` give is of these alone, in this order; all else is of all features.
        rows: how many.
        start: the global number of the first one.
        y: their targets: (rows,), or (k, rows) where each row has k of them.
        weights: (rows,), how much each row counts; None if all count once.
        offset: (rows,), what is added to each row's linear predictor; None if nothing is.
        handle: what the kernel has of all this; None if there are only the verbs.
        dot: X w for ``w`` (features,), into ``out`` (rows,).
        tdot: X'slopes for ``slopes`` (rows,), into ``out`` (features,).
        dots: W X' for several outputs at once, ``w`` (k, features), into ``out`` (k, rows).
        tdots: slopes X for ``slopes`` (k, rows), into ``out`` (k, features).
    """

    columns: Rows | None = None
    __slots__ = ("dot", "dots", "handle", "offset", "rows", "start", "tdot", "tdots", "weights", "x", "y")

    def __init__(self, x: Rows, y: Vector, weights: Vector | None = None, offset: Vector | None = None, start: int = 0) -> None:
        self.x, self.y, self.weights, self.offset, self.start = x, y, weights, offset, start
        self.rows = len(x)
        numbers, kind = as_bits(x)
        self.handle: Any = kernel.Handle(numbers, y, weights, offset, kind)
        self.dot: Callable[[Vector, Vector], object] = self.handle.dot
        self.tdot: Callable[[Vector, Vector], object] = self.handle.tdot
        self.dots: Callable[[Vector, Vector], object] = self.handle.dots
        self.tdots: Callable[[Vector, Vector], object] = self.handle.tdots

    def once(self, gradient: Any, out: Vector) -> None:
        """What a gradient of the kernel makes of it in one pass, as a ``BlockMap``."""
        gradient(self, out)

    @property
    def wide(self) -> Vector:
        """X as float64."""
        return np.asarray(widened(self.x), dtype=np.float64)

    def scaled(self, unit: Vector, rows: slice, out: Vector) -> None:
        """Some rows of X, with columns times ``unit`` (features,), into ``out`` (rows, features)."""
        np.multiply(widened(self.x[rows]), unit, out=out)

    def gram(self, columns: Columns | None, mean: Vector, inverse: Vector, curvatures: Vector, out: Vector) -> None:
        """Some columns' scaled products with each other, weighted by ``curvatures`` (lines, rows): see ``kernel.gram``."""
        kernel.gram(widened(self.x), columns, mean, inverse, curvatures, out)

    def cross(self, left: Columns, right: Columns, mean: Vector, inverse: Vector, curvature: Vector, out: Vector) -> None:
        """Those of some columns with others: see ``kernel.cross``."""
        kernel.cross(widened(self.x), left, right, mean, inverse, curvature, out)

    def moments(
        self, weights: Vector, unit: Vector, about: Vector, room: Room, sums: Vector, squares: Vector, peaks: Vector
    ) -> None:
        """Sums over the rows of X in ``unit`` less ``about``, and of its squares. ``weights`` (rows,) are its own, or ones.

        ``peaks`` are raised to the largest magnitudes of X, as of ``kernel.peaks``. They and all others are (features,). ``room``
        makes an array that the features of rows fit into, if one is needed.
        """
        if kernel.STORED:
            self.handle.moments(unit, about, sums, squares, peaks)
            return
        kernel.peaks(self.x, peaks)
        less = room(self.rows)
        np.multiply(widened(self.x), unit, out=less)  # first: a difference of large values may overflow
        less -= about
        kernel.vecmat(weights, less, sums)
        np.multiply(less, less, out=less)
        kernel.vecmat(weights, less, squares)

    def unsound(self) -> tuple[int, int, Any] | None:
        """The first row with a feature that is not finite, that feature, and what it is; None if there is none."""
        return unsound(self.x)

    def ranges(self, counts: Rows, groups: Rows, highest: Vector, lowest: Vector) -> None:
        """The largest of X, and of -X, in each column, over the rows of each group (groups, features), of those that there are.

        Args:
            counts: (rows,) which rows do; one at least.
            groups: of these, the number of its group.
        """
        order = np.argsort(groups, kind="stable")
        names, starts = np.unique(groups[order], return_index=True)
        ordered = self.wide[counts][order]
        highest[names] = np.maximum.reduceat(ordered, starts, axis=0)
        lowest[names] = -np.minimum.reduceat(ordered, starts, axis=0)

    def swings(self, counts: Rows, mean: Vector, w: Vector) -> tuple[Vector, Vector]:
        """W X' of the rows that count, X less ``mean``, and what magnitudes these were summed from: ``w`` (k, features)."""
        x = widened(self.x[counts]) - mean
        return kernel.times(x, w), kernel.times(np.abs(x), np.abs(w))

    def gathered(self, rows: Columns) -> "Block":
        """Rows by their numbers in it, ascending."""
        weights, offset = (None if each is None else each[rows] for each in (self.weights, self.offset))
        return Block(self.x[rows], np.take(self.y, rows, axis=-1), weights, offset, self.start + int(rows[0]))

    def every(self, step: int) -> "Block":
        """The rows whose global number is a multiple of ``step``."""
        taken = slice(-self.start % step, None, step)
        weights, offset = (None if each is None else each[taken].copy() for each in (self.weights, self.offset))
        return Block(self.x[taken], self.y[..., taken].copy(), weights, offset)


class Source(Protocol):
    """Where a rank's rows come from."""

    def blocks(self, query: "Query") -> Iterable[Block]:
        """Those that the answer to ``query`` is made of: of the size that its task wants."""


class Blocks(list[Block]):
    """Blocks that are the same for every query."""

    def blocks(self, query: "Query") -> Iterable[Block]:
        """All."""
        return self
