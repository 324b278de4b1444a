"""What a collective costs, in messages and bytes: its schedule simulated, message by message.

Time = alpha * latencies + overhead * behind + beta * bytes. A message's latency is waited for if the rank does something else
next; of messages the same way one right behind the other (a linear server's) all but the first hide it and cost an overhead.
(R. W. Hockney, "The Communication Challenge for MPP", Parallel Computing 20, 1994: alpha and beta. A. Alexandrov, M. Ionescu,
K. Schauser, C. Scheiman, "LogGP", SPAA 1995: the overhead and gap that bound a row of messages apart from the latency.)

What one round takes is what it adds to those before: ranks that are done early send their next message early, so not all that
one collective on ranks that start together takes counts in rounds that follow each other.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from mpi_pgd.comm.graphs import Graph
from mpi_pgd.comm.schedules import NOBODY, Schedule, Step, rabenseifner

MANY = 64  # ranks: of more, each doubling adds the same, and those above a power of two what fewer with these leading bits do
LENGTH = 1 << 24  # numbers of the vectors that are simulated
SETTLED = 4  # rounds after which all are alike; as many more are counted
DEAR = 1 << 32  # times: of what is waited for, one thing is so much dearer than the next that only ties let that count


class Costs(NamedTuple):
    """Of a message's latency, of one right behind another, of a number."""

    latency: int
    behind: int
    number: int


class Path(NamedTuple):
    """The critical path: what is sent or received one after the other."""

    latencies: float
    behind: float
    bytes: float


class Message(NamedTuple):
    """One that came in: when it left its sender, and when all of its numbers were there."""

    sender: int
    receiver: int
    numbers: int
    left: int
    came: int
    add: bool  # a part of the sum, or of what was summed


NOTHING = Path(0.0, 0.0, 0.0)
Form = Callable[[int, int], Path]  # (ranks, bytes)
Wire = defaultdict[tuple[int, int], deque[int]]  # from, to: when the first number of each message arrives


def once(schedule: Schedule, ranks: int, size: int) -> Path:
    """For ranks that start together: what leads to one rank, or away from it, begins anew in each round."""
    return _sized(_counted(schedule, ranks, False), size)


def again(schedule: Schedule, ranks: int, size: int) -> Path:
    """For ranks that start when their round before is done: what all have the result of."""
    return _sized(_counted(schedule, ranks, True), size)


def _sized(counts: Path, size: int) -> Path:
    return counts._replace(bytes=counts.bytes * size)


