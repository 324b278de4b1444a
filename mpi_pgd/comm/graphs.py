"""Who talks to whom where each peer has a few neighbours only. A new named graph is a line in ``GRAPHS``.

W is the matrix by which peers mix what they have, with Metropolis-Hastings weights: symmetric, and its rows sum to 1.
(L. Xiao, S. Boyd, S. Lall, "A Scheme for Robust Distributed Sensor Fusion Based on Average Consensus", IPSN 2005.)
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import isqrt, prod
from pathlib import Path
from typing import Protocol

from mpi_pgd.errors import InputError, listed, nearest

LONGEST, SHOWN = 9, 24  # digits of a rank; characters of what is none


class Neighbours(Protocol):
    """Of each rank: sorted, without itself. A tuple, or what works them out."""

    def __len__(self) -> int:
        """How many ranks there are."""

    def __getitem__(self, rank: int, /) -> tuple[int, ...]:
        """Those of a rank."""


@dataclass(frozen=True)
class Graph:
    """An undirected, connected graph on the ranks 0, 1, ..."""

    name: str  # as users write it: of a named graph, or a file
    neighbours: Neighbours
    shape: tuple[int, ...] = ()  # of a grid, see ``Grid``; of a file, which may look another way from each rank, nothing

    @property
    def ranks(self) -> int:
        """How many there are."""
        return len(self.neighbours)

    @property
    def _seen(self) -> range:
        """The ranks from which the graph may look another way."""
        return range(1 if self.shape else self.ranks)

    @cached_property
    def degree(self) -> int:
        """The most neighbours that a rank has."""
        return max(len(self.neighbours[rank]) for rank in self._seen)

    @cached_property
    def diameter(self) -> int:
        """Messages one after the other until every rank has heard of every other."""
        return max(_steps(self.neighbours, rank) for rank in self._seen)

    def weights(self, rank: int) -> tuple[float, ...]:
        """A rank's row of W: its own weight, then those of its neighbours, in their order."""
        mine = self.neighbours[rank]
        shares = [1 / (1 + max(len(mine), self.degree if self.shape else len(self.neighbours[each]))) for each in mine]
        return (1 - sum(shares), *shares)

    @cached_property
    def gap(self) -> float:
        """1 less the second largest absolute eigenvalue of W: the share of a disagreement that a mixing takes away, at least.

        To rounding. A named graph's eigenvalues are a Fourier transform of rank 0's weights, O(m log m); a file's take O(m^3):
        a second with 1,000 ranks, a minute with 4,000.
        """
        if self.ranks == 1:
            return 1.0
        import numpy as np  # only where it is asked for: facts of modes need none

        seen = self._seen
        mixing = np.zeros((len(seen), self.ranks))
        for rank in seen:
            mixing[rank, [rank, *self.neighbours[rank]]] = self.weights(rank)
        eigenvalues = np.fft.fftn(mixing.reshape(self.shape)).real.ravel() if self.shape else np.linalg.eigvalsh(mixing)
        return 1 - float(np.sort(np.abs(eigenvalues))[-2])


@dataclass(frozen=True)
class Grid:
    """Neighbours on a grid that wraps, row by row: the same moves lead from every rank to its neighbours.

    They are worked out when asked for: with thousands of ranks, all that a complete graph has would fill a memory.
    """

    shape: tuple[int, ...]  # ranks along each axis
    moves: tuple[tuple[int, ...], ...]  # along each axis; for each the one back is a move, too

    def __len__(self) -> int:
        return prod(self.shape)

    def __getitem__(self, rank: int, /) -> tuple[int, ...]:
        place = range(len(self))[rank]
        found = set()
        for move in self.moves:
            left, there, size = place, 0, 1
            for length, along in zip(reversed(self.shape), reversed(move), strict=True):
                left, at = divmod(left, length)
                there += size * ((at + along) % length)
                size *= length
            found.add(there)
        return tuple(sorted(found - {place}))


def _steps(neighbours: Neighbours, start: int) -> int:
    """How far the farthest rank is; all can be reached."""
    *_, (steps, _) = enumerate(_spread(neighbours, start))
    return steps


def _spread(neighbours: Neighbours, start: int) -> Iterable[set[int]]:
    """The ranks that are reached with 0, 1, ... messages one after the other, until there are no more."""
    seen = new = {start}
    yield seen
    while new and len(seen) < len(neighbours):
        new = set().union(*(neighbours[rank] for rank in new)) - seen
        if new:
            seen = seen | new
            yield seen


@dataclass(frozen=True, eq=False)
class Named:
    """What users have to know of a named graph."""

    name: str  # as users write it
    text: str  # what it is, for help and docs
    synonyms: str  # other words for it, with spaces between them
    grid: Callable[[int], Grid]  # of so many ranks
    powers: bool = False  # there is one for powers of two ranks only

    def admits(self, ranks: int) -> bool:
        """Whether there is one of so many ranks."""
        return not self.powers or ranks & (ranks - 1) == 0

    def of(self, ranks: int) -> Graph:
        """The one of so many ranks. Raises InputError: there is none."""
        if not self.admits(ranks):
            below = 1 << (ranks.bit_length() - 1)
            others = listed([each.name for each in GRAPHS.values() if each.admits(ranks)])
            use = f"use {below:,} or {2 * below:,}, or {others}"
            raise InputError(f"a {self.name} has a power of two of ranks, here are {ranks:,}: {use}")
        grid = self.grid(ranks)
        return Graph(self.name, grid, grid.shape)


