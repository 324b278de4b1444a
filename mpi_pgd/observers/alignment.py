"""What the clocks of several nodes show more than that of the first. All are asked at once, and again later, as clocks drift."""

import math
from collections.abc import Sequence
from time import perf_counter
from typing import NamedTuple

import numpy as np
from mpi4py import MPI

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.observers.costs import BUSY, START

PINGS, AGAIN = 8, 4  # the first time, and later
REALIGN = 10.0  # seconds between two alignments, about
SHARE = 0.01  # of the time that they may take: where the way is long, they are made less often
TAG = 16


class Reading(NamedTuple):
    """When rank 0's clock showed ``at``, those of all ranks showed ``offsets`` more, (ranks,) seconds."""

    at: float
    offsets: Vector


class Alignment:
    """The clocks of all ranks beside rank 0's, ``before`` and ``now``. Held by rank 0.

    Ranks of one node share the clock.
    """

    def __init__(self, comm: MPI.Intracomm, nodes: Sequence[str]) -> None:
        self.comm, self.nodes = comm, nodes
        self.took = 0.0  # seconds, the last time
        self.first = self.before = self.now = self._ask(PINGS)

    @property
    def drift(self) -> float:
        """Seconds, the largest change since the first alignment."""
        return float(np.abs(self.now.offsets - self.first.offsets).max())

    def renew(self, rounds: int) -> int:
        """Ask again, after so many rounds; gives after how many more it is to be done next, the same on every rank. Collective."""
        self.before, self.now = self.now, self._ask(AGAIN)
        seconds = (self.now.at - self.before.at) / max(rounds, 1)
        due = np.array(max(REALIGN, self.took / SHARE) // max(seconds, 1e-9), dtype=np.int64)
        self.comm.Bcast(due)
        return max(1, int(due))

    def _ask(self, pings: int) -> Reading:
        begun = perf_counter()
        firsts = [self.nodes.index(node) for node in dict.fromkeys(self.nodes)]
        found = offsets(self.comm, firsts, pings)
        ended = perf_counter()
        self.took = ended - begun
        return Reading((begun + ended) / 2, np.array([found[self.nodes.index(node)] for node in self.nodes]))


def on_one_clock(stamps: Vector, before: Reading, after: Reading) -> Vector:
    """Stamps (ranks, rounds, 7) made between two readings as rank 0's clock would have shown them; zeros stay.

    Offsets between the readings are on the line through both. A round is moved as a whole, so that what it took stays what the
    rank's own clock says.
    """
    rates = (after.offsets - before.offsets)[:, None] / (after.at - before.at)
    passed = stamps[:, :, START] - before.offsets[:, None] - before.at  # by the rank's own clock
    offsets = before.offsets[:, None] + passed * rates / (1.0 + rates)
    times = stamps[:, :, :BUSY]
    return np.concatenate([np.where(times == 0.0, 0.0, times - offsets[:, :, None]), stamps[:, :, BUSY:]], axis=-1)


def offsets(comm: MPI.Intracomm, firsts: Sequence[int], pings: int = PINGS) -> dict[int, float]:
    """What the clocks of the ranks ``firsts`` show more than rank 0's, which is the first of them, in seconds. Collective.

    They are the nodes of a binomial tree. Each pings its parent, and answers its children as their pings come, all at once: it
    takes as long as one of them alone, and nobody answers more than log2 of them. Offsets are added up along the tree.
    (S. Hunold, A. Carpen-Amarie, "Hierarchical Clock Synchronization in MPI", 2018: there a level of the tree after the other.)

    The answer is rank 0's; the others' means nothing. An error is at most half of what the fastest way there and the fastest way
    back differ by, on each of the tree's edges up to rank 0.
    """
    mine = np.array(_beside_parent(comm, firsts, firsts.index(comm.rank), pings) if comm.rank in firsts else 0.0)
    edges = np.zeros(comm.size)
    comm.Gather(mine, edges if comm.rank == 0 else None)
    comm.Barrier()  # nobody asks again while others are still asked, and all go on together
    found: dict[int, float] = {}
    for place, rank in enumerate(firsts):
        found[rank] = float(edges[rank]) + (found[firsts[_parent(place)]] if place else 0.0)
    return found


def _parent(place: int) -> int:
    return place & (place - 1)


def _beside_parent(comm: MPI.Intracomm, firsts: Sequence[int], place: int, pings: int) -> float:
    """What this rank's clock shows more than its parent's; 0 on rank 0.

    The fastest way there and the fastest way back may be those of two pings: where one had to queue, it counts on one way at most.
    """
    children = [rank for other, rank in enumerate(firsts) if other and _parent(other) == place]
    peers = [firsts[_parent(place)]] * bool(place) + children
    boxes = [np.zeros(2) for _ in peers]  # when a ping came, and when it was answered
    left = [pings] * len(peers)
    # One receive a peer: of those from any source some got lost, with MPICH 5.0 over UCX.
    waiting = [comm.Irecv(box, peer, TAG) for box, peer in zip(boxes, peers, strict=True)]
    there = back = math.inf
    sent = perf_counter()
    if place:
        comm.Send(np.zeros(2), peers[0], TAG)
    while any(left):
        which = MPI.Request.Waitany(waiting)
        came, box = perf_counter(), boxes[which]
        left[which] -= 1
        if place and which == 0:
            there, back = min(there, box[0] - sent), min(back, came - box[1])
            sent = perf_counter()
        else:
            box[:] = came, perf_counter()
        if left[which] or which or not place:
            comm.Send(box, peers[which], TAG)
        if left[which]:
            waiting[which] = comm.Irecv(box, peers[which], TAG)
    return (back - there) / 2 if place else 0.0
