"""Rows in memory, with what belongs to each of them."""

from collections.abc import Callable
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mpi_pgd.data.table import Table
from mpi_pgd.engine.arrays import Rows, Vector, aligned
from mpi_pgd.engine.block import Block
from mpi_pgd.engine.narrow import raise_peaks, unsound, widen
from mpi_pgd.errors import InputError

Array = Callable[[tuple[int, ...], DTypeLike], Rows]


class Piece(NamedTuple):
    """A run of dense rows. Other kinds have the same verbs.

    Attributes:
        x: (rows, p), in the files' type; of other kinds what they store.
        y: (rows,) float64, or (k, rows) where each row has k targets.
        weights, offset: (rows,) float64; None if there are none.
    """

    x: Any
    y: Vector
    weights: Vector | None = None
    offset: Vector | None = None

    @classmethod
    def room(cls, table: Table, rows: int, array: Array = aligned) -> Self:
        """Room for so many rows, in arrays on cache lines; weights are 1 until they are read. Refuses what memory can't hold."""
        return cls._with(table, rows, array, lambda: array((rows, table.features), table.dtype))

    @classmethod
    def _with(cls, table: Table, rows: int, array: Array, x: Callable[[], Any]) -> Self:
        """Room for features, and for what belongs to so many rows."""
        stride = -(-rows // 8) * 8  # each line starts on a cache line
        try:
            features = x()
            counts = table.targets, int(table.weighted), int(table.offset != "")
            beside = [array((count, stride), np.float64)[:, :rows] for count in counts]
        except MemoryError:
            raise InputError(
                f"{rows} rows need {table.bytes(rows) / 2**30:.3g} GiB of memory, which this process was not given: raise its "
                f"limit (ulimit -v), or use more nodes"
            ) from None
        y, weights, offset = beside
        if not table.weights:
            weights.fill(1.0)
        if not table.y:
            y.fill(0.0)
        return cls(features, y if len(y) > 1 else y[0], *(each[0] if len(each) else None for each in (weights, offset)))

    @property
    def rows(self) -> int:
        """How many."""
        return int(self.y.shape[-1])

    @property
    def lasting(self) -> bool:
        """Whether its blocks may be used again when there are other rows in it."""
        return True

    def read(self, table: Table, rows: range, peaks: Vector | None = None) -> None:
        """Fill it with these rows; ``peaks`` and errors as of ``Table.read``."""
        table.read(rows, *self, peaks)

    def read_features(self, table: Table, rows: range) -> None:
        """The same, but what belongs to the rows."""
        table.read(rows, self.x, None)

    def part(self, rows: slice) -> Self:
        """Some of the rows, as views."""
        return self._beside(lambda each: each[..., rows], self.x[rows])

    def _beside(self, way: Callable[[Vector], Vector], x: Any) -> Self:
        """Other features, and what is made of all that belongs to the rows."""
        return type(self)(x, way(self.y), *(None if each is None else way(each) for each in self[2:]))

    def fill(self, other: Self) -> None:
        """Have the rows of another one, of as many."""
        np.copyto(self.x, other.x)
        self.fill_beside(other)

    def fill_beside(self, other: "Piece") -> None:
        """Have what belongs to the rows of another one."""
        for mine, theirs in zip(self[1:], other[1:], strict=True):
            if mine is not None and theirs is not None:
                np.copyto(mine, theirs)

    def copy(self) -> Self:
        """The same rows, in memory of their own."""
        return self._beside(np.copy, self.x.copy())

    def apart(self) -> Self:
        """The same features, and of what is beside them a copy, which may be changed."""
        return self._beside(np.copy, self.x)

    def gather(self, whole: Block, taken: NDArray[np.int64], wide: Vector) -> Block:
        """Rows of a block by their numbers in it, ascending, in this room, and widened in ``wide``, if that is another."""
        part, x = self.part(slice(len(taken))), wide[: len(taken)]
        np.take(whole.x, taken, axis=0, out=part.x, mode="clip")  # other than "raise" it needs no buffer
        if x.dtype != part.x.dtype:
            widen(part.x, x)
        np.take(whole.y, taken, axis=-1, out=part.y, mode="clip")
        for beside, out in ((whole.weights, part.weights), (whole.offset, part.offset)):
            if beside is not None and out is not None:
                np.take(beside, taken, out=out, mode="clip")
        return Block(x, part.y, part.weights, part.offset, whole.start + int(taken[0]))

    def raise_peaks(self, peaks: Vector) -> None:
        """Raise ``peaks`` (p,) to the largest magnitudes of the features, as of ``narrow.raise_peaks``."""
        raise_peaks(self.x, peaks)

    def unsound(self) -> tuple[int, int, Any] | None:
        """The first row with a feature that is not finite, that feature, and what it is; None if there is none."""
        return unsound(self.x)

    def block(self, start: int) -> Block:
        """These rows as a block, of which ``start`` is the global number of the first."""
        return Block(self.x, self.y, self.weights, self.offset, start)

    def encode(self, classes: Vector) -> None:
        """Have each target, which is one of the ``classes`` (k,), ascending, be its place among them."""
        self.y[:] = np.searchsorted(classes, self.y)

    def weigh(self, factors: Vector) -> float:
        """Multiply the weights by the factor (k,) of each row's class; the largest of them then."""
        assert self.weights is not None
        np.multiply(self.weights, factors[self.y.astype(np.intp)], out=self.weights)
        return float(self.weights.max())

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return sum(each.nbytes for each in self if each is not None)


class GivenPiece(Piece):
    """Rows whose features are in memory before they are read: they are never written."""

    __slots__ = ()

    @classmethod
    def of(cls, table: Table, x: Rows) -> Self:
        """Room for what belongs to rows of features ``x``."""
        return cls._with(table, len(x), aligned, lambda: x)

    def read(self, table: Table, rows: range, peaks: Vector | None = None) -> None:
        """See ``Piece``."""
        if peaks is not None:
            self.raise_peaks(peaks)
        table.read(rows, None, *self[1:])
