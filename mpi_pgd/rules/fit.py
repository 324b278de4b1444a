"""The rule of the fit: judge the point that was evaluated, then let the solver take a step."""

import hashlib
import math
from array import array
from collections.abc import Callable
from enum import StrEnum
from time import perf_counter

import numpy as np

from mpi_pgd.arrays import Vector
from mpi_pgd.objective.objective import Objective
from mpi_pgd.solvers.descent import Solver, dump, load
from mpi_pgd.sums import Partial, Vote
from mpi_pgd.train import Action, Order

GROWN = 1e8  # times the first objective: no descent that will still converge gets there


class Status(StrEnum):
    """Why a fit ended."""

    CONVERGED = "converged"
    ROUNDS = "rounds exhausted"
    TIME = "time exhausted"
    SIGNAL = "stopped by signal"
    DIVERGED = "diverged"


class History:
    """A line a round: the objective and the gradient's norm at the weights *after* the round, and the seconds since the start.

    The first line is the evaluation at the start, before round 1.

    Attributes:
        start: ``perf_counter()`` when the clock began.
        first: sha256 of the sums of that evaluation, which tells these rows from others; nothing before it was made.
    """

    COLUMNS = ("round", "objective", "gradient_norm", "seconds")

    def __init__(self, start: float) -> None:
        self.start = start
        self.first = ""
        self.objective, self.gradient_norm, self.seconds = array("d"), array("d"), array("d")

    def add(self, value: float, norm: float) -> None:
        """A line, now."""
        self.objective.append(value)
        self.gradient_norm.append(norm)
        self.seconds.append(perf_counter() - self.start)

    def lines(self, begin: int, end: int) -> Vector:
        """Some lines: (3, end - begin) float64, objective, gradient norm, seconds."""
        return np.array([column[begin:end] for column in (self.objective, self.gradient_norm, self.seconds)])

    def extend(self, begin: int, lines: Vector) -> None:
        """Have ``lines``, as of ``lines``, from line ``begin`` on, and none after them."""
        for column, line in zip((self.objective, self.gradient_norm, self.seconds), lines, strict=True):
            column[begin:] = array("d", line.tobytes())

    def columns(self) -> dict[str, list[float]]:
        """By name, without the evaluation at the start."""
        lists = [column.tolist()[1:] for column in (self.objective, self.gradient_norm, self.seconds)]
        return dict(zip(self.COLUMNS, [list(range(1, len(lists[0]) + 1)), *lists], strict=True))


Watch = Callable[[int, float, float], None]  # the round, the objective, the gradient's norm


class FitRule:
    """Descend until the gradient is small, the rounds or the time are used up, a signal came, or the objective runs away.

    Each evaluation first judges the weights that it was made at; only if the fit goes on does the solver move them. So what is
    reported belongs to the weights that are returned, and ``rounds`` counts the solver's updates.

    Attributes:
        status: why it ended.
        rounds: updates made.
        objective, gradient_norm, loss: at the weights in the last order; the loss is a sum over all rows.
    """

    def __init__(self, objective: Objective, solver: Solver, limit: int, tol: float, watch: Watch, history: History) -> None:
        self.of, self.solver, self.limit, self.tol, self.watch = objective, solver, limit, tol, watch
        self.state = solver.init(np.zeros(objective.size))
        self.gradient = np.empty(objective.size)
        self.sums = np.empty(objective.features + 2)
        self.best = np.zeros(objective.features + 1)
        self.history = history
        self.status: Status | None = None
        self.rounds = 0
        self.objective = self.gradient_norm = self.loss = math.inf
        self._lowest = [math.inf, math.inf, math.inf]

    def dump(self) -> Vector:
        """The state between two calls, but for the history: float64, of one length. What was judged last will be judged again."""
        return np.concatenate([dump(self.state), self.best, self._lowest])

    def load(self, vector: Vector, rounds: int) -> None:
        """Go on from what ``dump`` gave after so many ``rounds``; the history must have a line for each of them."""
        states, best, lowest = np.split(vector, [-len(self.best) - len(self._lowest), -len(self._lowest)])
        self.state = load(states, self.state)
        self.best[:] = best
        self._lowest = lowest.tolist()
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
        value = math.inf if broken else self._evaluate(partial)
        self.status = self._judge(value, partial.votes)
        if self.status == Status.DIVERGED:
            order.point[:] = self.best
            self.objective, self.gradient_norm, self.loss = self._lowest
        if self.status:
            order.action = Action.STOP
            return
        self.state = self.solver.update(self.state, self.gradient)
        self.rounds += 1
        self.of.to_user(self.state.point, order.point)
        order.action = Action.EXCHANGE if partial.stale else Action.GO

    def _evaluate(self, partial: Partial) -> float:
        """The objective; notes it, and the best point so far, which is what a diverged fit returns."""
        value = self.of.value_and_gradient(partial.total(self.sums), self.state.point, self.gradient)
        norm = math.sqrt(np.dot(self.gradient, self.gradient))
        if not self.history.objective:
            self.history.first = hashlib.sha256(self.sums.astype("<f8").tobytes()).hexdigest()
        self.history.add(value, norm)
        self.objective, self.gradient_norm, self.loss = value, norm, float(self.sums[-1])
        if value < self._lowest[0]:
            self._lowest = [value, norm, self.loss]
            self.of.to_user(self.state.point, self.best)
        self.watch(self.rounds, value, norm)
        return value

    def _judge(self, value: float, votes: Vector) -> Status | None:
        first = self.history.objective[0] if self.history.objective else math.inf
        if not math.isfinite(value) or not math.isfinite(self.gradient_norm) or value > GROWN * first:
            return Status.DIVERGED
        if self.gradient_norm <= self.tol * self.history.gradient_norm[0]:
            return Status.CONVERGED
        if votes[Vote.SIGNALLED] > 0:
            return Status.SIGNAL
        if votes[Vote.LATE] > 0:
            return Status.TIME
        return Status.ROUNDS if self.rounds >= self.limit else None
