"""A function of the user's on every block."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mpi_pgd.drivers.reductions import Reduction
from mpi_pgd.engine import trees
from mpi_pgd.engine.arrays import Vector, shown
from mpi_pgd.engine.block import Block
from mpi_pgd.engine.partial import Partial, Vote
from mpi_pgd.engine.query import Query
from mpi_pgd.engine.sums import Sums
from mpi_pgd.engine.tasks import BlockMap, Layout, Task
from mpi_pgd.errors import InputError

KEPT = 128 << 20  # bytes of a rank's blocks' vectors; where there are more, the function is called again for the sums' bound


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
        return lambda block: self.function(*common, shown(block.wide), shown(block.y.T))


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

    def __init__(self, task: Task, rows: int, point: Vector, share: Callable[[Vector], object]) -> None:
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
