"""What a collective costs, in messages and bytes: counted over the steps of a schedule, or the usual form of a library's tree.

Time = alpha * latencies + overhead * behind + beta * bytes. A message's latency is waited for if the rank does something else
next; of messages the same way one right behind the other (a linear server's) all but the first hide it and cost an overhead.
(R. W. Hockney, "The Communication Challenge for MPP", Parallel Computing 20, 1994: alpha and beta. A. Alexandrov, M. Ionescu,
K. Schauser, C. Scheiman, "LogGP", SPAA 1995: the overhead and gap that bound a row of messages apart from the latency.)
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from mpi_pgd.comm.schedules import (
    NOBODY,
    NUMBER,
    Schedule,
    linear_broadcast,
    linear_reduce,
    rabenseifner,
    recursive_doubling,
    ring,
)

RECEIVE = (False, True)  # to nobody, from somebody


class Path(NamedTuple):
    """The critical path: what the rank with the most to do sends or receives, one after the other."""

    latencies: float
    behind: float
    bytes: float


NOTHING = Path(0.0, 0.0, 0.0)
Form = Callable[[int, int], Path]  # (ranks, bytes)


@lru_cache(maxsize=4096)
def walked(schedule: Schedule, ranks: int, size: int) -> Path:
    """The path of a schedule for vectors of ``size`` bytes.

    In each of our schedules the ranks move in step and none has more to do than rank 0 (the server) or rank 1 (which acts for
    rank 0 too where m is no power of two), so the path is theirs. Where a rank first takes in another's numbers and then
    exchanges, its partner has been ready since before, and both messages want to come in over one link at once. How much of the
    partner's is in by then depends on the library's buffers: half of it is counted as a delay (3 ranks on real links: 0.4 to 1).
    """
    if ranks < 2:
        return NOTHING
    return max((_own(schedule, rank, ranks, size) for rank in (0, 1)), key=lambda path: (path.bytes, path.latencies))


def _own(schedule: Schedule, rank: int, ranks: int, size: int) -> Path:
    latencies, behind, numbers = 0, 0, 0.0
    before = (False, False)
    for step in schedule(rank, ranks, size // NUMBER):
        way = (step.to != NOBODY, step.source != NOBODY)
        hidden = way == before and not all(way)
        ready = before == RECEIVE and all(way)
        behind, latencies, before = behind + hidden, latencies + (not hidden), way
        numbers += max(len(step.send), len(step.receive)) + (len(step.receive) / 2 if ready else 0)
    return Path(latencies, behind, numbers * NUMBER)


def _log2(ranks: int) -> int:
    return (ranks - 1).bit_length()


def tree(ranks: int, size: int) -> Path:
    """A binomial tree, or recursive doubling: ceil(log2 m) messages of n bytes (Thakur et al. 2005, sections 4.1 to 4.5)."""
    return Path(_log2(ranks), 0.0, _log2(ranks) * size)


def halves(ranks: int, size: int) -> Path:
    """A sum to one rank by halving, then gathering: as Rabenseifner's, whose last message to each silent rank falls away."""
    path = walked(rabenseifner, ranks, size)
    silent = 0 if ranks & (ranks - 1) == 0 else 1
    return Path(path.latencies - silent, path.behind, path.bytes - silent * size)


def scatter(ranks: int, size: int) -> Path:
    """A broadcast by scatter and gather: 2 ceil(log2 m) messages of 2 (m - 1)/m n bytes in all (Thakur et al. 2005, 4.2)."""
    return Path(2 * _log2(ranks), 0.0, 2 * (ranks - 1) / ranks * size)


def switched(short: Form, long: Form) -> Form:
    """What a library does that takes one algorithm for short vectors and another for long ones."""

    def path(ranks: int, size: int) -> Path:
        few = short(ranks, size)
        return Path(few.latencies, few.behind, long(ranks, size).bytes)

    return path


def by_hand(schedule: Schedule) -> Form:
    """The form of a schedule."""
    return lambda ranks, size: walked(schedule, ranks, size)


class Shape(NamedTuple):
    """How a collective grows: its sum, and (client-server) the broadcast after it; the formula for one of them, in words."""

    name: str
    formula: str
    reduce: Form
    broadcast: Form | None = None

    def __call__(self, ranks: int, reduced: int, broadcast: int) -> Path:
        """The path of a round that sums ``reduced`` bytes and sends out ``broadcast`` bytes (nothing in peer-to-peer)."""
        there = self.reduce(ranks, reduced)
        back = self.broadcast(ranks, broadcast) if self.broadcast else NOTHING
        return Path(*(a + b for a, b in zip(there, back, strict=True)))


TREE = "ceil(log2 m) alpha + ceil(log2 m) n beta"
HALVES = "2 log2(m) alpha + 2 (m - 1)/m n beta; if m is no power of two, that of the power below and alpha + 1.25 n beta"
SCATTER = "2 ceil(log2 m) alpha + 2 (m - 1)/m n beta"
LINEAR = "alpha + (m - 2) overhead + (m - 1) n beta"
RING = "2 (m - 1) alpha + 2 (m - 1)/m n beta"
DOUBLING = "log2(m) alpha + log2(m) n beta; if m is no power of two, that of the power below and 2 alpha + 2.5 n beta"
RABENSEIFNER = "2 log2(m) alpha + 2 (m - 1)/m n beta; if m is no power of two, that of the power below and 2 alpha + 2.25 n beta"

_ring = Shape("ring", RING, by_hand(ring))
_doubling = Shape("recursive-doubling", DOUBLING, by_hand(recursive_doubling))
_rabenseifner = Shape("rabenseifner", RABENSEIFNER, by_hand(rabenseifner))


def _library(reduce: str, broadcast: str) -> Shape:
    forms: dict[str, tuple[str, Form]] = {
        "tree": (TREE, tree),
        "halves": (HALVES, halves),
        "scatter": (SCATTER, scatter),
        "tree or halves": (f"alpha of {TREE}, beta of {HALVES}", switched(tree, halves)),
        "tree or scatter": (f"alpha of {TREE}, beta of {SCATTER}", switched(tree, scatter)),
    }
    there, back = forms[reduce], forms[broadcast]
    return Shape(f"{reduce}; {broadcast}", f"sum: {there[0]}; broadcast: {back[0]}", there[1], back[1])


def _two(short: Shape, long: Shape) -> Shape:
    formula = f"alpha of {short.name}: {short.formula}; beta of {long.name}: {long.formula}"
    return Shape(f"{short.name} or {long.name}", formula, switched(short.reduce, long.reduce))


SUMS, BROADCASTS = ("tree", "halves", "tree or halves"), ("tree", "scatter", "tree or scatter")

# What a collective may be; of a library's, which switches, the shape that fits best is taken.
SHAPES: dict[tuple[str | None, str], tuple[Shape, ...]] = {
    (None, "ping-pong"): (Shape("message", "alpha + n beta", lambda ranks, size: Path(1, 0, size)),),
    ("client-server", "library"): tuple(_library(there, back) for there in SUMS for back in BROADCASTS),
    ("client-server", "linear"): (Shape("linear", LINEAR, by_hand(linear_reduce), by_hand(linear_broadcast)),),
    ("peer-to-peer", "library"): (
        _two(_doubling, _rabenseifner),  # the first of those that fit alike: with powers of two alone, they do
        _two(_doubling, _ring),
        _rabenseifner,
        _doubling,
    ),
    ("peer-to-peer", "ring"): (_ring,),
    ("peer-to-peer", "recursive-doubling"): (_doubling,),
    ("peer-to-peer", "rabenseifner"): (_rabenseifner,),
}
