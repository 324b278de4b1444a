"""What the results of a function of the user's are reduced to, over all blocks."""

import pickle
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from mpi_pgd.engine import trees
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.tasks import Layout
from mpi_pgd.errors import InputError

LARGEST = 1e280  # of a number that is summed
COLLECTED = 256 << 20  # bytes of all results together, which every rank gets


class Ranks(Protocol):
    """What reductions ask of the ranks together; both are collective."""

    def maximum(self, vector: Vector) -> None:
        """Replace ``vector`` by its elementwise maximum over the ranks."""

    def gather(self, pieces: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
        """Those of all ranks, in no order."""


class Reduction(Protocol):
    """How the results of all blocks become one.

    Attributes:
        formed: all results have the same shapes.
        layout: of a block's vector, which is summed; known from ``prepare`` on.
        peak: a bound on its numbers, so that no round is repeated to find one; 0 if there is none.
    """

    formed: bool
    layout: Layout
    peak: float

    def prepare(self, like: Any) -> None:
        """For results of the form ``like``."""

    def take(self, value: Any, out: Vector, start: int) -> None:
        """The result of the block that begins at row ``start``; ``out`` gets its vector. ``InputError`` says what can't be used."""

    def result(self, total: Vector, rows: int, ranks: Ranks) -> Any:
        """From the sum of the vectors over all blocks; the same on every rank. Collective."""


class Sum:
    """To the same bits in whatever order; whole numbers exactly."""

    formed, peak = True, 0.0

    def prepare(self, like: Any) -> None:
        """As ``Reduction``."""
        self.like, self.layout = like, Layout({"result": (trees.width(like),)})

    def take(self, value: Any, out: Vector, start: int) -> None:
        """As ``Reduction``."""
        trees.write(value, self.like, out)
        if len(out) and not np.abs(out).max() <= LARGEST:
            raise InputError(f"a number that is not finite, or beyond {LARGEST:g}")

    def result(self, total: Vector, rows: int, ranks: Ranks) -> Any:
        """As ``Reduction``."""
        whole = [leaf.whole for leaf in trees.leaves(self.like) for _ in range(leaf.size)]
        if (np.abs(total[whole]) > trees.EXACT).any():
            raise InputError("the sum of whole numbers is beyond 2**53, which float64 does not hold exactly: return floats")
        return trees.read(total, self.like, trees.view)


class Mean(Sum):
    """The sum over the number of rows: of a function that gives the sum over the rows of a block, the mean over all rows."""

    def result(self, total: Vector, rows: int, ranks: Ranks) -> Any:
        """As ``Reduction``."""
        return trees.read(total / rows, self.like, trees.floats)


class Max:
    """Elementwise."""

    formed, peak = True, 1.0
    sign = 1.0

    def prepare(self, like: Any) -> None:
        """As ``Reduction``."""
        self.like, self.layout = like, Layout({"blocks": ()})
        self.extreme, self._room = np.full(trees.width(like), -np.inf), np.empty(trees.width(like))

    def take(self, value: Any, out: Vector, start: int) -> None:
        """As ``Reduction``."""
        trees.write(value, self.like, self._room)
        if np.isnan(self._room).any():
            raise InputError("nan, which is neither larger nor smaller than a number")
        np.maximum(self.extreme, self.sign * self._room, out=self.extreme)
        out[0] = 1.0

    def result(self, total: Vector, rows: int, ranks: Ranks) -> Any:
        """As ``Reduction``. Zero has no sign: which one is larger is up to the library."""
        ranks.maximum(self.extreme)
        return trees.read(self.sign * self.extreme + 0.0, self.like, trees.view)


class Min(Max):
    """Elementwise."""

    sign = -1.0


class Collect:
    """A list of the results, in the order of the blocks."""

    formed, peak = False, 2.0**40

    def prepare(self, like: Any) -> None:
        """As ``Reduction``: results may be anything."""
        self.layout, self.pieces = Layout({"bytes": ()}), list[tuple[int, bytes]]()

    def take(self, value: Any, out: Vector, start: int) -> None:
        """As ``Reduction``. What is a view of the block's rows is copied by this, too."""
        try:
            piece = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            raise InputError(f"{type(value).__name__}, which can't be sent to the other ranks ({error})") from None
        self.pieces.append((start, piece))
        out[0] = len(piece)

    def result(self, total: Vector, rows: int, ranks: Ranks) -> Any:
        """As ``Reduction``."""
        if total[0] > COLLECTED:
            raise InputError(
                f"the results of all blocks take {total[0] / 2**20:,.0f} MiB, which every rank would hold: expected at most "
                f"{COLLECTED >> 20} MiB; reduce them, or have the function write files"
            )
        return [pickle.loads(piece) for _, piece in sorted(ranks.gather(self.pieces))]


REDUCTIONS: dict[str, Callable[[], Reduction]] = {"sum": Sum, "mean": Mean, "max": Max, "min": Min, "collect": Collect}
