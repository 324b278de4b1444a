"""Notes when each rank starts, arrives, updates and ends, round by round; rank 0 makes the costs of it.

The numerical code has no clock. This one puts no barrier into a round: each rank notes its times in memory, and after a window
of rounds they go to rank 0, where the slowest map of each round tells wait from wire. Durations tell that. What shows several
ranks on one clock, a timeline, has their clocks aligned before and after each window.
"""

import os
from collections.abc import Callable, Sequence
from time import perf_counter, thread_time

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm.world import anyone
from mpi_pgd.engine.arrays import numbers
from mpi_pgd.engine.loop import Observer
from mpi_pgd.engine.query import Query
from mpi_pgd.observers.alignment import Alignment, on_one_clock
from mpi_pgd.observers.costs import ARRIVE, BUSY, END, READ, STAMPS, START, UPDATE, UPDATED, Costs

WINDOW = 1024  # rounds at most between two gatherings
GATHERED = 1 << 20  # numbers on rank 0 at most, or 16 rounds
EARLY = 16  # rounds until the first, where clocks are aligned: how long a round takes is not known yet


class Clock(Observer):
    """Notes the times of each round.

    Where ranks that are late skip rounds (``skips``), nobody knows when the others have made how many, and only the last rounds are
    gathered, at the end. With ``aligned`` the times are on one clock, as pictures need them. ``waited`` tells for how many seconds
    this rank has waited for rows until now. The other arguments are those of ``Costs``. Collective.
    """

    def __init__(
        self,
        comm: MPI.Intracomm,
        nodes: Sequence[str],
        first: int,
        keep: int = 0,
        skips: bool = False,
        ids: Sequence[int] = (),
        aligned: bool = False,
        waited: Callable[[], float] = float,
    ) -> None:
        self.comm = comm
        self.crowded = crowded = anyone(comm, nodes.count(nodes[comm.rank]) > (os.cpu_count() or 1))  # on some node
        self.costs = Costs(nodes, first, crowded, keep, ids, skips)  # on rank 0, complete after ``close``
        self.window = self.limit = max(16, min(WINDOW, GATHERED // (STAMPS * comm.size)))
        self.stamps = np.zeros((self.window, STAMPS))
        self.count = 0
        self.apart, self._bound = np.zeros(self.window, dtype=bool), 0  # rounds with an exchange of bounds; the last bound's number
        self.skips, self.numbers = skips, np.zeros(self.window, dtype=np.int64)  # of the rounds whose stamps these are
        self.all, self.now = numbers(self.stamps.reshape(-1)), 0  # all stamps, and where those of this round begin
        self.busy, self.waited, self.before = 0.0, waited, 0.0
        self.processor = thread_time if crowded else float  # a call of the kernel, which is needed there alone
        self._alignment = None
        if (aligned or skips) and len(set(nodes)) > 1:
            self._alignment, self.limit = Alignment(comm, nodes), EARLY

    def began(self, query: Query) -> None:
        """A round starts."""
        self.busy, self.before = self.processor(), self.waited()
        self.all[self.now + START] = perf_counter()

    def mapped(self, query: Query) -> None:
        """This rank arrives. What it waited for rows is booked before the start: they might have been read then."""
        stamps, now, late = self.all, self.now, self.waited() - self.before
        stamps[now + ARRIVE] = perf_counter()
        if late:
            stamps[now + START] += late
            stamps[now + READ] += late
        stamps[now + BUSY] = self.processor() - self.busy
        stamps[now + UPDATE] = stamps[now + UPDATED] = 0.0

    def reduced(self, query: Query) -> None:
        """The update begins."""
        self.all[self.now + UPDATE] = perf_counter()

    def updated(self, query: Query) -> None:
        """The update ends."""
        self.all[self.now + UPDATED] = perf_counter()

    def asked(self, query: Query) -> None:
        """The round ends."""
        self.all[self.now + END] = perf_counter()
        self.apart[self.now // STAMPS] = query.bound != self._bound
        self._bound = query.bound

    def between(self, query: Query) -> None:
        """Say where the stamps of the next round go; gather those of a window. Collective then."""
        if self.skips:
            self.count = query.round
            self.numbers[self.count % self.window] = self.count
        else:
            self.count += 1
            if self.count >= self.limit:
                self._gather()
        self.now = self.count % self.window * STAMPS
        self.all[self.now + READ] = 0.0

    def read(self, seconds: float) -> None:
        """Rows were read for so long since the last round."""
        self.all[self.now + READ] += seconds

    def close(self) -> None:
        """The rest, after the last round. Collective."""
        if self.skips:
            self._sort()
        if self.count:
            self._gather()
        self.costs.drift = self._alignment.drift if self._alignment else 0.0

    def _sort(self) -> None:
        """The last rounds that anybody made, in their order; zeros for those that this rank skipped."""
        wanted = np.arange(max(0, self.count - self.window + 1), self.count)
        places = wanted % self.window
        mine = np.where((self.numbers[places] == wanted)[:, None], self.stamps[places], 0.0)
        self.count = len(wanted)
        self.stamps[: self.count], self.apart[: self.count] = mine, self.apart[places]

    def _gather(self) -> None:
        everyone = np.empty((self.comm.size if self.comm.rank == 0 else 0, self.count, STAMPS))
        self.comm.Gather(self.stamps[: self.count], everyone)
        if self._alignment:
            self.limit = min(self.window, self._alignment.renew(self.count))
        if self.comm.rank == 0:
            if self._alignment:
                everyone = on_one_clock(everyone, self._alignment.before, self._alignment.now)
            self.costs.add(everyone, self.apart[: self.count])
        self.comm.Barrier()  # rank 0 was busy: else the next round would seem to take longer
        self.count = 0
