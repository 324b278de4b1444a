"""What each rank keeps of a fit, to go on when others are lost; a checkpoint is the same in a file."""

from collections.abc import Callable
from time import perf_counter
from typing import NamedTuple

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm.collectives import LIBRARY
from mpi_pgd.drivers.fit import FitDriver
from mpi_pgd.drivers.history import History
from mpi_pgd.drivers.peer import PeerDriver
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.loop import Observer
from mpi_pgd.engine.query import Query
from mpi_pgd.engine.sums import Sums
from mpi_pgd.errors import InputError
from mpi_pgd.recovery.checkpoint import Checkpoint

INTERVAL = 0.05  # seconds between two snapshots, at least: so much work is done again after a loss
SELDOM = 50  # times what a snapshot takes, at least
DIGEST = 4  # float64 that a sha256 has room in


class Snapshot(NamedTuple):
    """A fit between two rounds, published as one object: who takes it at any time, as the watcher does, gets what belongs together.

    Nothing in it is written to, but that ``history`` may get lines after those of its rounds.
    """

    rounds: int  # updates made
    vector: Vector  # [peaks of the bound | dump of the driver]; empty before the first snapshot
    history: History  # with a line for each of the rounds
    setup: Vector | None = None  # see ``drivers.moments.Moments.vector``; None if it is not known yet


class RankState:
    """What a rank holds: the newest ``snapshot``."""

    def __init__(self, history: History) -> None:
        self.snapshot = Snapshot(0, np.zeros(0), history)

    @property
    def history(self) -> History:
        """The newest snapshot's."""
        return self.snapshot.history

    def prepared(self, setup: Vector) -> None:
        """The setup is known."""
        self.snapshot = self.snapshot._replace(setup=setup)

    def restore(self, found: Checkpoint, start: float) -> None:
        """Have what a checkpoint has; ``start`` is when the clock of this run began."""
        start -= found.elapsed
        if len(found.setup):
            history = History.of(start, np.array(found.history), found.first)
            self.snapshot = Snapshot(found.rounds, found.state, history, found.setup)
        else:
            self.snapshot = self.snapshot._replace(history=History(start))

    def agree(self, comm: MPI.Intracomm) -> None:
        """Let every rank have the newest that any rank has. Collective."""
        mine = self.snapshot
        setups, rounds = zip(*comm.allgather((mine.setup is not None, mine.rounds)), strict=True)
        if any(setups) and not all(setups):
            mine = mine._replace(setup=comm.bcast(mine.setup, setups.index(True)))
        newest = max(rounds)
        if newest > min(rounds):
            parts = (mine.vector, mine.history.lines(0, newest), mine.history.first)
            vector, lines, first = comm.bcast(parts, rounds.index(newest))
            mine = mine._replace(rounds=newest, vector=vector, history=History.of(self.history.start, lines, first))
        self.snapshot = mine


class Snapshots(Observer):
    """Marks in the query that the state is to be kept, and keeps it.

    Begins by giving the driver and the bound of the sums the state that is held.
    """

    def __init__(
        self,
        held: RankState,
        driver: FitDriver | PeerDriver,
        sums: Sums,
        *,
        updates: bool,  # this rank does, so it has the state
        takes: bool,  # this rank keeps it
        comm: MPI.Intracomm | None,  # over which rank 0, which alone updates, gives the state to the others; None if it does not
        every: int,  # also after each so many rounds, if not 0
        done: Callable[[], None],  # called after that
    ) -> None:
        self.held, self.driver, self.sums, self.comm, self.every, self.done = held, driver, sums, comm, every, done
        self.updates, self.takes = updates, takes
        self.due = perf_counter() + INTERVAL
        self.asked_at = 0.0
        self._bound = 0
        rounds, vector = held.snapshot[:2]
        held.history.cut(rounds)
        if rounds:
            if len(vector) != len(sums.peaks) + len(driver.dump()):  # on every rank alike
                raise InputError("the checkpoint is damaged, its state is not one of this solver and data: take an older copy")
            sums.peaks[:] = vector[: len(sums.peaks)]
            sums.rebound()
            driver.load(vector[len(sums.peaks) :], rounds)

    def updated(self, query: Query) -> None:
        """Whether the state is to be kept. Not before the bound is exchanged: until then the peaks are spread over the ranks."""
        rounds = self.driver.rounds
        settled, self._bound = query.bound == self._bound, query.bound
        due = perf_counter() >= self.due or (self.every > 0 and rounds % self.every == 0)
        query.snapshot = rounds if due and settled and not query.stop else 0
        self.asked_at = perf_counter()

    def between(self, query: Query) -> None:
        """Keep the state if the query says so. Collective, if the state has to be given to the others."""
        if not self.takes:
            return
        if query.snapshot:
            begun = self.asked_at if self.updates else perf_counter()  # with replicas, the late ones are waited for in between
            vector = self._vector()
            if self.comm:
                vector = self._given(self.comm, vector, query.snapshot)
            self._publish(query.snapshot, vector)
            now = perf_counter()
            self.due = now + max(INTERVAL, SELDOM * (now - begun))
            if self.every and query.snapshot % self.every == 0:
                self.done()
        elif query.stop and self.updates:
            self._publish(self.driver.rounds, self._vector())

    def _publish(self, rounds: int, vector: Vector) -> None:
        self.held.snapshot = self.held.snapshot._replace(rounds=rounds, vector=vector)

    def _vector(self) -> Vector:
        return np.concatenate([self.sums.exchanged, self.driver.dump()])

    def _given(self, comm: MPI.Intracomm, vector: Vector, rounds: int) -> Vector:
        """The server's state on every rank, in one message with the lines of the history since the snapshot before. Collective."""
        history, before = self.held.history, self.held.snapshot.rounds
        parts = [vector, np.empty(len(History.COLUMNS) * (rounds - before)), np.zeros(DIGEST)]
        if self.updates:
            parts[1:] = history.lines(before, rounds).ravel(), np.frombuffer(bytes.fromhex(history.first))
        message = np.concatenate(parts)
        LIBRARY["broadcast"](comm)(message)
        vector, lines, first = np.split(message, np.cumsum([len(part) for part in parts[:2]]))
        if not self.updates:
            history.extend(before, lines.reshape(len(History.COLUMNS), -1))
            history.first = first.tobytes().hex()
        return vector
