"""Notes when each rank starts, arrives, updates and ends, round by round; rank 0 makes the costs of it.

The numerical code has no clock. This one puts no barrier into a round: each rank notes its times in memory, and after a window
of rounds they go to rank 0, where the latest arrival of each round tells wait from wire. Clocks of several nodes are aligned at
the start, at the end, and at intervals between.
"""

import os
from collections.abc import Sequence
from time import perf_counter, thread_time

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm.world import anyone
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.loop import Observer
from mpi_pgd.engine.query import Query
from mpi_pgd.observers.costs import ARRIVE, BUSY, END, STAMPS, START, UPDATE, UPDATED, Costs

WINDOW = 1024  # rounds at most between two gatherings
GATHERED = 1 << 20  # numbers on rank 0 at most, or 16 rounds
REALIGN = 10.0  # seconds; good clocks drift by microseconds in that time
PINGS = 8


class Clock(Observer):
    """Notes the times of each round.

    Where ranks that are late skip rounds (``skips``), nobody knows when the others have made how many, and only the last rounds are
    gathered, at the end. The other arguments are those of ``Costs``.
    """

    def __init__(
        self, comm: MPI.Intracomm, nodes: Sequence[str], first: int, keep: int = 0, skips: bool = False, ids: Sequence[int] = ()
    ) -> None:
        self.comm = comm
        self.crowded = crowded = anyone(comm, nodes.count(nodes[comm.rank]) > (os.cpu_count() or 1))  # on some node
        self.costs = Costs(nodes, first, crowded, keep, ids)  # on rank 0, complete after ``close``
        self.window = max(16, min(WINDOW, GATHERED // (STAMPS * comm.size)))
        self.stamps = np.zeros((self.window, STAMPS))
        self.count = 0
        self.skips, self.numbers = skips, np.zeros(self.window, dtype=np.int64)  # of the rounds whose stamps these are
        self.now = self.stamps[0]
        self.busy = 0.0
        self.processor = thread_time if crowded else float  # a call of the kernel, which is needed there alone
        self._alignment = _Alignment(comm, nodes)

    def began(self, query: Query) -> None:
        """A round starts."""
        self.busy = self.processor()
        self.now[START] = perf_counter()

    def mapped(self, query: Query) -> None:
        """This rank arrives."""
        now = self.now
        now[ARRIVE] = perf_counter()
        now[BUSY] = self.processor() - self.busy
        now[UPDATE] = now[UPDATED] = 0.0

    def reduced(self, query: Query) -> None:
        """The update begins."""
        self.now[UPDATE] = perf_counter()

    def updated(self, query: Query) -> None:
        """The update ends."""
        self.now[UPDATED] = perf_counter()

    def asked(self, query: Query) -> None:
        """The round ends; say where the stamps of the next one go."""
        self.now[END] = perf_counter()
        if self.skips:
            self.count = query.round
            self.numbers[self.count % self.window] = self.count
        else:
            self.count += 1
            if self.count == self.window:
                self._gather()
        self.now = self.stamps[self.count % self.window]

    def close(self) -> None:
        """The rest, after the last round. Collective."""
        self._alignment.renew(now=True)
        if self.skips:
            self._sort()
        self._gather()
        self.costs.drift = self._alignment.drift

    def _sort(self) -> None:
        """The last rounds that anybody made, in their order; zeros for those that this rank skipped."""
        wanted = np.arange(max(0, self.count - self.window + 1), self.count)
        places = wanted % self.window
        mine = np.where((self.numbers[places] == wanted)[:, None], self.stamps[places], 0.0)
        self.count = len(wanted)
        self.stamps[: self.count] = mine

    def _gather(self) -> None:
        everyone = np.empty((self.comm.size if self.comm.rank == 0 else 0, self.count, STAMPS))
        self.comm.Gather(self.stamps[: self.count], everyone)
        if self.comm.rank == 0 and self.count:
            self.costs.add(self._alignment.on_one_clock(everyone))
        self.count = 0
        self._alignment.renew()


class _Alignment:
    """What each rank's clock shows more than rank 0's, twice, and the line through both. Held by rank 0.

    Ranks of one node share the clock; with one node nothing is ever sent.
    """

    def __init__(self, comm: MPI.Intracomm, nodes: Sequence[str]) -> None:
        self.comm, self.nodes = comm, nodes
        self.alone = len(set(nodes)) == 1
        self.at = perf_counter()
        self.first = self.offsets = self._ask()
        self.before = (self.at, self.offsets)

    @property
    def drift(self) -> float:
        """Seconds, the largest change since the first alignment."""
        return float(np.abs(self.offsets - self.first).max())

    def renew(self, now: bool = False) -> None:
        """Ask again if it is long ago, which rank 0 decides, or ``now``. Collective."""
        if self.alone:
            return
        due = np.array(now or perf_counter() - self.at > REALIGN)
        self.comm.Bcast(due)
        if due:
            self.before = (self.at, self.offsets)
            self.at, self.offsets = perf_counter(), self._ask()

    def on_one_clock(self, stamps: Vector) -> Vector:
        """Stamps (ranks, rounds, 6) as rank 0's clock would have shown them; zeros stay."""
        if self.alone:
            return stamps
        since, early = self.before
        late = self.offsets
        way = np.clip((stamps[0, :, START] - since) / max(self.at - since, 1e-9), 0.0, 1.0)
        offsets = early[:, None] + (late - early)[:, None] * way
        times = stamps[:, :, :BUSY]
        return np.concatenate([np.where(times == 0.0, 0.0, times - offsets[:, :, None]), stamps[:, :, BUSY:]], axis=-1)

    def _ask(self) -> Vector:
        found = offsets(self.comm, [self.nodes.index(node) for node in dict.fromkeys(self.nodes)])
        return np.array([found[self.nodes.index(node)] for node in self.nodes])


def offsets(comm: MPI.Intracomm, others: Sequence[int]) -> dict[int, float]:
    """What the clocks of ``others`` show more than rank 0's, in seconds, from the fastest of some ping-pongs.

    Collective; the answer is rank 0's, the others get zeros. An error is at most half of the fastest ping-pong.
    """
    found = dict.fromkeys(others, 0.0)
    for rank in filter(None, others):
        if comm.rank == 0:
            found[rank] = _ping(comm, rank)
        elif comm.rank == rank:
            _pong(comm)
    return found


def _ping(comm: MPI.Intracomm, rank: int) -> float:
    tries, theirs = [], np.zeros(1)
    for _ in range(PINGS):
        sent = perf_counter()
        comm.Send(theirs, rank)
        comm.Recv(theirs, rank)
        back = perf_counter()
        tries.append((back - sent, float(theirs[0]) - (sent + back) / 2))
    return min(tries)[1]


def _pong(comm: MPI.Intracomm) -> None:
    now = np.empty(1)
    for _ in range(PINGS):
        comm.Recv(now, 0)
        now[0] = perf_counter()
        comm.Send(now, 0)
