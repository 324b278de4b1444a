"""Blocks move from slow ranks to fast ones between rounds. No bit changes by it: a block's vector is the same whoever maps it."""

from collections.abc import Callable
from time import perf_counter, thread_time

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from mpi_pgd.data.partition import Owners
from mpi_pgd.engine.loop import Observer
from mpi_pgd.engine.query import Query
from mpi_pgd.system.log import LOG

FIRST, SELDOM = 4, 128  # rounds until the first look; each time half as many more, but no more than these
Share = Callable[[Owners, NDArray[np.float64]], Owners]  # who should hold which block, by the seconds that each worker takes
Move = Callable[[Owners], str]  # has every rank hold the blocks that it owns, or says why all is as before; collective

Told = Callable[[float], None]  # hears how many seconds a look took, with the moves that came of it


class Balance(Observer):
    """Measures how long each worker maps a block, and has blocks moved if that would pay.

    ``worker`` is this rank's number among those that hold blocks, or -1, and ``owners`` are the same on every rank. If it is
    ``crowded``, ranks share cores, so others' work is not to count.
    """

    def __init__(
        self, comm: MPI.Intracomm, worker: int, owners: Owners, crowded: bool, share: Share, move: Move, told: Told
    ) -> None:
        self.comm, self.worker, self.owners, self.share, self.move, self.told = comm, worker, owners, share, move, told
        self.now = thread_time if crowded else perf_counter
        self.took = np.zeros(SELDOM)
        self.count, self.look = 0, FIRST
        self.moves = self.moved = 0  # how often blocks have moved, and how many
        self.skipped = 0  # how often they could not, as a rank has no room for them, or can't read them; that is said once
        self.begun = 0.0

    def began(self, query: Query) -> None:
        """The map begins."""
        self.begun = self.now()

    def mapped(self, query: Query) -> None:
        """Note how long it took."""
        self.took[self.count] = self.now() - self.begun

    def between(self, query: Query) -> None:
        """After some rounds, look, and move. Collective then."""
        self.count += 1
        if self.count == self.look and not query.stop:
            begun = perf_counter()
            self._balance()
            self.told(perf_counter() - begun)
            self.count, self.look = 0, min(self.look * 3 // 2, SELDOM)

    def _balance(self) -> None:
        mine = np.array([self.worker, np.median(self.took[: self.count])])
        everyone = np.empty((self.comm.size, 2))
        self.comm.Allgather(mine, everyone)
        workers, medians = everyone[everyone[:, 0] >= 0].T
        seconds = np.zeros(int(workers.max()) + 1)  # the last workers may hold nothing
        seconds[workers.astype(int)] = medians
        after = self.share(self.owners, seconds)
        changed = int((after != self.owners).sum())
        trouble = self.move(after) if changed else ""
        if changed and not trouble:
            self.owners = after
            self.moves += 1
            self.moved += changed
        if trouble and not self.skipped and self.comm.rank == 0:
            LOG.warning(f"the blocks stay where they are, --balance can't move {changed} of them: {trouble}")
        self.skipped += bool(trouble)
