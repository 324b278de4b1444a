"""L-BFGS in the metric of the Hessian of a sample of rows."""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from mpi_pgd import kernel
from mpi_pgd.engine.arrays import Rows, Vector
from mpi_pgd.engine.tasks import Ask
from mpi_pgd.solvers.evaluation import Curvature, Evaluation
from mpi_pgd.solvers.linesearch import Line
from mpi_pgd.solvers.metric import FLAT, unseen, whitening
from mpi_pgd.solvers.suit import Choice, Facts, smooth_only, whole_only

MEMORY = 10  # pairs
RIDGE = 1e-10  # of a Hessian's diagonal
PATIENCE, FALLEN = 4, 0.1  # rounds in which the decrement has to fall to so much of it, or the metric is taken anew
LOST = 25  # trials that fail one after the other: there is nothing to be found in this direction


class Pairs(NamedTuple):
    """What is known of the Hessian: how the gradient changed along the last steps, in a ring, and a metric.

    Attributes:
        moved, changed: (MEMORY, size), s and y of each step.
        added: how many were, since there were none.
        scale: times the inverse metric.
        white: (size, size), see ``whitening``; (0, 0) where the metric is that of the space.
    """

    moved: Vector
    changed: Vector
    added: int
    scale: float
    white: Vector

    def times_metric(self, vector: Vector) -> Vector:
        """The inverse metric, not scaled, times ``vector`` (size,)."""
        white = self.white
        return kernel.turned(white, kernel.times(white, vector)) if len(white) else vector.copy()

    def add(self, moved: Vector, changed: Vector, rounding: float) -> "Pairs":
        """A step s and what it changed, y; but cautiously: not unless s'y is positive beyond rounding."""
        along = kernel.dot(moved, changed)
        length, size = kernel.norm(moved), kernel.norm(changed)
        if not along > length * max(FLAT * size, rounding):
            return self
        place = self.added % MEMORY
        self.moved[place], self.changed[place] = moved, changed
        return self._replace(added=self.added + 1, scale=along / kernel.dot(changed, self.times_metric(changed)))

    def times_inverse(self, vector: Vector) -> Vector:
        """The inverse Hessian, as far as it is known, times ``vector`` (size,), in Nocedal's two loops."""
        result, shares = vector.copy(), {}
        places = [number % MEMORY for number in range(max(0, self.added - MEMORY), self.added)]
        for place in reversed(places):
            moved, changed = self.moved[place], self.changed[place]
            shares[place] = kernel.dot(moved, result) / kernel.dot(moved, changed)
            result -= shares[place] * changed
        result = self.times_metric(result)
        result *= self.scale
        for place in places:
            moved, changed = self.moved[place], self.changed[place]
            result += (shares[place] - kernel.dot(changed, result) / kernel.dot(moved, changed)) * moved
        return result


class QuasiNewton(NamedTuple):
    """The state of L-BFGS.

    Attributes:
        point, ask: what the next round evaluates.
        steps: the line on which the point is a trial.
        pairs: what is known of the Hessian.
        falls: (PATIENCE,) g'Hg, the decrement squared, in the last rounds with this metric, in a ring; inf where there was none.
        rounds: with this metric.
        metrics: that there were.
        unseen: (size,) which of the features the first sample knows nothing of.
        step: the length of the last step, in directions.
    """

    point: Vector
    ask: int
    steps: Line
    pairs: Pairs
    falls: Vector
    rounds: int
    metrics: int
    unseen: Rows
    step: float


