"""The latency and bandwidth of this network: ping-pongs, and every collective of both modes over sizes and numbers of ranks.

A collective is timed as a bulk-synchronous program sees it: some calls back to back, no barrier between them; a batch's time is
the slowest rank's mean. Rank 0's clock decides what is still measured, so all ranks agree, and the whole is bounded in time.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm import world
from mpi_pgd.comm.collectives import Collective
from mpi_pgd.comm.world import rest
from mpi_pgd.data.memory import available_bytes
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.modes import MODES, WAYS
from mpi_pgd.report.progress import steps
from mpi_pgd.study.curves import NETWORK, NODE, fitted
from mpi_pgd.study.network import compute

SMALLEST, LARGEST = 8, 64 << 20  # bytes
QUICK_LARGEST = 4 << 20
FACTOR, QUICK_FACTOR = 4, 32  # from one size to the next
BENDS = range(32 << 10, 1 << 20)  # bytes: where libraries change how they send; there, a factor of 2
SECONDS = {NODE: 15.0, NETWORK: 90.0}  # for all the messages
QUICK_SECONDS = {NODE: 1.0, NETWORK: 5.0}
BATCHES, QUICK_BATCHES = 9, 3  # at most
BATCH_SECONDS, BATCH_CALLS = 1e-3, 8  # at least, if there is time: ranks leave the start of a batch at different times
LEAST_CALLS = 4  # in any case: rounds follow each other, and the end of one overlaps with the beginning of the next
GREEDY = 4.0  # times its share of the time left that a measurement may take: the large ones need more than the small ones
MEMORY = 0.5  # of what the node can give, for the vectors: four for each rank
ALL, SUM_ONLY = "all", "sum"
LONELY = "one rank sends nothing, so only its map was measured: start more ranks with mpirun -n"
SHARED = 1024  # bytes: of smaller ones a reduce and a broadcast are taken to cost the same

Call = Callable[[], object]


class Contest(NamedTuple):
    """What is timed: on the first ranks of ``comm``, once for each size.

    Attributes:
        what: ``ALL``, or ``SUM_ONLY``: a reduce of the size, and a broadcast of one number.
        prepare: gives the call for vectors of so many bytes, and for the broadcast's.
        messages: one after the other in a call (two for a ping-pong).
    """

    comm: MPI.Intracomm
    link: str
    mode: str | None
    algorithm: str
    what: str
    prepare: Callable[[int], Call]
    messages: int = 1


def measure(
    comm: MPI.Intracomm,
    sizes: Sequence[int] | None = None,
    repeats: int | None = None,
    quick: bool = False,
    largest: int | None = None,
    seconds: float | None = None,
    shown: bool = False,
) -> dict[str, Any]:
    """Measure the network and the map: what is particular to network.json on rank 0, nothing on the others. Collective.

    Args:
        comm: all ranks.
        sizes: bytes, each a multiple of 8; by default from 8 B on, a factor of 4 apart (16 if ``quick``).
        repeats: batches a point, at most.
        quick: in about 1 s within a node, 5 s between nodes, up to 4 MB; else about 15 s and 90 s, up to 64 MB.
        largest: the last of the default sizes, bytes.
        seconds: that the messages may take; sizes that would take longer than what is left are not measured.
        shown: whether this rank says how far it is.
    """
    names = world.nodes(comm)
    nodes = [names.index(name) for name in names]
    found: dict[str, Any] = {"rows": [], "fits": []}
    found["nodes"] = {names[node]: nodes.count(node) for node in dict.fromkeys(nodes)}
    found["compute"] = compute.measure(comm, nodes, quick)
    link = NODE if len(set(nodes)) == 1 else NETWORK
    limit = (QUICK_SECONDS if quick else SECONDS)[link] if seconds is None else seconds
    wanted = sizes or list(_sizes(largest or (QUICK_LARGEST if quick else LARGEST), QUICK_FACTOR if quick else FACTOR))
    fitting = [size for size in wanted if size <= _room(comm, nodes)]
    groups = list(_groups(comm, nodes, quick))
    stage = _Stage(limit, repeats or (QUICK_BATCHES if quick else BATCHES), shown)
    points = list(stage.points(comm, groups, fitting))
    for group in filter(None, groups):
        group[0].comm.Free()
    if comm.rank:
        return {}
    for name, what in (("rows", ALL), ("sums", SUM_ONLY)):
        found[name] = [point for point in points if point["what"] == what]
    return fitted(found | {"seconds": limit, "notes": [LONELY] if comm.size == 1 else []})


def _sizes(largest: int, factor: int) -> Iterator[int]:
    size = SMALLEST
    while size < largest:
        yield size
        size *= 2 if factor == FACTOR and size in BENDS else factor
    yield largest // 8 * 8


def _room(comm: MPI.Intracomm, nodes: list[int]) -> int:
    """Bytes that a vector may have, so that four for each rank of the fullest node fit into it. Collective."""
    room = np.array(MEMORY * available_bytes() / (4 * nodes.count(nodes[comm.rank])))
    comm.Allreduce(MPI.IN_PLACE, room, MPI.MIN)
    return int(room)


# What is measured


def counts(ranks: int, quick: bool = False) -> list[int]:
    """The numbers of ranks that are measured: the powers of two and all, and 3 unless ``quick``."""
    powers = [1 << bit for bit in range(1, ranks.bit_length())]
    return sorted({count for count in (*powers, 2 if quick else 3, ranks) if 2 <= count <= ranks})


def _groups(comm: MPI.Intracomm, nodes: list[int], quick: bool) -> Iterator[list[Contest]]:
    """Contests of the same ranks; none for a rank that is not among them. Collective."""
    for link, other in _partners(nodes).items():
        pair = _part(comm, comm.rank in (0, other))
        yield [Contest(pair, link, None, "ping-pong", ALL, partial(_ping_pong, pair), 2)] if pair else []
    for count in counts(comm.size, quick):
        link = NODE if len(set(nodes[:count])) == 1 else NETWORK
        part = _part(comm, comm.rank < count)
        yield list(_collectives(part, link)) if part else []


def _partners(nodes: list[int]) -> dict[str, int]:
    """The next rank of rank 0's node, and the first of another, if there are such."""
    last_wins = {NODE if node == nodes[0] else NETWORK: rank for rank, node in reversed(list(enumerate(nodes))) if rank}
    return {link: last_wins[link] for link in (NODE, NETWORK) if link in last_wins}


