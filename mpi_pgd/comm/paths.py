"""What a collective costs, in messages and bytes: counted over the steps of a schedule, or the usual form of a library's tree.

Time = alpha * latencies + overhead * behind + beta * bytes. A message's latency is waited for if the rank does something else
next; of messages the same way one right behind the other (a linear server's) all but the first hide it and cost an overhead.
(R. W. Hockney, "The Communication Challenge for MPP", Parallel Computing 20, 1994: alpha and beta. A. Alexandrov, M. Ionescu,
K. Schauser, C. Scheiman, "LogGP", SPAA 1995: the overhead and gap that bound a row of messages apart from the latency.)
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from mpi_pgd.comm.schedules import NOBODY, NUMBER, Schedule, rabenseifner

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


class Shape(NamedTuple):
    """How a collective grows: its sum, and (with a server) the broadcast after it; the formula for one of them, in words."""

    name: str
    formula: str
    reduce: Form
    broadcast: Form | None = None
    folds: bool = True  # powers of two ranks are a case of their own

    def __call__(self, ranks: int, reduced: int, broadcast: int) -> Path:
        """The path of a round that sums ``reduced`` bytes and sends out ``broadcast`` bytes (nothing among peers)."""
        there = self.reduce(ranks, reduced)
        back = self.broadcast(ranks, broadcast) if self.broadcast else NOTHING
        return Path(*(a + b for a, b in zip(there, back, strict=True)))
