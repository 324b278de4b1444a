"""Gradient descent."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from mpi_pgd import kernel
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.tasks import Ask
from mpi_pgd.solvers.evaluation import Curvature, Evaluation
from mpi_pgd.solvers.steps import Step, first_step, step_option
from mpi_pgd.solvers.suit import Choice, Facts, mixable


class Descent(NamedTuple):
    """The state of gradient descent."""

    point: Vector
    steps: Step
    step: float
    scratch: Vector

    @property
    def ask(self) -> Ask:
        """The gradient alone, always."""
        return Ask.GRADIENT


@dataclass(frozen=True)
class GradientDescent:
    """w <- prox(w - step * g); the prox of nothing is what it is given."""

    step: str | float = step_option()
    needs: ClassVar[frozenset[Ask]] = frozenset()

    def suited(self, facts: Facts) -> Choice:
        """Itself. Peers with neighbours take it where all is smooth, and come but near to the optimum."""
        if facts.neighbours:
            mixable(facts)
        return Choice(self, biased=facts.neighbours)

    def init(self, weights: Vector, curvature: Curvature) -> Descent:
        """Start at ``weights``."""
        return Descent(weights.copy(), first_step(self.step, len(weights), curvature), 0.0, np.empty_like(weights))

    def update(self, state: Descent, evaluation: Evaluation) -> Descent:
        """One step."""
        point, steps, _, scratch = state
        steps = steps.next(point, evaluation)
        gradient = steps.begin(point, evaluation.gradient)
        kernel.descend(steps.length, gradient, scratch, point)
        if evaluation.prox:
            evaluation.prox.prox(point, steps.length, point)
        return Descent(point, steps, steps.length, scratch)