def _part(comm: MPI.Intracomm, inside: bool) -> MPI.Intracomm | None:
    part = comm.Split(0 if inside else MPI.UNDEFINED, comm.rank)
    return part if isinstance(part, MPI.Intracomm) and inside else None


def _collectives(comm: MPI.Intracomm, link: str) -> Iterator[Contest]:
    for mode, name in WAYS:
        collectives = MODES[mode].opened(comm, name)
        for what in (ALL, SUM_ONLY)[: len(collectives)]:
            yield Contest(comm, link, mode, name, what, partial(_round, collectives, what == ALL))


def _zeros(size: int) -> Vector:
    return np.full(size // 8, 0.0)  # written to: untouched memory would not be there yet


def _round(collectives: Sequence[Collective], alike: bool, size: int) -> Call:
    """The collectives of a round, the first of so many bytes, the others too or of one number."""
    vectors = [_zeros(size if alike or not place else 8) for place in range(len(collectives))]

    def call() -> None:
        for collective, vector in zip(collectives, vectors, strict=True):
            collective(vector)

    return call


def _ping_pong(comm: MPI.Intracomm, size: int) -> Call:
    ball = _zeros(size)

    def ask() -> None:
        comm.Send(ball, 1)
        comm.Recv(ball, 1)

    def answer() -> None:
        comm.Recv(ball, 0)
        comm.Send(ball, 0)

    return answer if comm.rank else ask


# How it is timed


class _Stage:
    """Shares the time out over the measurements that are left. Only rank 0's clock and count matter, as its word goes round."""

    def __init__(self, limit: float, batches: int, shown: bool) -> None:
        self.end, self.batches, self.left, self.shown = perf_counter() + limit, batches, 0, shown
        self.last: dict[int, tuple[float, int, float]] = {}  # of each contest: seconds, bytes, and seconds a byte

    def points(self, comm: MPI.Intracomm, groups: list[list[Contest]], sizes: Sequence[int]) -> Iterator[dict[str, Any]]:
        """Size by size, all contests; ranks that are not in a group wait idle. Collective."""
        todo = [(size, group) for size in sizes for group in groups]
        self.left = sum(_worth(contest, size) for size, group in todo for contest in group)
        gone: set[int] = set()
        for size, group in steps("set of messages", todo, self.shown, until=self.end):
            for contest in group:
                if id(contest) in gone or not _worth(contest, size):
                    continue
                limit = self._share(contest, size)
                if limit > 0:
                    yield self._point(contest, size, limit)
                    self.left -= 1
                else:
                    gone.add(id(contest))
                    self.left -= sum(_worth(contest, later) for later in sizes if later >= size)
            rest(comm)

    def _share(self, contest: Contest, size: int) -> float:
        """Seconds that this measurement may take, or 0 if a call would take much more; rank 0's, on all ranks of the contest.

        The first size is always measured, so that every algorithm has a point.
        """
        fair = np.array(max(0.0, self.end - perf_counter()) / max(1, self.left))
        seconds, before, slope = self.last.get(id(contest), (0.0, size, 0.0))
        if id(contest) not in self.last:
            fair[()] = max(float(fair), BATCH_SECONDS)
        else:
            seconds = min(seconds + slope * (size - before), seconds * size / before)  # a slope may be all noise
            if (1 + LEAST_CALLS) * seconds > GREEDY * fair:
                fair[()] = 0.0
        contest.comm.Bcast(fair)
        return float(fair)

    def _point(self, contest: Contest, size: int, limit: float) -> dict[str, Any]:
        samples = np.array(_samples(contest.comm, contest.prepare(size), limit, self.batches)) / contest.messages
        low, middle, high = map(float, np.quantile(samples, (0.25, 0.5, 0.75)))
        self._note(contest, size, float(samples.min()) * contest.messages)
        point = {key: getattr(contest, key) for key in ("link", "mode", "algorithm", "what")}
        point["kind"] = "collective" if contest.mode else "ping-pong"
        return point | {"ranks": contest.comm.size, "bytes": size, "seconds": middle, "low": low, "high": high}

    def _note(self, contest: Contest, size: int, seconds: float) -> None:
        """What the next size may take is told from the last two. Twice the bytes never take more than twice: that was chance."""
        last, before, _ = self.last.get(id(contest), (seconds, size, 0.0))
        seconds = min(seconds, last * size / before)
        self.last[id(contest)] = (seconds, size, max(0.0, seconds - last) / max(1, size - before))


def _worth(contest: Contest, size: int) -> bool:
    return contest.what == ALL or size >= SHARED


def _samples(comm: MPI.Intracomm, call: Call, limit: float, most: int) -> list[float]:
    """Seconds a call, of each batch. What ``_batch`` gives is the same on all ranks, so they agree on how many."""
    first = _batch(comm, call, 1)  # looks the steps up, touches memory, opens connections
    once = _batch(comm, call, 1) if first < BATCH_SECONDS * BATCH_CALLS else first
    left = limit - first - once
    calls = int(max(LEAST_CALLS, min(max(BATCH_SECONDS / once, BATCH_CALLS), left / once)))
    samples: list[float] = []
    while not samples or (len(samples) < most and left >= calls * samples[-1]):
        samples.append(_batch(comm, call, calls))
        left -= calls * samples[-1]
    return samples


def _batch(comm: MPI.Intracomm, call: Call, calls: int) -> float:
    """Seconds a call, of ``calls`` back to back, on the slowest rank; the last batch's exchange has brought the ranks together."""
    start = perf_counter()
    for _ in range(calls):
        call()
    seconds = np.array((perf_counter() - start) / calls)
    comm.Allreduce(MPI.IN_PLACE, seconds, MPI.MAX)
    return float(seconds)
