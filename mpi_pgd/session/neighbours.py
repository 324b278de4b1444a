"""The rounds of peers that talk to their neighbours alone, and what is summed over all peers before and after them."""

from typing import NamedTuple, cast

import numpy as np
from mpi4py import MPI

from mpi_pgd import kernel
from mpi_pgd.comm.collectives import collectives
from mpi_pgd.comm.schedules import recursive_doubling
from mpi_pgd.comm.world import anyone
from mpi_pgd.drivers.fit import FitDriver, Watch
from mpi_pgd.drivers.history import History
from mpi_pgd.drivers.objective import Objective
from mpi_pgd.drivers.peer import Net, PeerDriver
from mpi_pgd.drivers.status import Status
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.block import Source
from mpi_pgd.engine.loop import Mode, StopFlags
from mpi_pgd.engine.query import Query
from mpi_pgd.engine.sums import Sums
from mpi_pgd.engine.tasks import Ask, Task
from mpi_pgd.errors import InputError
from mpi_pgd.modes.gossip import Gossip
from mpi_pgd.session.inspect import Problem
from mpi_pgd.session.model import sums_of
from mpi_pgd.session.passes import make_rounds
from mpi_pgd.solvers.gd import GradientDescent
from mpi_pgd.solvers.suit import Choice


class Neighbourhood(NamedTuple):
    """What peers with neighbours have beside what all have."""

    graph: str  # as the user named it
    peers: int
    neighbours: int  # of the peer that has most
    diameter: int
    gap: float  # 1 less the second largest absolute eigenvalue of W
    messages: float  # that the busiest peer sent in a round, as counted
    bytes: float  # of them
    predicted_messages: int
    predicted_bytes: int
    consensus: float  # the largest distance of a peer's weights from their mean, relative to that
    biased: bool  # the solver comes to rest near the optimum alone


class Peers:
    """The descent of peers, step by step. Every step is collective.

    Attributes:
        driver: of this peer.
        judge: what sums over all rows say at the start, and in the end.
    """

    def __init__(
        self,
        problem: Problem,
        mode: Mode,
        goal: Objective,
        task: Task,
        choice: Choice,
        watch: Watch,
        history: History,
        start: Vector | None,
    ) -> None:
        self.problem, self.mode = problem, cast(Gossip, mode)
        self.comm, graph, chosen = problem.comm, self.mode.graph, problem.settings
        net = Net(self.comm.size, graph.diameter, graph.gap)
        self.driver = PeerDriver(goal, task, choice, net, chosen.rounds, chosen.tol, watch, history, start)
        self.judge = FitDriver(goal, {Ask.GRADIENT: task}, GradientDescent(), 0, chosen.tol, lambda *_: None, history, start)
        self.biased, self.consensus = choice.biased, 0.0
        self.query = Query([task], neighbours=True)
        self.sums = Sums(self.query, problem.partition.blocks, order_free=False, own=True)

    def begin(self, source: Source, flags: StopFlags) -> None:
        """Judge the start, which all have in common, unless the fit goes on; where nothing is to be gained, make no rounds."""
        if not self.driver.rounds:
            self._judged(source, flags)
            self.driver.first = self.judge.begun
            if self.judge.status != Status.ROUNDS:
                self.driver.limit = 0

    def end(self, source: Source, flags: StopFlags) -> tuple[FitDriver, Query]:
        """Judge the mean of all peers' weights: what is returned. The history gets the means of their objectives."""
        driver, judge, comm = self.driver, self.judge, self.comm
        if driver.status is None:
            raise InputError("rows could be read again, after a round in which they could not: look at the disk, and run again")
        mine = driver.safe if anyone(comm, driver.far) else driver.here
        mean = self._mean(mine)
        away = np.array(kernel.norm(mine - mean))
        comm.Allreduce(MPI.IN_PLACE, away, MPI.MAX)
        size = kernel.norm(mean)
        self.consensus = float(away) / size if size else float(away)
        self._gather_history()
        if driver.rounds:
            judge.rounds, judge.begun, judge.state.point[:] = driver.rounds, driver.first, mean
            self._judged(source, flags)
            if judge.status not in (Status.DIVERGED, Status.CONVERGED):
                rests = driver.status in (Status.CONVERGED, Status.PRECISION)
                judge.status = Status.BIASED if rests and self.biased else driver.status
        judge.step = driver.steps.length
        return judge, self._asked

    def _judged(self, source: Source, flags: StopFlags) -> None:
        self._asked = Query(self.judge.tasks)
        sums = sums_of(self.problem, self._asked)
        make_rounds(self.comm, self.mode.whole, source, sums, self.judge, self._asked, [self.problem.pulse], flags)

    def _mean(self, mine: Vector) -> Vector:
        """Of all peers', to the same bits on each of them, and in each run on as many."""
        (add,) = collectives(self.comm, (), (recursive_doubling,))
        total = mine.copy()
        add(total)
        total /= self.comm.size
        return total

    def _gather_history(self) -> None:
        """Of each round the mean of the peers' objectives, each at its own weights, and the largest unrest."""
        history, done = self.driver.history, self.driver.rounds
        lines = history.lines(0, done + 1)[:, 1:]
        if lines.size:
            lines[0] = self._mean(lines[0])
            unrest = lines[1].copy()
            self.comm.Allreduce(MPI.IN_PLACE, unrest, MPI.MAX)
            lines[1] = unrest
            history.extend(1, lines)

    def found(self) -> Neighbourhood:
        """What was sent and what was agreed on, on every rank."""
        mix, graph, comm = self.mode.mix, self.mode.graph, self.comm
        most = np.array([mix.messages, mix.bytes, len(mix.neighbours)], dtype=np.float64)
        comm.Allreduce(MPI.IN_PLACE, most, MPI.MAX)
        calls, degree = max(1, mix.calls), int(most[2])
        size = self.query.buffer[self.query.HEADER :].nbytes
        sent = float(most[0]) / calls, float(most[1]) / calls, degree, degree * size
        return Neighbourhood(graph.name, comm.size, degree, graph.diameter, graph.gap, *sent, self.consensus, self.biased)
