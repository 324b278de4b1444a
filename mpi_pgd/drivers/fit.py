"""The rule of the fit: judge the point that was evaluated, then let the solver take a step."""

import hashlib
import math
from array import array
from collections.abc import Callable
from enum import StrEnum
from time import perf_counter

import numpy as np

from mpi_pgd.drivers.objective import EPSILON, Objective
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.loop import Action, Order
from mpi_pgd.engine.sums import Partial, Vote
from mpi_pgd.solvers.descent import Solver, dump, load
from mpi_pgd.solvers.steps import Steps

GROWN = 1e8  # times what the first step was to gain: no descent that will still converge rises so far
IDLE = 10  # rounds in which the gradient's norm has not fallen to
FALLEN = 0.9  # of its smallest


class Status(StrEnum):
    """Why a fit ended."""

    CONVERGED = "converged"
    PRECISION = "precision reached"
    ROUNDS = "rounds exhausted"
    TIME = "time exhausted"
    SIGNAL = "stopped by signal"
    DIVERGED = "diverged"


class History:
    """A line a round: objective and gradient's norm at the weights *after* it, its step, and the seconds since the start.

    The first line is the evaluation at the start, before round 1, to which no step led: 0.

    Attributes:
        start: ``perf_counter()`` when the clock began.
        first: sha256 of the sums of that evaluation, which tells these rows from others; nothing before it was made.
    """

    COLUMNS = ("objective", "gradient_norm", "step", "seconds")

    def __init__(self, start: float) -> None:
        self.start = start
        self.first = ""
        self._columns = [array("d") for _ in self.COLUMNS]
        self.objective, self.gradient_norm, self.step, self.seconds = self._columns

    def add(self, value: float, norm: float, step: float) -> None:
        """A line, now."""
        for column, number in zip(self._columns, (value, norm, step, perf_counter() - self.start), strict=True):
            column.append(number)

    def lines(self, begin: int, end: int) -> Vector:
        """Some lines: (columns, end - begin) float64."""
        return np.array([column[begin:end] for column in self._columns])

    def extend(self, begin: int, lines: Vector) -> None:
        """Have ``lines``, as of ``lines``, from line ``begin`` on, and none after them."""
        for column, line in zip(self._columns, lines, strict=True):
            column[begin:] = array("d", line.tobytes())

    def cut(self, end: int) -> None:
        """Have no lines from ``end`` on."""
        for column in self._columns:
            del column[end:]

    def columns(self) -> dict[str, list[float]]:
        """By name, beside the round, without the evaluation at the start."""
        lists = [column.tolist()[1:] for column in self._columns]
        return dict(zip(("round", *self.COLUMNS), [list(range(1, len(lists[0]) + 1)), *lists], strict=True))


Watch = Callable[[int, float, float], None]  # the round, the objective, the gradient's norm


