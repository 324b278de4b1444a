"""The driver of one peer among neighbours: it judges the sums of its own rows, and what all agree on comes round by round."""

import math
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from mpi_pgd import kernel
from mpi_pgd.drivers.fit import Watch
from mpi_pgd.drivers.history import History
from mpi_pgd.drivers.objective import EPSILON, Objective
from mpi_pgd.drivers.status import Status
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.partial import Partial, Vote
from mpi_pgd.engine.query import Again, Agreed, Query
from mpi_pgd.engine.tasks import Task
from mpi_pgd.solvers.evaluation import Evaluation
from mpi_pgd.solvers.steps import FARTHER, FixedStep
from mpi_pgd.solvers.suit import Choice

LOST = 4  # roundings of a point, that a mixing may lose


class Net(NamedTuple):
    """What the peers know of their graph."""

    peers: int
    diameter: int  # rounds until all have heard of all
    gap: float  # 1 less the second largest eigenvalue, in size, of what mixes


class Next(IntEnum):
    """What follows where the peers have agreed."""

    STEP = 0
    RETREAT = 1  # all begin again where none was too far
    LEAVE = 2  # some peer can't read its rows any more


class PeerDriver:
    """Descend along the gradient of this peer's rows, at points that the mode mixes with the neighbours'.

    Its objective is (m/n) times the losses of its own rows, and all of the penalty: so the mean of the m peers' is that over all
    rows, however they are shared out.

    Nobody has a sum over all peers, so they agree by maxima: for as many rounds as the graph's diameter each keeps the largest of
    what it and its neighbours say (``Agreed``). Then all know the same, and decide the same in the same round: to take shorter
    steps, to retreat, to stop. What happens in between is told when the next such turn begins.

    Attributes:
        here: (size,) the unknowns that were judged last.
        safe: (size,) those of this peer when last all peers' were known to be none too far.
        far: the newest of this peer are.
    """

    def __init__(
        self,
        objective: Objective,
        task: Task,
        choice: Choice,
        net: Net,
        limit: int,
        tol: float,
        watch: Watch,
        history: History,
        start: Vector | None = None,
    ) -> None:
        self.of, self.solver, self.net, self.limit, self.tol = objective, choice.solver, net, limit, tol
        self.watch, self.history = watch, history
        self.lasting = max(1, net.diameter)  # rounds of a turn
        self.share = objective.aims.weight / net.peers
        self.apart = 0.0 if choice.biased else 2 / net.gap  # how much it counts that neighbours differ
        self.curvature = objective.curvature()._replace(most=math.inf)
        begin = objective.start() if start is None else start
        self.sums = np.empty(task.layout.width)
        self.parts = task.layout.split(self.sums)
        self.gradient, self.before = np.empty(objective.size), begin.copy()
        self.here, self.safe, self.candidate = begin.copy(), begin.copy(), begin.copy()
        self.state = self.solver.init(begin, self.curvature)
        self.learnt = self.state.steps  # of the own gradient
        self.lipschitz, self.steps = 1 / self.learnt.length, FixedStep(self.learnt.length)  # agreed
        self.led = self.lipschitz  # that of the steps until this turn began, which led to what was told then
        self.status: Status | None = None
        self.rounds = self.age = 0  # updates made: of the fit, and since its beginning here
        self.roof = math.inf  # of the own objective; what is above is too far
        self.begun = self.far = self.late = self.signalled = self.unread = False  # a step has led here; as of ``Agreed``
        self.unrest, self.rounding = math.inf, 0.0  # as if features were standardised
        self.first = math.inf  # norm of the gradient over all rows at the start of the fit, likewise

    def dump(self) -> Vector:
        """What another may go on from: float64, of one length."""
        return np.concatenate([self.here, [self.lipschitz, self.first]])

    def load(self, vector: Vector, rounds: int) -> None:
        """Begin anew where some peer was after so many ``rounds``."""
        self.lipschitz, self.first = vector[-2:].tolist()
        self.led = self.lipschitz
        self.rounds = rounds
        self.steps = FixedStep(1 / self.lipschitz) if self.learnt.recovers else self.steps
        for each in (self.here, self.safe, self.candidate, self.before):
            each[:] = vector[:-2]
        self.state = self.solver.init(self.here, self.curvature)

    def open(self, query: Query) -> None:
        """All begin at the same point."""
        self.of.to_user(self.state.point, query.point)

    def update(self, partial: Partial, query: Query) -> None:
        """Judge the own sums; at the end of a turn decide what all decide; step."""
        self.here = self.of.from_user(query.point)
        found = self._evaluate(partial, query)
        votes, self.unread = partial.votes, self.unread or partial.unread
        self.late, self.signalled = self.late or votes[Vote.LATE] > 0, self.signalled or votes[Vote.SIGNALLED] > 0
        following = Next.STEP
        if self.age % self.lasting == 0:
            following = self._decide(query.agreed) if self.age else Next.STEP
            self._tell(query.agreed)
        if not self.status and self.rounds >= self.limit:
            self.status = Status.ROUNDS
        if following == Next.LEAVE:
            query.again = Again.UNREAD
        if self.status or following == Next.LEAVE:
            query.stop = True
            return
        self._step(following, found)
        self.of.to_user(self.state.point, query.point)

    def _evaluate(self, partial: Partial, query: Query) -> Evaluation | None:
        """The own objective, and how far from rest this peer and its neighbours are; None if the point is too far to tell."""
        partial.total(self.sums)
        value = self.of.value_and_gradient(self.parts, self.here, self.gradient, self.share)
        if self.age == 0:
            self.roof = value + self.net.peers * max([0.0, *self.history.objective[:1]])
        whole = not partial.unread and partial.votes[Vote.BROKEN] == 0
        near = whole and value <= self.roof and math.isfinite(kernel.norm(self.gradient))
        self.far = self.far or not near
        found, length = None, self.steps.length
        self.unrest = math.inf
        if near:
            loss = float(self.parts["value"] / self.share) - self.of.aims.floor
            own = self.of.rounding(query.point, loss)
            found = Evaluation(value, self.gradient, own)
            # That the own objective rises says nothing, as long as that of all may fall.
            self.learnt = self.learnt.next(self.here, found._replace(value=0.0))
            moved = kernel.norm((self.here - self.before) / self.of.unit)
            differs = kernel.norm((self.here - self.state.point) / self.of.unit)
            self.unrest = float(max(moved, self.apart * differs)) / length if self.begun else math.inf
            lost = max(1.0, self.apart) * LOST * EPSILON * kernel.norm(self.here) / length
            self.rounding = (own + lost) / float(self.of.unit.max(initial=1.0))
        self._note(found, length)
        return found

    def _note(self, found: Evaluation | None, length: float) -> None:
        """A line of the history; where nothing can be told that of the round before, as nothing is gained."""
        history = self.history
        if not self.rounds:
            return  # the sums over all rows have made the first one
        history.cut(self.rounds)
        value, norm = history.objective[-1], history.gradient_norm[-1]
        if found:
            value = found.value
            norm = self.unrest if self.begun else kernel.norm(found.gradient)
        history.add(value, norm, length)
        self.watch(self.rounds, value, norm)

    def _tell(self, agreed: Vector) -> None:
        """A turn begins."""
        self.candidate[:] = self.here
        agreed[Agreed.LIPSCHITZ] = max(self.lipschitz, 1 / self.learnt.length)
        agreed[Agreed.UNREST], agreed[Agreed.ROUNDING] = self.unrest, self.rounding
        agreed[Agreed.FAR], agreed[Agreed.LATE], agreed[Agreed.SIGNALLED] = self.far, self.late, self.signalled
        agreed[Agreed.UNREAD] = self.unread

    def _decide(self, agreed: Vector) -> Next:
        """A turn has ended: all have the same numbers, those from when it began."""
        if agreed[Agreed.UNREAD] > 0:
            return Next.LEAVE
        far = agreed[Agreed.FAR] > 0
        lipschitz = max(float(agreed[Agreed.LIPSCHITZ]), FARTHER * self.led if far else 0.0)
        self.led = self.lipschitz
        if far and not (self.learnt.recovers and lipschitz < math.inf):
            self.status = Status.DIVERGED
        elif agreed[Agreed.UNREST] <= self.tol * self.first:
            self.status = Status.CONVERGED
        elif self.tol and agreed[Agreed.UNREST] <= agreed[Agreed.ROUNDING]:
            self.status = Status.PRECISION
        elif agreed[Agreed.SIGNALLED] > 0:
            self.status = Status.SIGNAL
        elif agreed[Agreed.LATE] > 0:
            self.status = Status.TIME
        if not far:
            self.safe[:] = self.candidate
        if self.status:
            return Next.STEP
        if lipschitz > self.lipschitz:
            self.lipschitz, self.steps = lipschitz, FixedStep(1 / lipschitz)
        if far:
            self.here, self.far, self.unrest = self.safe.copy(), False, math.inf  # of there nothing is known
            return Next.RETREAT
        return Next.STEP

    def _step(self, following: Next, found: Evaluation | None) -> None:
        if following == Next.RETREAT:
            self.state = self.solver.init(self.here, self.curvature)
        else:
            self.state.point[:] = self.here
            if found:  # else where it is, until all retreat
                self.state = self.solver.update(self.state._replace(steps=self.steps), found)
        self.before, self.begun = self.here, following == Next.STEP
        self.rounds += 1
        self.age += 1
