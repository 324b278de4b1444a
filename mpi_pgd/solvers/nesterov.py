"""Nesterov's accelerated gradient."""

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from mpi_pgd import kernel
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.tasks import Ask
from mpi_pgd.solvers.evaluation import Curvature, Evaluation
from mpi_pgd.solvers.steps import Step, first_step, step_option
from mpi_pgd.solvers.suit import Choice, Facts, whole_only


class Accelerated(NamedTuple):
    """The state of Nesterov's method: the extrapolated point, the weights, and the momentum's age t."""

    point: Vector
    weights: Vector
    t: float
    steps: Step
    step: float
    scratch: Vector

    @property
    def ask(self) -> Ask:
        """The gradient alone, always."""
        return Ask.GRADIENT


@dataclass(frozen=True)
class Nesterov:
    """Accelerated gradient with adaptive restart by the gradient scheme.

    w' = prox(y - step * g(y)),  y' = w' + (t - 1)/t' (w' - w),  t' = (1 + sqrt(1 + 4 t^2))/2;  t restarts at 1 when
    (y - w')'(w' - w) > 0. Where there are bounds, y' is brought back within them.
    (Y. Nesterov 1983; A. Beck and M. Teboulle 2009, section 4; B. O'Donoghue and E. Candes, "Adaptive Restart for Accelerated
    Gradient Schemes", Foundations of Computational Mathematics 15, 2015, section 3.2.)
    """

    step: str | float = step_option()
    needs: ClassVar[frozenset[Ask]] = frozenset()

    def suited(self, facts: Facts) -> Choice:
        """Itself."""
        whole_only("nesterov", facts)
        return Choice(self)

    def init(self, weights: Vector, curvature: Curvature) -> Accelerated:
        """Start at ``weights``, at rest."""
        steps = first_step(self.step, len(weights), curvature)
        return Accelerated(weights.copy(), weights.copy(), 1.0, steps, 0.0, np.empty_like(weights))

    def update(self, state: Accelerated, evaluation: Evaluation) -> Accelerated:
        """One step, one extrapolation, or a restart."""
        point, old, t, steps, _, new = state
        steps = steps.next(point, evaluation)
        gradient = steps.begin(point, evaluation.gradient)
        np.multiply(gradient, -steps.length, out=new)
        new += point
        if evaluation.prox:
            evaluation.prox.prox(new, steps.length, new)
            gradient = point - new  # but for a factor: what the step followed
        moved = np.subtract(new, old, out=old)
        restart = steps.grown or kernel.dot(gradient, moved) > 0
        later = 1.0 if restart else (1 + math.sqrt(1 + 4 * t * t)) / 2
        moved *= 0.0 if restart else (t - 1) / later
        np.add(new, moved, out=point)
        if evaluation.prox:
            evaluation.prox.prox(point, 0.0, point)  # back within bounds
        return Accelerated(point, new, later, steps, steps.length, old)
