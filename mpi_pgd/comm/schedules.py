"""Collectives written by hand: what one rank sends, receives and adds, step by step.

Each is a function of the rank, the number of ranks and the length of the vector alone, so that the same steps are run on the
wire (``collectives.py``) and counted by the cost model. m is the number of ranks, n the vector's bytes.

(R. Thakur, R. Rabenseifner, W. Gropp, "Optimization of Collective Communication Operations in MPICH", International Journal of
High Performance Computing Applications 19, 2005, sections 4.1 to 4.5.)
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple


class Step(NamedTuple):
    """One message out, one in, or both at once; NOBODY on the side that rests. Ranges are of the vector's numbers."""

    to: int
    send: range
    source: int
    receive: range
    add: bool  # add what is received to what is there, or put it there


NOBODY = -1
NUMBER = 8  # bytes of a float64
EMPTY = range(0)
Schedule = Callable[[int, int, int], Iterator[Step]]  # (rank, ranks, length)


def linear_reduce(rank: int, ranks: int, length: int) -> Iterator[Step]:
    """The server (rank 0) receives from each worker in turn: (m - 1)(alpha + beta n)."""
    if rank:
        yield Step(0, range(length), NOBODY, EMPTY, False)
        return
    for worker in range(1, ranks):
        yield Step(NOBODY, EMPTY, worker, range(length), True)


def linear_broadcast(rank: int, ranks: int, length: int) -> Iterator[Step]:
    """The server (rank 0) sends to each worker in turn: (m - 1)(alpha + beta n)."""
    if rank:
        yield Step(NOBODY, EMPTY, 0, range(length), False)
        return
    for worker in range(1, ranks):
        yield Step(worker, range(length), NOBODY, EMPTY, False)


def tree_reduce(rank: int, ranks: int, length: int) -> Iterator[Step]:
    """A binomial tree to rank 0: each receives from those at distance 1, 2, 4 ..., and sends on at the first bit that it has."""
    whole = range(length)
    for distance in _distances(2 * ranks - 1):
        if rank & distance:
            yield Step(rank - distance, whole, NOBODY, EMPTY, False)
            return
        if rank + distance < ranks:
            yield Step(NOBODY, EMPTY, rank + distance, whole, True)


def tree_broadcast(rank: int, ranks: int, length: int) -> Iterator[Step]:
    """The same tree from rank 0, backwards: the farthest first."""
    for step in reversed([*tree_reduce(rank, ranks, length)]):
        yield Step(step.source, step.receive, step.to, step.send, False)


def ring(rank: int, ranks: int, length: int) -> Iterator[Step]:
    """A piece goes round and grows until it is whole, then the whole pieces go round: 2 (m - 1)(alpha + beta n/m)."""
    pieces = [range(length * i // ranks, length * (i + 1) // ranks) for i in range(ranks)]
    right, left = (rank + 1) % ranks, (rank - 1) % ranks
    for step in range(2 * (ranks - 1)):
        yield Step(right, pieces[(rank - step) % ranks], left, pieces[(rank - step - 1) % ranks], step < ranks - 1)


def recursive_doubling(rank: int, ranks: int, length: int) -> Iterator[Step]:
    """Pairs at distance 1, 2, 4 ... exchange all they have: log2(m)(alpha + beta n), and two more if m is no power of two."""
    return _folded(rank, ranks, range(length), _double)


def rabenseifner(rank: int, ranks: int, length: int) -> Iterator[Step]:
    """Halves of what is left are exchanged and added, then gathered: 2 log2(m) alpha + 2 (m - 1)/m beta n, and two more as well."""
    return _folded(rank, ranks, range(length), _halve_and_double)


def _double(place: int, ranks: int, whole: range) -> Iterator[Step]:
    for distance in _distances(ranks):
        partner = _rank(place ^ distance, ranks)
        yield Step(partner, whole, partner, whole, True)


def _halve_and_double(place: int, ranks: int, mine: range) -> Iterator[Step]:
    back = []
    for distance in reversed(_distances(ranks)):
        partner = _rank(place ^ distance, ranks)
        middle = (mine.start + mine.stop) // 2
        halves = range(mine.start, middle), range(middle, mine.stop)
        mine, other = halves if not place & distance else halves[::-1]
        yield Step(partner, other, partner, mine, True)
        back.append(Step(partner, mine, partner, other, False))
    yield from reversed(back)


def _distances(ranks: int) -> list[int]:
    return [1 << bit for bit in range(ranks.bit_length() - 1)]


def _extra(ranks: int) -> int:
    """How many ranks there are above the largest power of two: so many pairs act as one rank."""
    return ranks - (1 << (ranks.bit_length() - 1))


def _rank(place: int, ranks: int) -> int:
    extra = _extra(ranks)
    return place + extra if place >= extra else 2 * place + 1


def _folded(rank: int, ranks: int, whole: range, exchange: Callable[[int, int, range], Iterator[Step]]) -> Iterator[Step]:
    """``exchange`` is among a power of two of ranks: the odd one of each pair acts for both, and the even one is silent."""
    extra = _extra(ranks)
    if rank >= 2 * extra:
        yield from exchange(rank - extra, ranks, whole)
    elif rank % 2:
        yield Step(NOBODY, EMPTY, rank - 1, whole, True)
        yield from exchange(rank // 2, ranks, whole)
        yield Step(rank - 1, whole, NOBODY, EMPTY, False)
    else:
        yield Step(rank + 1, whole, NOBODY, EMPTY, False)
        yield Step(NOBODY, EMPTY, rank + 1, whole, False)


@cache
def sent(schedules: tuple[Schedule, ...], rank: int, ranks: int, sizes: tuple[int, ...]) -> int:
    """Bytes that a rank sends in a round, whose messages have ``sizes`` bytes: one for each of the schedules."""
    plans = zip(schedules, sizes, strict=True)
    return sum(NUMBER * len(step.send) for schedule, size in plans for step in schedule(rank, ranks, size // NUMBER))