def _ways(shape: tuple[int, ...], *steps: int) -> Grid:
    """Steps both ways, along each axis."""
    axes = range(len(shape))
    ways = [(axis, sign * step) for axis, step, sign in product(axes, steps, (1, -1))]
    return Grid(shape, tuple(tuple(step * (axis == each) for each in axes) for axis, step in ways))


def _square(ranks: int) -> tuple[int, int]:
    """The most nearly equal two numbers with this product, the smaller first."""
    rows = next(each for each in range(isqrt(ranks), 0, -1) if ranks % each == 0)
    return rows, ranks // rows


GRAPHS = {
    each.name: each
    for each in (
        Named("ring", "each peer has the two beside it", "cycle circle", lambda m: _ways((m,), 1)),
        Named("torus", "a grid as square as the number of ranks allows, which wraps", "grid mesh", lambda m: _ways(_square(m), 1)),
        Named(
            "hypercube",
            "neighbours differ in one binary digit of their rank; only for 2, 4, 8 ... ranks",
            "cube",
            lambda m: _ways((2,) * (m.bit_length() - 1) or (1,), 1),
            powers=True,
        ),
        Named(
            "exponential",
            "ranks 1, 2, 4, 8 ... further on and back are neighbours",
            "exp expander chord",
            lambda m: _ways((m,), *(1 << bit for bit in range((m - 1).bit_length()))),
        ),
        Named("complete", "all are neighbours", "full all clique", lambda m: _ways((m,), *range(1, m // 2 + 1))),
    )
}
SYNONYMS = {each.name: each.synonyms for each in GRAPHS.values()}
EXPECTED = f"{', '.join(GRAPHS)}, or a FILE with an edge a line"


def alike(ranks: int) -> list[list[str]]:
    """The names of all that there are of so many ranks, those of the same one together."""
    found: list[tuple[Grid, list[str]]] = []
    for name, grid in ((each.name, each.grid(ranks)) for each in GRAPHS.values() if each.admits(ranks)):
        same = [names for other, names in found if all(grid[rank] == other[rank] for rank in range(ranks))]
        same[0].append(name) if same else found.append((grid, [name]))
    return [names for _, names in found]


def graph(name_or_file: str, ranks: int) -> Graph:
    """The graph of this name, or else in this file, on so many ranks.

    A line of a file is a rank and those that it is a neighbour of ("0 1", "0: 1 2 5"), once for either of the two or for both; what
    follows a # is a comment.

    Raises:
        InputError: it is no name and no file, or can't be read; or there is no such graph of so many ranks, or it is not connected.
    """
    if name_or_file in GRAPHS:
        return GRAPHS[name_or_file].of(ranks)
    neighbours = tuple(tuple(sorted(each)) for each in _read(name_or_file, ranks))
    *_, reached = _spread(neighbours, 0)
    if lost := sorted(set(range(ranks)) - reached):
        named = f"rank{'s' if lost[1:] else ''} {listed([str(each) for each in lost])}"
        why = f"from rank 0 no way leads to {named}: add edges to them, or run on fewer ranks"
        raise InputError(f"graph {name_or_file} is not connected, {why}")
    return Graph(name_or_file, neighbours)


def _read(path: str, ranks: int) -> list[set[int]]:
    """Each rank's neighbours, of a file."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path} is no graph and no file{nearest(path, GRAPHS, SYNONYMS)}: expected {EXPECTED}") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise InputError(f"graph {path} can't be read ({why}): expected {EXPECTED}") from None
    lines = enumerate(text.splitlines(), 1)
    edges = [edge for number, line in lines for edge in _edges(line, f"graph {path}, line {number},", ranks)]
    if not edges and ranks > 1:
        raise InputError(f"graph {path} is empty: expected an edge a line, such as 0 1")
    neighbours: list[set[int]] = [set() for _ in range(ranks)]
    for one, other in edges:
        neighbours[one].add(other)
        neighbours[other].add(one)
    return neighbours


def _edges(line: str, where: str, ranks: int) -> list[tuple[int, int]]:
    words = line.partition("#")[0].replace(":", " ", 1).split()
    for word in words:
        told = word if word.isprintable() and len(word) <= SHOWN else f"{word[:SHOWN]!r} ..."
        if not (word.isascii() and word.isdigit()):
            raise InputError(f"{where} has {told}: expected whole numbers, a rank and its neighbours, such as 0 1")
        if len(word) > LONGEST or int(word) >= ranks:
            raise InputError(f"{where} has rank {told}, but the last of {ranks:,} is {ranks - 1}: mend it, or run on more ranks")
    edges = [(int(words[0]), int(word)) for word in words[1:]]
    if any(one == other for one, other in edges):
        raise InputError(f"{where} makes rank {words[0]} its own neighbour: leave that out, what a rank has itself counts anyway")
    return edges