@dataclass(frozen=True)
class LBFGS:
    """w <- w - t H g, where H is corrected by the last ten pairs of steps and changes of the gradient.

    H begins as the inverse of the Hessian of a sample of rows, scaled by s'y / y'Hy, so that rounds depend little on the condition
    of the features. Where the decrement falls slowly, the curvature is another one by now: a new metric is taken at the next
    trial, and the pairs are dropped. The second is of a sample, too; all after that are of all rows, as few rows must then have
    nearly all of the curvature. Without a metric H begins as a multiple of the identity, as usual.
    (J. Nocedal, "Updating quasi-Newton matrices with limited storage", Mathematics of Computation 35, 1980; D. C. Liu and
    J. Nocedal, "On the limited memory BFGS method for large scale optimization", Mathematical Programming 45, 1989.)
    """

    metric: bool = True  # without one nothing has size^2 numbers, and only gradients are asked for

    @property
    def needs(self) -> frozenset[Ask]:
        """Hessians of a sample, and of all rows."""
        return frozenset({Ask.SAMPLE, Ask.HESSIAN} if self.metric else ())

    def suited(self, facts: Facts) -> Choice:
        """Itself, where all is smooth; without a metric where that would cost more than it saves."""
        whole_only("lbfgs", facts)
        smooth_only("lbfgs", facts)
        return Choice(replace(self, metric=facts.sampled))

    def init(self, weights: Vector, curvature: Curvature) -> QuasiNewton:
        """Start at ``weights`` (size,)."""
        size = len(weights)
        scale = 1 / curvature.known  # the first step can't be too long, if that can be known
        moved, changed, falls = np.zeros((MEMORY, size)), np.zeros((MEMORY, size)), np.full(PATIENCE, math.inf)
        pairs = Pairs(moved, changed, 0, scale, np.zeros((size, size) if self.metric else (0, 0)))
        ask = Ask.SAMPLE if self.metric else Ask.GRADIENT
        return QuasiNewton(weights.copy(), int(ask), Line.at(weights), pairs, falls, 0, 0, np.zeros(size, dtype=bool), 0.0)

    def update(self, state: QuasiNewton, evaluation: Evaluation) -> QuasiNewton:
        """One trial, accepted or not."""
        state = _moved(state, evaluation) if state.steps.accepts(evaluation) else _failed(state, evaluation)
        state.steps.trial(state.point)
        return _paced(state) if len(state.pairs.white) else state


def _moved(state: QuasiNewton, evaluation: Evaluation) -> QuasiNewton:
    """The trial's point is the new one: learn from the step, and look for the next direction."""
    line, pairs = state.steps, state.pairs
    if evaluation.hessian is not None:
        state = _measured(state, evaluation.hessian)
        pairs = state.pairs
    elif line.length:
        pairs = pairs.add(state.point - line.weights, evaluation.gradient - line.gradient, evaluation.rounding)
    found = line.towards(state.point, evaluation, -pairs.times_inverse(evaluation.gradient))
    return state._replace(ask=int(Ask.GRADIENT), steps=found, pairs=pairs, step=line.length)


def _measured(state: QuasiNewton, hessian: Vector) -> QuasiNewton:
    """A new metric."""
    if not state.metrics:
        state.unseen[:] = unseen(hessian)
    sampled = state.ask == Ask.SAMPLE
    state.pairs.white[:] = whitening(hessian, RIDGE, state.unseen & sampled)
    state.falls[:] = math.inf
    return state._replace(pairs=state.pairs._replace(added=0, scale=1.0), rounds=0, metrics=state.metrics + 1)


def _failed(state: QuasiNewton, evaluation: Evaluation) -> QuasiNewton:
    """Nearer; or, where nothing is found, from the best weights again, which are evaluated once more, without the pairs."""
    line = state.steps.shorter(evaluation)
    if line.trials < LOST:
        return state._replace(steps=line)
    pairs = state.pairs._replace(added=0, scale=state.pairs.scale * line.length)
    return state._replace(steps=Line.at(line.weights), pairs=pairs)


def _paced(state: QuasiNewton) -> QuasiNewton:
    """Ask for a metric where the one in use is too slow."""
    place, fall = state.rounds % PATIENCE, -state.steps.slope
    slow = fall > FALLEN * state.falls[place]
    state.falls[place] = fall
    ask = (Ask.SAMPLE if state.metrics == 1 else Ask.HESSIAN) if slow else state.ask
    return state._replace(rounds=state.rounds + 1, ask=int(ask))
