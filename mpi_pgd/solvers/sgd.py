"""Stochastic gradient descent."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import numpy as np

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.batches import UNIT, span
from mpi_pgd.engine.tasks import Ask
from mpi_pgd.options import BITS, SOLVER, choice, option
from mpi_pgd.solvers.evaluation import Curvature, Evaluation
from mpi_pgd.solvers.steps import FixedStep, step_option
from mpi_pgd.solvers.suit import Choice, Facts, whole_only

SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda t: 1.0,
    "inverse": lambda t: 1 / (1 + t),
    "inverse-sqrt": lambda t: 1 / math.sqrt(1 + t),
}


class NoisyStep(FixedStep):
    """One after which the objective may rise: only what is not finite has run away."""

    def gain(self, norm: float) -> float:
        """Of a batch, not of the objective."""
        return math.inf


class Epochs(NamedTuple):
    """The state of stochastic gradient descent.

    Attributes:
        point: where the next round evaluates: the iterate, or at the end of an epoch the mean of its iterates.
        weights: (size,) the iterate.
        total: (size,) the sum of the iterates since the epoch began.
        round: that is next: one over all rows, then those of an epoch's batches and one over all rows, and so on.
        batches, units: of an epoch.
        steps: the step's length at first.
        step: its length in the last round.
    """

    point: Vector
    weights: Vector
    total: Vector
    round: int
    batches: int
    units: int
    steps: NoisyStep
    step: float

    @property
    def epoch(self) -> int:
        """That the next round belongs to; -1 before the first."""
        return (self.round - 1) // (self.batches + 1)

    @property
    def batch(self) -> int:
        """That is next in the epoch; ``batches`` where a round over all rows is."""
        return (self.round - 1) % (self.batches + 1)

    @property
    def ask(self) -> Ask:
        """A batch, or all rows."""
        return Ask.GRADIENT if self.batch == self.batches else Ask.BATCH

    @property
    def request(self) -> Vector:
        """Which batch: the epoch, and from which position of its units up to which (see ``engine.batches``)."""
        return np.array([self.epoch, *span(self.batch, self.batches, self.units)], dtype=np.float64)


@dataclass(frozen=True)
class StochasticGradient:
    """w <- prox(w - a_t g), with g of a batch of rows; after each epoch all rows judge the mean of its iterates.

    The step a_t at the time t, in epochs, is a, a/(1 + t) or a/sqrt(1 + t).
    (H. Robbins and S. Monro, "A stochastic approximation method", Annals of Mathematical Statistics 22, 1951; the mean: B. T.
    Polyak and A. B. Juditsky, "Acceleration of stochastic approximation by averaging", SIAM Journal on Control and Optimization
    30, 1992.)

    ``rows`` is n.
    """

    step: str | float = step_option()
    schedule: str = choice(SOLVER, "of the solver sgd: how the step falls with the epochs", *SCHEDULES, facts=BITS)
    batch: int = option(
        SOLVER, 1024, "of the solver sgd: rows of a batch, in runs of 16", "a number from 1 on", lambda v: v >= 1, facts=BITS
    )
    seed: int = option(
        SOLVER, 0, "of the solver sgd: of the batches", "a number from 0 to 2^64 - 1", lambda v: 0 <= v < 2**64, facts=BITS
    )
    rows: int = 1
    needs: ClassVar[frozenset[Ask]] = frozenset({Ask.BATCH})

    def suited(self, facts: Facts) -> Choice:
        """Itself, for so many rows."""
        whole_only("sgd", facts)
        return Choice(replace(self, rows=facts.rows))

    def init(self, weights: Vector, curvature: Curvature) -> Epochs:
        """Start at ``weights`` (size,). The step is 1/L, if none was given: L as large as it may be, as for single rows."""
        length = 1 / curvature.known if self.step == "auto" else float(self.step)
        units = -(-self.rows // UNIT)
        batches = max(1, round(units * UNIT / max(self.batch, UNIT)))
        return Epochs(weights.copy(), weights.copy(), np.zeros_like(weights), 0, batches, units, NoisyStep(length), 0.0)

    def update(self, state: Epochs, evaluation: Evaluation) -> Epochs:
        """One step; none after a round over all rows."""
        point, weights, total, step = state.point, state.weights, state.total, state.step
        if state.ask == Ask.BATCH:
            step = state.steps.length * SCHEDULES[self.schedule](state.epoch + state.batch / state.batches)
            weights -= step * evaluation.gradient
            if evaluation.prox:
                evaluation.prox.prox(weights, step, weights)
            total += weights
        else:
            total[:] = 0.0
        state = state._replace(round=state.round + 1, step=step)
        point[:] = weights if state.ask == Ask.BATCH else total / state.batches
        if evaluation.prox:
            evaluation.prox.prox(point, 0.0, point)  # a mean may be rounded out of bounds
        return state
