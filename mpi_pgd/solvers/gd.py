"""Gradient descent."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.tasks import Ask
from mpi_pgd.solvers.evaluation import Evaluation
from mpi_pgd.solvers.steps import Step, first_step, step_option
from mpi_pgd.solvers.suit import Choice, Facts, smooth_only


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
    """w <- w - step * g."""

    step: str | float = step_option()
    needs: ClassVar[frozenset[Ask]] = frozenset()

    def suited(self, facts: Facts) -> Choice:
        """Itself, where all is smooth."""
        smooth_only("gd", facts)
        return Choice(self)

    def init(self, weights: Vector, curvature: tuple[float, float]) -> Descent:
        """Start at ``weights``."""
        return Descent(weights.copy(), first_step(self.step, len(weights), curvature), 0.0, np.empty_like(weights))

    def update(self, state: Descent, evaluation: Evaluation) -> Descent:
        """One step."""
        point, steps, _, scratch = state
        steps = steps.next(point, evaluation.gradient, evaluation.rounding)
        point -= np.multiply(evaluation.gradient, steps.length, out=scratch)
        return Descent(point, steps, steps.length, scratch)
