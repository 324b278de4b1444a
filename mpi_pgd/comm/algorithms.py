"""The collective algorithms: how bytes combine in a round, each with all that is to be known of it. Without MPI.

A mode names those that it offers (``modes``). An algorithm by hand is its schedules; of the MPI library's own the steps can't be
seen, so its schedules are only what is counted of it: a server's messages one by one, and each peer's own vector once.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from mpi_pgd.comm.paths import Form, Path, Shape, again, halves, once, scatter, switched
from mpi_pgd.comm.schedules import (
    EMPTY,
    NOBODY,
    Schedule,
    Step,
    linear_broadcast,
    linear_reduce,
    rabenseifner,
    recursive_doubling,
    ring,
    sent,
    tree_broadcast,
    tree_reduce,
)


@dataclass(frozen=True, eq=False)
class Algorithm:
    """What users, pictures, records and the cost model have to know of an algorithm."""

    name: str  # as users write it
    text: str  # what it does, for help and docs
    synonyms: str  # other programs' words for it, with spaces between them
    colour: str  # of its series in pictures, one of ``report.theme.PALETTE``
    marker: str  # likewise, as matplotlib calls it
    schedules: tuple[Schedule, ...]  # one for each collective of a round
    shapes: tuple[Shape, ...]  # what its critical path may be; of several, the one that fits a network best is taken
    library: bool  # the MPI library's collectives are called, and the schedules are only counted
    admits: Callable[[int], bool] = lambda _: True  # whether so many ranks have it

    def sent(self, rank: int, ranks: int, sizes: tuple[int, ...]) -> int:
        """Bytes that a rank sends in a round whose messages, one for each schedule, have ``sizes`` bytes."""
        return sent(self.schedules, rank, ranks, sizes)

    def sent_by_all(self, ranks: int, sizes: tuple[int, ...]) -> int:
        """Bytes that all ranks together send in a round."""
        return sum(self.sent(rank, ranks, sizes) for rank in range(ranks))


def _own_vector(rank: int, ranks: int, length: int) -> Iterator[Step]:
    if ranks > 1:
        yield Step(rank, range(length), NOBODY, EMPTY, False)


def by_hand(formula: str, *schedules: Schedule, folds: bool = True, **told: Any) -> Algorithm:
    """An algorithm that is its schedules, one for each collective of a round; ``told`` are its other fields.

    ``formula`` is what one of the collectives costs: of m ranks, n bytes, a message's latency alpha, a byte's time beta; with
    ``folds``, powers of two ranks are a case of their own.
    """
    reduce, *broadcast = (partial(once if schedules[1:] else again, each) for each in schedules)
    shape = Shape(told["name"], formula, reduce, broadcast[0] if broadcast else None, folds)
    return Algorithm(**told, schedules=schedules, shapes=(shape,), library=False)


# With a server: a sum that comes to it, and a broadcast from it.

TREE = "floor(log2 m) alpha + ceil(log2 m) n beta"
HALVES = "2 log2(m) alpha + 2 (m - 1)/m n beta; if m is no power of two, that of the power below and alpha + n beta"
SCATTER = "(floor(log2 m) + ceil(log2 m)) alpha + 2 (m - 1)/m n beta"
_gathered, _sent_out = partial(once, tree_reduce), partial(once, tree_broadcast)
_SUMS: dict[str, tuple[str, Form]] = {
    "tree": (TREE, _gathered),
    "halves": (HALVES, halves),
    "tree or halves": (f"alpha of {TREE}, beta of {HALVES}", switched(_gathered, halves)),
}
_BROADCASTS: dict[str, tuple[str, Form]] = {
    "tree": (TREE, _sent_out),
    "scatter": (SCATTER, scatter),
    "tree or scatter": (f"alpha of {TREE}, beta of {SCATTER}", switched(_sent_out, scatter)),
}


def _both(reduce: str, broadcast: str) -> Shape:
    there, back = _SUMS[reduce], _BROADCASTS[broadcast]
    return Shape(f"{reduce}; {broadcast}", f"sum: {there[0]}; broadcast: {back[0]}", there[1], back[1])


LIBRARY_SERVED = Algorithm(
    name="library",
    text="the MPI library's own reduce and broadcast",
    synonyms="mpi default native vendor",
    colour="blue",
    marker="o",
    schedules=(linear_reduce, linear_broadcast),
    shapes=tuple(_both(there, back) for there in _SUMS for back in _BROADCASTS),
    library=True,
)
LINEAR = by_hand(
    "alpha + (m - 2) overhead + (m - 1) n beta",
    linear_reduce,
    linear_broadcast,
    folds=False,
    name="linear",
    text="the server receives from, and sends to, one worker after the other",
    synonyms="naive flat",
    colour="sky",
    marker="s",
)
# What libraries mostly do with short vectors: no mode offers it, so that nothing but diagrams has it.
TREE_SERVED = by_hand(
    TREE,
    tree_reduce,
    tree_broadcast,
    name="tree",
    text="each receives from those at distance 1, 2, 4 ..., and passes the sum on; and back the same way",
    synonyms="",
    colour="blue",
    marker="o",
)

# Among peers: a sum that all have.

RING = by_hand(
    "2 (m - 1) alpha + 2 (m - 1)/m n beta",
    ring,
    folds=False,
    name="ring",
    text="pieces go round and grow, then go round whole: the fewest bytes",
    synonyms="",
    colour="pink",
    marker="D",
)
RECURSIVE_DOUBLING = by_hand(
    "log2(m) alpha + log2(m) n beta; if m is no power of two, that of the power below, 1 or 2 alpha, and 2 n beta",
    recursive_doubling,
    name="recursive-doubling",
    text="pairs at distance 1, 2, 4 ... exchange all they have: the fewest messages",
    synonyms="doubling butterfly hypercube",
    colour="plum",
    marker="v",
)
RABENSEIFNER = by_hand(
    "2 log2(m) alpha + 2 (m - 1)/m n beta; if m is no power of two, that of the power below and 2 alpha + 2 n beta",
    rabenseifner,
    name="rabenseifner",
    text="halves of what is left are exchanged and added, then gathered back: few messages, and few bytes",
    synonyms="recursive-halving halving reduce-scatter",
    colour="violet",
    marker="P",
)


def _served(rank: int, ranks: int, length: int) -> Iterator[Step]:
    yield from linear_reduce(rank, ranks, length)
    yield from linear_broadcast(rank, ranks, length)


def _both_ways(ranks: int, size: int) -> Path:
    return Path(*(2 * each for each in once(linear_reduce, ranks, size)))


SERVED = Algorithm(
    name=LINEAR.name,
    text="the first is a server: it receives the sums of, and sends the whole to, one after the other",
    synonyms=LINEAR.synonyms,
    colour=LINEAR.colour,
    marker=LINEAR.marker,
    schedules=(_served,),
    shapes=(Shape(LINEAR.name, "2 alpha + 2 (m - 2) overhead + 2 (m - 1) n beta", _both_ways, None, folds=False),),
    library=False,
)


def _two(short: Algorithm, long: Algorithm) -> Shape:
    few, many = short.shapes[0], long.shapes[0]
    formula = f"alpha of {few.name}: {few.formula}; beta of {many.name}: {many.formula}"
    return Shape(f"{few.name} or {many.name}", formula, switched(few.reduce, many.reduce))


LIBRARY_ALLREDUCE = Algorithm(
    name=LIBRARY_SERVED.name,
    text="the MPI library's own allreduce",
    synonyms=LIBRARY_SERVED.synonyms,
    colour="red",
    marker="^",
    schedules=(_own_vector,),
    shapes=(
        _two(RECURSIVE_DOUBLING, RABENSEIFNER),  # the first of those that fit alike: with powers of two alone, they do
        _two(RECURSIVE_DOUBLING, RING),
        *RABENSEIFNER.shapes,
        *RECURSIVE_DOUBLING.shapes,
        *RING.shapes,
    ),
    library=True,
)
