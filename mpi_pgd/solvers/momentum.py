"""Gradient descent with momentum."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.tasks import Ask
from mpi_pgd.options import BITS, SOLVER, option
from mpi_pgd.solvers.evaluation import Curvature, Evaluation
from mpi_pgd.solvers.steps import Step, first_step, step_option
from mpi_pgd.solvers.suit import Choice, Facts, smooth_only, whole_only


class HeavyBall(NamedTuple):
    """The state of momentum."""

    point: Vector
    velocity: Vector
    steps: Step
    step: float
    scratch: Vector

    @property
    def ask(self) -> Ask:
        """The gradient alone, always."""
        return Ask.GRADIENT


@dataclass(frozen=True)
class Momentum:
    """The heavy ball: d <- momentum * d - step * g, w <- w + d.

    (B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.)
    """

    step: str | float = step_option()
    needs: ClassVar[frozenset[Ask]] = frozenset()
    momentum: float = option(SOLVER, 0.9, "of the solver momentum", "a number from 0 to below 1", lambda v: 0 <= v < 1, facts=BITS)

    def suited(self, facts: Facts) -> Choice:
        """Itself, where all is smooth."""
        whole_only("momentum", facts)
        smooth_only("momentum", facts)
        return Choice(self)

    def init(self, weights: Vector, curvature: Curvature) -> HeavyBall:
        """Start at ``weights``, at rest."""
        steps = first_step(self.step, len(weights), curvature)
        return HeavyBall(weights.copy(), np.zeros_like(weights), steps, 0.0, np.empty_like(weights))

    def update(self, state: HeavyBall, evaluation: Evaluation) -> HeavyBall:
        """One step."""
        point, velocity, steps, _, scratch = state
        steps = steps.next(point, evaluation)
        gradient = steps.begin(point, evaluation.gradient)
        velocity *= 0.0 if steps.grown else self.momentum
        velocity -= np.multiply(gradient, steps.length, out=scratch)
        point += velocity
        return HeavyBall(point, velocity, steps, steps.length, scratch)
