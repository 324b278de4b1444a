"""Where one algorithm, or one mode, becomes faster than another: in the number of ranks, and in that of features."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Any, TypeVar

from mpi_pgd.modes import MODES
from mpi_pgd.report.units import count

if TYPE_CHECKING:
    from mpi_pgd.study.plan.planner import Planner

MOST = 1 << 24  # features

Way = tuple[str, str]  # mode, algorithm
Named = TypeVar("Named", str, Way)


class Crossings:
    """Of a planner's ways. Equal ranks are compared, as those are what one pays for; one rank sends nothing.

    ``ranks``: those with which numbers of features are compared.
    """

    def __init__(self, planner: "Planner", ranks: int) -> None:
        self.planner, self.ranks = planner, ranks
        q = planner.question
        least, most = (max(2, min(MODES[mode].ranks(end) for mode, _ in planner.ways)) for end in (q.first, q.last))
        powers = [1 << bit for bit in range(1, most.bit_length()) if least <= 1 << bit <= most]
        self.grid = sorted({least, *powers, most}) if q.last > 1 else []
        self.features = [1 << bit for bit in range(MOST.bit_length())]

    def sentences(self) -> Iterator[str]:
        """Of the modes, each with its fastest algorithm: those that sum over all rows, then all of them."""
        yield from self._among(self.planner.sums)
        if len(self.planner.sums) < len(self.planner.ways):
            yield from (f"with gradient descent, {sentence}" for sentence in self._among(self.planner.ways))

    def _among(self, ways: Sequence[Way]) -> Iterator[str]:
        if not self.grid or len({mode for mode, _ in ways}) < 2:
            return
        reach = " to ".join(f"{ranks:,}" for ranks in dict.fromkeys((self.grid[0], self.grid[-1])))
        yield self._told(ways, self.grid, "rank", f"with {reach} ranks", lambda ranks: (ranks, 0))
        told = self._told(ways, self.features, "feature", "with any number of features", lambda features: (self.ranks, features))
        yield f"{told}, with {count(self.ranks, 'rank')}"

    def rows(self) -> Iterator[dict[str, Any]]:
        """Of any two algorithms: which is faster from how many ranks, and features, on."""
        for pair in combinations(self.planner.ways if self.grid else [], 2):
            for what, grid in (("ranks", self.grid), ("features", self.features)):
                for place, way in _turns(grid, partial(self._of_two, pair, what)):
                    yield {"one": _name(pair[0]), "other": _name(pair[1]), "in": what, "from": place, "faster": _name(way)}

    def _told(
        self, ways: Sequence[Way], grid: Sequence[int], what: str, everywhere: str, where: Callable[[int], tuple[int, int]]
    ) -> str:
        def winner(place: int) -> str:
            return self._first(ways, *where(place))[0]

        def named(place: int) -> str:
            return _name(self._first(ways, *where(place)))

        turns = [place for place, _ in _turns(grid, winner)][1:]
        if not turns:
            return f"{named(grid[-1])} is faster {everywhere}"
        told = [f"{named(place - 1)} is faster up to {count(place - 1, what)}" for place in turns]
        return f"{', '.join(told)}, {named(turns[-1])} from {turns[-1]:,} on"

    def _of_two(self, pair: Sequence[Way], what: str, place: int) -> Way:
        return self._first(pair, *((place, 0) if what == "ranks" else (self.ranks, place)))

    def _first(self, ways: Sequence[Way], ranks: int, features: int) -> Way:
        return min(ways, key=lambda way: self.planner.seconds(way[0], way[1], MODES[way[0]].workers(ranks), features))


def _turns(grid: Sequence[int], winner: Callable[[int], Named]) -> Iterator[tuple[int, Named]]:
    """Who wins from where on; each change between two of the grid is looked up to the number, those between are not seen."""
    yield grid[0], winner(grid[0])
    for low, high in pairwise(grid):
        before = winner(low)
        if winner(high) != before:
            place = low + 1 + bisect_left(range(low + 1, high), True, key=partial(_other, winner, before))
            yield place, winner(place)


def _other(winner: Callable[[int], Named], before: Named, place: int) -> bool:
    return winner(place) != before


def _name(way: Way) -> str:
    return f"{way[0]} ({way[1]})"