@lru_cache(maxsize=4096)
def _counted(schedule: Schedule, ranks: int, cyclic: bool) -> Path:
    """A round's path with vectors of one byte: its messages where latencies are dear, its bytes where these are."""
    if ranks < 2:
        return NOTHING
    mine = list(schedule(0, ranks, LENGTH))
    numbers = sum(max(len(step.send), len(step.receive)) for step in mine) / LENGTH
    if all(NOBODY not in (step.to, step.source) for step in mine):  # all move in step
        return Path(len(mine), 0, numbers)
    if len({max(step.to, step.source) for step in mine}) == ranks - 1:  # one after the other, with all others
        return Path(1, ranks - 2, numbers)
    below, half = 1 << (ranks.bit_length() - 1), MANY // 2
    if ranks > max(MANY, below):
        few = -(-ranks * half // below)
        return _carried(_counted(schedule, below, cyclic), 1, *(_counted(schedule, each, cyclic) for each in (few, half)))
    if ranks > MANY:
        last, before = (_counted(schedule, each, cyclic) for each in (MANY, half))
        return _carried(last, ranks.bit_length() - MANY.bit_length(), last, before)
    rounds = 2 * SETTLED if cyclic else 1
    latencies, behind, _ = _parts(schedule, ranks, rounds, Costs(DEAR**2, DEAR, 1))
    return Path(latencies, behind, _parts(schedule, ranks, rounds, Costs(DEAR, 1, DEAR**2))[0] / LENGTH)


def _carried(start: Path, times: int, more: Path, less: Path) -> Path:
    return Path(*(whole + times * (one - other) for whole, one, other in zip(start, more, less, strict=True)))


def _parts(schedule: Schedule, ranks: int, rounds: int, costs: Costs) -> tuple[float, float, float]:
    """What a round waits for, the dearest first."""
    ends = [max(ended) for ended in zip(*simulated(schedule, ranks, LENGTH, rounds, costs), strict=True)]
    counted = rounds - rounds // 2
    took = ends[-1] - (ends[rounds // 2 - 1] if rounds > 1 else 0)
    first, rest = divmod(took + DEAR**2 // 2, DEAR**2)
    second, rest = divmod(rest - DEAR**2 // 2 + DEAR // 2, DEAR)
    return first / counted, second / counted, (rest - DEAR // 2) / counted


def simulated(
    schedule: Schedule, ranks: int, length: int, rounds: int, costs: Costs, seen: list[Message] | None = None
) -> list[list[int]]:
    """When each rank is done with each round: a latency, an overhead and a number sent each cost what ``costs`` says.

    A link carries one message at a time each way. A message leaves when its sender is there and its link out is free, and comes
    in when it has arrived, its receiver is there and its link in is free. ``seen`` gets all of them.
    """
    sent: Wire = defaultdict(deque)
    ends: list[list[int]] = [[] for _ in range(ranks)]
    plans = [list(schedule(rank, ranks, length)) for rank in range(ranks)]
    at_work = deque(_rank(rank, plan, costs, sent, ends[rank], rounds, seen) for rank, plan in enumerate(plans))
    while at_work:
        rank = at_work.popleft()
        if next(rank, None):
            at_work.append(rank)
    return ends


def _rank(
    rank: int, steps: Sequence[Step], costs: Costs, sent: Wire, ends: list[int], rounds: int, seen: list[Message] | None
) -> Iterator[bool]:
    """One rank's steps, which notes when it is done with each round; yields whenever a message has not been sent yet."""
    now = out = into = 0
    for _ in range(rounds):
        before = (False, False)
        for step in steps:
            way = (step.to != NOBODY, step.source != NOBODY)
            now += costs.behind if way == before and not all(way) else 0
            before = way
            if step.to != NOBODY:
                start = max(now, out)
                out = start + costs.number * len(step.send)
                sent[rank, step.to].append(start + costs.latency)
            if step.source != NOBODY:
                while not sent[step.source, rank]:
                    yield True
                first = sent[step.source, rank].popleft()
                now = into = max(now, into, first) + costs.number * len(step.receive)
                if seen is not None:
                    seen.append(Message(step.source, rank, len(step.receive), first - costs.latency, now, step.add))
        ends.append(now)


def halves(ranks: int, size: int) -> Path:
    """A sum to one rank by halving, then gathering: as Rabenseifner's, whose last message to each silent rank falls away."""
    path = once(rabenseifner, ranks, size)
    silent = 0 if ranks & (ranks - 1) == 0 else 1
    return Path(path.latencies - silent, path.behind, path.bytes - silent * size)


def scatter(ranks: int, size: int) -> Path:
    """A broadcast by scatter and gather: pieces of 2 (m - 1)/m n bytes in all (Thakur et al. 2005, 4.2)."""
    log = ranks.bit_length() - 1
    return Path(log + (ranks - 1).bit_length(), 0.0, 2 * (ranks - 1) / ranks * size)


def exchange(graph: Graph, size: int) -> Path:
    """Each rank's vector to all its neighbours and theirs to it, at once: alpha + (d - 1) overhead + d n beta, of the most, d."""
    if not graph.degree:
        return NOTHING
    return Path(1, graph.degree - 1, graph.degree * size)


def switched(short: Form, long: Form) -> Form:
    """What a library does that takes one algorithm for short vectors and another for long ones."""

    def path(ranks: int, size: int) -> Path:
        return short(ranks, size)._replace(bytes=long(ranks, size).bytes)

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
