"""Exact diffusion: what peers that mix with their neighbours descend by."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.tasks import Ask
from mpi_pgd.solvers.evaluation import Curvature, Evaluation
from mpi_pgd.solvers.steps import Step, first_step, step_option
from mpi_pgd.solvers.suit import Choice, Facts, mixable


class Diffused(NamedTuple):
    """The state of exact diffusion: what is to be mixed, and where the last step led before it was corrected."""

    point: Vector
    stepped: Vector
    steps: Step
    step: float
    scratch: Vector

    @property
    def ask(self) -> Ask:
        """The gradient alone, always."""
        return Ask.GRADIENT


@dataclass(frozen=True)
class ExactDiffusion:
    """psi' = w - step * g, of a peer's own rows; then w <- mixed(psi' + w - psi), by (I + W)/2. psi is w at the start.

    Without the correction w - psi peers whose rows differ come to rest around the optimum, not there. With it, it is the optimum
    at which they do. (K. Yuan, B. Ying, X. Zhao, A. Sayed, "Exact Diffusion for Distributed Optimization and Learning",
    IEEE Transactions on Signal Processing 67, 2019.)

    Whoever mixes puts the mixed ``point`` in the place of the state's before the next update.
    """

    step: str | float = step_option()
    needs: ClassVar[frozenset[Ask]] = frozenset()

    def suited(self, facts: Facts) -> Choice:
        """Itself, where all is smooth."""
        mixable(facts)
        return Choice(self)

    def init(self, weights: Vector, curvature: Curvature) -> Diffused:
        """Start at ``weights``."""
        steps = first_step(self.step, len(weights), curvature)
        return Diffused(weights.copy(), weights.copy(), steps, 0.0, np.empty_like(weights))

    def update(self, state: Diffused, evaluation: Evaluation) -> Diffused:
        """One step."""
        point, stepped, steps, _, new = state
        steps = steps.next(point, evaluation)
        gradient = steps.begin(point, evaluation.gradient)
        np.multiply(gradient, -steps.length, out=new)
        new += point
        point -= stepped
        point += new
        return Diffused(point, new, steps, steps.length, stepped)