class FitRule:
    """Descend until the gradient is small or nothing but rounding, the rounds or the time are used up, or a signal came.

    Each evaluation first judges the weights that it was made at; only if the fit goes on does the solver move them. So what is
    reported belongs to the weights that are returned, and ``rounds`` counts the solver's updates.

    Attributes:
        status: why it ended.
        rounds: updates made.
        objective, gradient_norm, loss: at the weights in the last order; the loss is a sum over all rows.
        step: of the last update; 0 before the first.
        digits: of the first gradient that are left: by how many powers of ten it fell, but no further than its rounding error.
    """

    def __init__(
        self, objective: Objective, solver: Solver, steps: Steps, limit: int, tol: float, watch: Watch, history: History
    ) -> None:
        self.of, self.solver, self.steps, self.limit, self.tol, self.watch = objective, solver, steps, limit, tol, watch
        self.state = solver.init(np.zeros(objective.features))
        self.gradient = np.empty(objective.features)
        self.sums = np.empty(objective.features + 2)
        self.best = np.zeros(objective.features + 1)
        self.history = history
        self.status: Status | None = None
        self.rounds = 0
        self.objective = self.gradient_norm = self.loss = math.inf
        self.step = self.rounding = 0.0
        self._lowest = [math.inf, math.inf, math.inf]
        self._smallest, self._fell = math.inf, 0.0  # of the gradient's norms; the round when it fell last

    def dump(self) -> Vector:
        """The state between two calls, but for the history: float64, of one length. What was judged last will be judged again."""
        mine = [*self._lowest, self.step, self._smallest, self._fell]
        return np.concatenate([dump(self.state), self.steps.dump(), self.best, mine])

    def load(self, vector: Vector, rounds: int) -> None:
        """Go on from what ``dump`` gave after so many ``rounds``; the history must have a line for each of them."""
        lengths = [len(dump(self.state)), len(self.steps.dump()), len(self.best)]
        states, steps, best, mine = np.split(vector, np.cumsum(lengths))
        self.state = load(states, self.state)
        self.steps.load(steps)
        self.best[:] = best
        *self._lowest, self.step, self._smallest, self._fell = mine.tolist()
        self.rounds = rounds

    def open(self, order: Order) -> None:
        """Start at zero, or where ``load`` says."""
        self.of.to_user(self.state.point, order.point)
        order.action = Action.GO

    def __call__(self, partial: Partial, order: Order) -> None:
        """Judge, then step."""
        if partial.votes[Vote.ROWS] != self.of.rows:
            raise RuntimeError(f"{partial.votes[Vote.ROWS]:.0f} of {self.of.rows} rows were summed")
        broken = partial.votes[Vote.BROKEN] > 0
        if partial.redo:
            order.action = Action.EXCHANGE
            return
        value = math.inf if broken else self._evaluate(partial, order.point)
        self.status = self._judge(value, partial.votes)
        if self.status == Status.DIVERGED:
            order.point[:] = self.best
            self.objective, self.gradient_norm, self.loss = self._lowest
        if self.status:
            order.action = Action.STOP
            return
        self.step, restart = self.steps.next(self.state.point, self.gradient, self.rounding)
        self.state = self.solver.update(self.state, self.gradient, self.step, restart)
        self.rounds += 1
        self.of.to_user(self.state.point, order.point)
        order.action = Action.EXCHANGE if partial.stale else Action.GO

    def _evaluate(self, partial: Partial, point: Vector) -> float:
        """The objective; notes it, and the best point so far, which is what a diverged fit returns."""
        value = self.of.value_and_gradient(partial.total(self.sums), self.state.point, self.gradient)
        norm = math.sqrt(np.dot(self.gradient, self.gradient))
        if not self.history.objective:
            self.history.first = hashlib.sha256(self.sums.astype("<f8").tobytes()).hexdigest()
        self.history.add(value, norm, self.step)
        self.objective, self.gradient_norm, self.loss = value, norm, float(self.sums[-1])
        self.rounding = self.of.rounding(point, self.loss)
        if value < self._lowest[0]:
            self._lowest = [value, norm, self.loss]
            self.best[:] = point
        if norm <= FALLEN * self._smallest:
            self._fell = self.rounds
        self._smallest = min(norm, self._smallest)
        self.watch(self.rounds, value, norm)
        return value

    def _judge(self, value: float, votes: Vector) -> Status | None:
        if not math.isfinite(value) or not math.isfinite(self.gradient_norm) or self._rose(value):
            return Status.DIVERGED
        if self.gradient_norm <= self.tol * self.history.gradient_norm[0]:
            return Status.CONVERGED
        if self.tol and self.rounds - self._fell >= IDLE and self._smallest <= self.rounding:
            return Status.PRECISION
        if votes[Vote.SIGNALLED] > 0:
            return Status.SIGNAL
        if votes[Vote.LATE] > 0:
            return Status.TIME
        return Status.ROUNDS if self.rounds >= self.limit else None

    def _rose(self, value: float) -> bool:
        """Beyond all that a descent can come back from; a difference, as objectives may be negative."""
        first = self.history.objective[0]
        return value - first > GROWN * max(self.steps.gain(self.history.gradient_norm[0]), EPSILON * abs(first))

    @property
    def digits(self) -> float:
        """See above."""
        first, left = self.history.gradient_norm[:1], max(self.gradient_norm, self.rounding)
        return math.log10(first[0] / left) if first and 0 < left < first[0] else 0.0
