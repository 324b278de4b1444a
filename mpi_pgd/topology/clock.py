"""Where a round's time goes, on each rank: compute, wait for the slowest, wire, update, input.

The clock wraps a topology and a rule from outside; the numerical code has none. It puts no barrier into a round: each rank
notes when it arrives at the collective, and after the run the latest arrival of each round tells wait from wire.
"""

from time import perf_counter

import numpy as np
from mpi4py import MPI

from mpi_pgd.arrays import Vector
from mpi_pgd.sums import Partial
from mpi_pgd.train import Order, Rule, Topology

KEPT = 1024  # rounds: the last ones
START, ARRIVE, UPDATE, UPDATED, END = range(5)
PARTS = ("compute", "wait", "wire", "update", "input")


class Clock:
    """A topology that notes the times of each round of the topology inside it."""

    def __init__(self, topology: Topology, rule: Rule) -> None:
        self.topology, self.rule = topology, rule
        self.stamps = np.zeros((KEPT, 5))
        self.count = 0
        self.now = self.stamps[0]
        self._timed = _TimedRule(self)

    def open(self, rule: Rule, order: Order) -> None:
        """Start the first round when its order has arrived."""
        self.topology.open(rule, order)
        self.now[START] = perf_counter()

    def step(self, partial: Partial, rule: Rule, order: Order) -> None:
        """Note when this rank arrives and when it leaves."""
        now = self.now
        now[ARRIVE] = perf_counter()
        now[UPDATE] = now[UPDATED] = 0.0
        self.topology.step(partial, self._timed, order)
        self.count += 1
        self.now = self.stamps[self.count % KEPT]
        now[END] = self.now[START] = perf_counter()

    def maximum(self, vector: Vector) -> None:
        """An exchange of the bound belongs to no round."""
        self.topology.maximum(vector)
        self.now[START] = perf_counter()

    def split(self, comm: MPI.Intracomm, offset: float) -> dict[str, float]:
        """Seconds of each part of a round: the mean over the ranks of the median over the rounds. Collective.

        Args:
            comm: the ranks.
            offset: this rank's clock less rank 0's, in seconds (see ``offset``).
        """
        kept = self.stamps[: min(self.count, KEPT)]
        if not len(kept):
            return dict.fromkeys(PARTS, 0.0)
        if self.count >= KEPT:  # the place for the next round's start holds no whole round
            kept = np.delete(kept, self.count % KEPT, axis=0)
        latest = kept[:, ARRIVE] - offset
        comm.Allreduce(MPI.IN_PLACE, latest, MPI.MAX)
        update = kept[:, UPDATED] - kept[:, UPDATE]
        comm.Allreduce(MPI.IN_PLACE, update, MPI.MAX)  # workers wait through the server's update
        compute = kept[:, ARRIVE] - kept[:, START]
        wait = latest - (kept[:, ARRIVE] - offset)
        wire = kept[:, END] - kept[:, ARRIVE] - wait - update
        medians = np.array([np.median(part) for part in (compute, wait, wire, update)] + [0.0])
        comm.Allreduce(MPI.IN_PLACE, medians)
        return dict(zip(PARTS, (medians / comm.size).tolist(), strict=True))


class _TimedRule:
    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def open(self, order: Order) -> None:
        self.clock.rule.open(order)

    def __call__(self, partial: Partial, order: Order) -> None:
        now = self.clock.now
        now[UPDATE] = perf_counter()
        self.clock.rule(partial, order)
        now[UPDATED] = perf_counter()


def offset(comm: MPI.Intracomm, nodes: int) -> float:
    """This rank's clock less rank 0's, in seconds, from the fastest of some ping-pongs. Collective.

    Ranks of one node share the clock, so with one node nothing is sent.
    """
    if nodes == 1:
        return 0.0
    mine = 0.0
    for rank in range(1, comm.size):
        if comm.rank == 0:
            _answer(comm, rank)
        elif comm.rank == rank:
            mine = _ask(comm)
    return mine


PINGS = 8


def _answer(comm: MPI.Intracomm, rank: int) -> None:
    now = np.empty(1)
    for _ in range(PINGS):
        comm.Recv(now, rank)
        now[0] = perf_counter()
        comm.Send(now, rank)


def _ask(comm: MPI.Intracomm) -> float:
    tries, theirs = [], np.zeros(1)
    for _ in range(PINGS):
        sent = perf_counter()
        comm.Send(theirs, 0)
        comm.Recv(theirs, 0)
        back = perf_counter()
        tries.append((back - sent, (sent + back) / 2 - float(theirs[0])))
    return min(tries)[1]
