"""A function of the user's on every block, and what its results are reduced to."""

import itertools
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from mpi_pgd.engine import trees
from mpi_pgd.engine.arrays import Vector, shown
from mpi_pgd.engine.block import Block
from mpi_pgd.engine.query import Query
from mpi_pgd.engine.sums import Partial, Sums, Vote
from mpi_pgd.engine.tasks import BlockMap, Layout
from mpi_pgd.errors import InputError

LARGEST = 1e280  # of a number that is summed
COLLECTED = 256 << 20  # bytes of all results together, which every rank gets
KEPT = 128 << 20  # bytes of a rank's blocks' vectors; where there are more, the function is called again for the sums' bound


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


@dataclass
class MapTask:
    """A function on each block: ``function(x, y)``, or ``function(broadcast, x, y)``, neither to be written.

    x is (rows, p), and y (rows,), or (rows, k) where each row has k targets.

    Args:
        function: the user's, called once a block, unless the results are too many to be kept.
        name: what it is called in errors.
        broadcast: the form of what all calls get, None for nothing. It travels in the point.
        reduction: of the results.

    Attributes:
        error: why a result can't be used, on the rank where that is so. The sums are broken then.
    """

    function: Callable[..., Any]
    name: str
    broadcast: Any
    reduction: Reduction
    layout: Layout = field(init=False)
    uneven = coarse = varies = False
    bound = units = None

    def __post_init__(self) -> None:
        self.width = max(1, 0 if self.broadcast is None else trees.width(self.broadcast))
        self.error: InputError | None = None
        self._first: list[Any] = []
        self._kept: list[Vector] = []

    def prepare(self, like: Any) -> None:
        """For results of the form ``like``."""
        self.reduction.prepare(like)
        self.layout = self.reduction.layout

    def look(self, point: Vector, block: Block | None) -> Any:
        """The form of what the first block gives; None if this rank has none. What it gave is kept."""
        if block is None:
            return None
        self._first = [self._called(point)(block)]
        try:
            return trees.form(self._first[0])
        except InputError as error:
            raise InputError(f"{self.name} gave {error}") from None

    def bind(self, point: Vector) -> BlockMap:
        """Blocks come in the same order in each round; what a round before gave is not computed again."""
        call, places = self._called(point), itertools.count()

        def mapped(block: Block, out: Vector) -> None:
            place = next(places)
            if place < len(self._kept):
                out[:] = self._kept[place]
                return
            try:
                if not self.error:
                    self.reduction.take(self._first.pop() if self._first else call(block), out, block.start)
            except InputError as error:
                rows = f"rows {block.start} to {block.start + block.rows - 1}"
                self.error = InputError(f"{self.name} gave {error} for {rows}")
            if self.error:
                out[:] = np.nan
            elif (place + 1) * out.nbytes <= KEPT:
                self._kept.append(out.copy())

        return mapped

    def _called(self, point: Vector) -> Callable[[Block], Any]:
        common = []
        if self.broadcast is not None:
            common.append(trees.read(shown(point[: trees.width(self.broadcast)]), self.broadcast, trees.view))
        return lambda block: self.function(*common, shown(block.x), shown(block.y.T))


class DeferredSums(Sums):
    """Sums whose layout is known once the first query has come, from what the first block gives.

    ``prepare`` finds it, on all ranks together; ``blocks`` are those of ``Sums``.
    """

    def __init__(self, prepare: Callable[[Query], None], blocks: int, peak: float) -> None:
        self._prepare, self._blocks, self._peak, self._known = prepare, blocks, peak, False

    def begin(self, query: Query, maximum: Callable[[Vector], None]) -> Partial:
        """As ``Sums``."""
        if not self._known:
            self._prepare(query)
            super().__init__(query, self._blocks)
            self.peaks[:] = self._peak
            self.rebound()
            self._known = True
        return super().begin(query, maximum)


class MapDriver:
    """Asks once; the sums are bounded anew for each question, so that they depend on nothing that was asked before.

    Args:
        task: what is asked.
        rows: over which it is summed.
        point: its numbers, which ``share`` sends to those who open the query, too. Collective among these.

    Attributes:
        total: what came back, where updates are made: (layout.width,).
    """

    def __init__(self, task: MapTask, rows: int, point: Vector, share: Callable[[Vector], object]) -> None:
        self.task, self.rows, self.point, self.share = task, rows, point, share
        self.total = np.zeros(0)

    def open(self, query: Query) -> None:
        """At the point."""
        query.point[:] = self.point
        self.share(query.point)

    def update(self, partial: Partial, query: Query) -> None:
        """Stop: the point says whether all results could be used."""
        if partial.votes[Vote.ROWS] != self.rows:
            raise RuntimeError(f"{partial.votes[Vote.ROWS]:.0f} of {self.rows} rows were summed")
        self.total = partial.total(np.empty(partial.width))
        query.point[0] = partial.votes[Vote.BROKEN] == 0
        query.stop = True
