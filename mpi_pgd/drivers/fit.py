"""The driver of a fit: judge the point that was evaluated, then let the solver take a step."""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mpi_pgd.drivers import precise
from mpi_pgd.drivers.best import Best, Figures, decrement
from mpi_pgd.drivers.certificate import Certificate, Certifier, Evidence, Kind
from mpi_pgd.drivers.history import History
from mpi_pgd.drivers.objective import EPSILON, Objective
from mpi_pgd.drivers.reading import Reading
from mpi_pgd.drivers.separation import REST, Motion
from mpi_pgd.drivers.status import Status
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.batches import rows_of
from mpi_pgd.engine.partial import Partial, Vote
from mpi_pgd.engine.query import Query
from mpi_pgd.engine.state import dump, load
from mpi_pgd.engine.tasks import Ask, Task
from mpi_pgd.errors import InputError
from mpi_pgd.solvers import Solver
from mpi_pgd.solvers.diagnosis import Diagnosis
from mpi_pgd.solvers.evaluation import Evaluation
from mpi_pgd.solvers.suit import DIGITS

ROUNDED = 8 * EPSILON  # of an objective: a fall of no more is none


Watch = Callable[[int, float, float], None]  # the round, the objective, the gradient's norm


class FitDriver:
    """Descend until the gradient is small or nothing but rounding, the rounds or the time are used up, or a signal came.

    Each evaluation first judges the weights that it was made at; only if the fit goes on does the solver move them. So what is
    reported belongs to the weights that are returned, and ``rounds`` counts the solver's updates.
    """

    def __init__(
        self,
        objective: Objective,
        tasks: Mapping[Ask, Task],
        solver: Solver,
        limit: int,
        tol: float,
        watch: Watch,
        history: History,
        start: Vector | None = None,
    ) -> None:
        self.of, self.solver, self.limit, self.tol, self.watch = objective, solver, limit, tol, watch
        self.asks, self.tasks = list(tasks), list(tasks.values())
        self.widths = [task.width for task in self.tasks]
        self.refines = Ask.PRECISE in tasks  # points are pairs, and the solver knows when nothing more is to be gained
        loss = objective.loss
        self.certifier = Certifier(objective.penalty, objective.free, loss.centred, loss.convex, objective.outputs)
        self.evidence, self.certificate = self.certifier.start(), Certificate(math.inf, Kind.NORM)
        limits = zip(*objective.penalty.limits, strict=True)
        endless = np.array([low == -math.inf and high == math.inf for low, high in limits], dtype=bool)
        self.unheld = objective.penalty.loose[endless]  # the weights that may go on for ever
        self.looks = objective.loss.pulls(np.zeros(0)) is not None and len(self.unheld) > 0  # rows may be separated
        self.motion = Motion.still(objective.size if self.looks else 0)
        begin = objective.start() if start is None else start.copy()
        if rough := objective.penalty.nonsmooth:
            rough.prox(begin, 0.0, begin)  # within the bounds: the first objective is what gains are relative to
        self.state = solver.init(begin, objective.curvature())
        self.reading = Reading(objective, self.tasks)
        self.gradient = self.reading.gradient
        self.best = Best(self.tasks[0].width)
        self.history = history
        self.status: Status | None = None  # why it ended
        self.rounds = 0  # updates made
        self.drawn: list[int] = []  # the rounds here, whose lines in the history are of a batch alone
        self.objective = self.gradient_norm = self.loss = math.inf  # at the weights in the last query; the loss is a mean
        self.step = self.rounding = 0.0  # of the last update, and of the gradient
        self.begun = math.inf  # the gradient's norm were the features standardised, in the first round

    def dump(self) -> Vector:
        """The state between two calls, but for the history: float64, of one length. What was judged last will be judged again."""
        mine = [self.step, self.best.smallest, self.best.fell, self.begun]
        return np.concatenate([*map(dump, self._parts()), self.best.point, mine])

    def _parts(self) -> tuple[Any, Evidence, Motion, Figures]:
        return self.state, self.evidence, self.motion, self.best.figures

    def load(self, vector: Vector, rounds: int) -> None:
        """Go on from what ``dump`` gave after so many ``rounds``; the history must have a line for each. Refuses all else."""
        sizes = [*(len(dump(part)) for part in self._parts()), len(self.best.point)]
        *found, best, mine = np.split(vector, np.cumsum(sizes))
        self.state, self.evidence, self.motion, self.best.figures = map(load, found, self._parts())
        if not self.state.steps.sound:
            raise InputError("the checkpoint is damaged, its state has no curvature to go on with: take an older copy")
        self.best.point[:] = best
        self.step, self.best.smallest, self.best.fell, self.begun = mine.tolist()
        self.rounds = rounds

    def open(self, query: Query) -> None:
        """Start at zero, or where ``load`` says."""
        self._ask(query)

    def _ask(self, query: Query) -> None:
        query.number = number = self.asks.index(self.state.ask)
        if self.refines:
            precise.to_user(self.of, self.state.point, query.point)
            return
        self.of.to_user(self.state.point, query.point)
        usual = self.widths[0]
        if self.widths[number] > usual:
            request = self.state.request
            query.point[usual : usual + len(request)] = request

    def update(self, partial: Partial, query: Query) -> None:
        """Judge, then step."""
        number, votes = query.number, partial.votes.tolist()
        task = query.tasks[number]
        units = task.units
        rows = self.of.rows if units is None else rows_of(units, self.of.rows)
        if votes[Vote.ROWS] != rows:
            raise RuntimeError(f"{votes[Vote.ROWS]:.0f} of {rows} rows were summed")
        broken = votes[Vote.BROKEN] > 0
        self.history.cut(self.rounds)
        if units is not None:
            self.drawn.append(self.rounds)
        found = self._too_far() if broken else self._evaluate(partial, query, number, task)
        self.status = self._judge(found.value, votes, units is None) or self.status
        if self.status and units is not None and self.status != Status.DIVERGED:
            query.number = 0  # these weights may be returned: all rows judge them first
            self.drawn.pop()
            return
        if self.status:
            self._end(query)
            return
        if self.looks and not broken and units is None:
            self.motion.note(self.state.point, self.gradient)
        self.state = self.solver.update(self.state, found)
        self.step = self.state.step
        self.rounds += 1
        self._ask(query)

    def _end(self, query: Query) -> None:
        """Stop at the weights that were judged; at the best ones if the fit ran away, or these are a trial's or of chance."""
        chance = self.state.steps.recovers or Ask.BATCH in self.asks
        trial = chance and self.objective > self.best.figures.objective and self.status != Status.CONVERGED
        if self.status == Status.DIVERGED or trial:
            query.point[: len(self.best.point)] = self.best.point
            self._report(self.best.figures)
        query.stop = True

    def _report(self, found: Figures) -> None:
        """What is said of the weights that were judged, or of those that are returned in their place."""
        self.objective, self.gradient_norm, self.loss, self.rounding, decrement = found
        if self.refines and self.state.finished:
            self.certificate = Certificate(EPSILON * abs(found.objective), Kind.SOLVED)
        elif self.of.loss.convex:
            known = None if math.isnan(decrement) else decrement
            self.certificate = self.certifier.certificate(self.evidence, found.objective, found.gradient_norm, known)
        else:
            self.certificate = Certificate(found.gradient_norm, Kind.NORM)

    def _too_far(self) -> Evaluation:
        """Sums that are not finite; the history's line is that of the round before, as nothing is gained."""
        if self.history.objective:
            self.history.add(self.history.objective[-1], self.history.gradient_norm[-1], self.step)
            self.watch(self.rounds, self.objective, self.gradient_norm)
        return Evaluation(math.inf, self.gradient, self.rounding, prox=self.of.penalty.nonsmooth)

    def _evaluate(self, partial: Partial, query: Query, number: int, task: Task) -> Evaluation:
        """The objective; notes it, and the best point so far, which is what a diverged fit returns."""
        point, ask = query.point, self.asks[number]
        sums, parts = self.reading.summed(partial, number, task)
        part = 0.0 if task.units is None else float(parts["weight"])
        smooth = self.of.value_and_gradient(parts, self.state.point, self.gradient, part)
        value, norm = self.reading.whole(smooth, self.state.point)
        if not self.history.objective:
            self.begun = self.reading.left
            self.history.first = hashlib.sha256(np.ascontiguousarray(sums, "<f8").data).hexdigest()
        self.history.add(value, norm, self.step)
        loss = parts["value"].item() / (part or self.of.aims.weight) - self.of.aims.floor
        hessian = self.reading.hessian(parts, self.state)
        if self.certifier.held and task.units is None:
            self.evidence = self.certifier.update(self.evidence, smooth, self.gradient, self.state.point[: self.of.size])
        rounding = self.of.rounding(point, loss) + self.reading.lost(partial, query, part)
        found = Figures(value, norm, loss, rounding, self._decrement(hessian, ask))
        self._report(found)
        if task.units is None:
            self.best.note(found, point, self.rounds, self._tells(value))
        self.watch(self.rounds, value, norm)
        gradient, low = self.gradient, None
        if ask == Ask.PRECISE:
            gradient, low = precise.gradient(self.of, task.layout, partial.pair(), self.state.point)
        return Evaluation(smooth, gradient, self.rounding, hessian, low, self.of.penalty.nonsmooth)

    @property
    def restless(self) -> bool:
        """Whether the fit has ended, but the unknowns would go on and on, as they do where rows are separated."""
        if not self.looks or self.status == Status.ROUNDS:
            return self.looks and self.rounds > 0
        reach = np.append(np.tile(self.of.reach, self.of.outputs), np.ones(self.of.free))
        left = self.motion.left(self.state.point, self.gradient, reach)
        return self.status in (Status.CONVERGED, Status.PRECISION) and left > REST

    @property
    def fallen(self) -> float:
        """By how much the objective can have fallen since the first round, if it got to its optimum: what gaps are relative to."""
        first = self.history.objective[0] if self.history.objective else math.inf
        return max(first - self.objective, 0.0) + self.certificate.gap

    @property
    def diagnosis(self) -> Diagnosis | None:
        """What solving told of the columns; None if nothing."""
        solver: Any = self.solver
        return solver.diagnosis(self.state, self.objective) if self.refines else None

    def _decrement(self, hessian: Vector | None, ask: Ask) -> float:
        """Newton's, squared, at the weights that are judged; nan if it is not known."""
        if self.refines:
            solver: Any = self.solver
            return float(solver.decrement(self.state, self.gradient))
        return decrement(hessian, self.gradient) if ask == Ask.HESSIAN else math.nan

    def _judge(self, value: float, votes: Sequence[float], whole: bool) -> Status | None:
        """Why the fit ends, if it does; batches, which are not the ``whole``, say nothing of the optimum."""
        finite, steps = math.isfinite(value) and math.isfinite(self.gradient_norm), self.state.steps
        if not (finite or (self.history.objective and steps.recovers)) or (finite and self.history.rose(value, steps.gain)):
            return Status.DIVERGED
        if whole and (near := self._near(value)):
            return near
        if votes[Vote.SIGNALLED] > 0:
            return Status.SIGNAL
        if votes[Vote.LATE] > 0:
            return Status.TIME
        return Status.ROUNDS if self.rounds >= self.limit else None

    def _near(self, value: float) -> Status | None:
        """Whether the weights are as good as can be told, or as was asked for."""
        gap, kind = self.certificate
        small = self.reading.left <= self.tol * self.begun
        if kind == Kind.GAP and len(self.certifier.loose) < 2:  # of columns that are nearly collinear a small gradient tells little
            small = small and gap <= max(math.sqrt(self.tol) * self.fallen, self.tol * abs(value))
        within = gap <= self.tol * self.fallen or (self.tol > 0 and self.fallen <= ROUNDED * abs(value))
        certain = within and kind != Kind.NORM
        if self.refines:  # where digits are asked for the solver knows when none is left to gain
            return Status.CONVERGED if self.state.finished or (certain and self.tol > DIGITS) else None
        if (small or certain) and self._tells(value):
            return Status.CONVERGED
        return Status.PRECISION if self.tol and self.best.idle(self.rounds) else None

    def _tells(self, value: float) -> bool:
        """Whether a small gradient means that an optimum is near: far off a loss that is not convex may level off, too."""
        return self.of.loss.convex or value <= self.best.figures.objective
