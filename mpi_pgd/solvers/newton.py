"""Newton's method."""

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from mpi_pgd import kernel
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.tasks import Ask
from mpi_pgd.errors import InputError
from mpi_pgd.solvers.evaluation import Curvature, Evaluation
from mpi_pgd.solvers.linesearch import Line
from mpi_pgd.solvers.metric import whitening
from mpi_pgd.solvers.suit import MATRIX, Choice, Facts, whole_only
from mpi_pgd.solvers.working_set import WorkingSet

RIDGE = 1e-14  # of the Hessian's diagonal, at first: about the rounding error of its factor


class Tangent(NamedTuple):
    """The state of Newton's method.

    Attributes:
        point: where the next round evaluates.
        steps: the line on which the point is a trial.
        decrement: g'Hg/2 with the inverse Hessian H at the weights that the line begins at: about as much as the objective is
            above its minimum there; inf before the first round.
        step: the length of the last step, in directions.
    """

    point: Vector
    steps: Line
    decrement: float
    step: float

    @property
    def ask(self) -> Ask:
        """The Hessian at once with each trial, as most trials are accepted."""
        return Ask.HESSIAN


@dataclass(frozen=True)
class Newton:
    """w <- w - t H^-1 g, with the Hessian H of all rows.

    Where H has no Cholesky factor, its diagonal is raised until it has; t is 1, or what Armijo's rule leaves of it.
    (S. Boyd and L. Vandenberghe, "Convex Optimization", 2004, section 9.5, also for the decrement.)
    """

    needs: ClassVar[frozenset[Ask]] = frozenset({Ask.HESSIAN})

    def suited(self, facts: Facts) -> Choice:
        """What Newton's method is called for the problem: least squares are refined, what is not smooth has a working set."""
        whole_only("newton", facts)
        if not facts.smooth:
            return Choice(WorkingSet(facts.quadratic, facts.rows))
        if not facts.hessians:
            raise InputError(
                "--solver newton wants second derivatives, which --model does not give: expected --solver auto or lbfgs"
            )
        if not facts.matrix:
            raise InputError(
                f"--solver newton would form a matrix of {facts.size:,} x {facts.size:,} numbers: expected at most {MATRIX:,} "
                "unknowns, or --solver auto or lbfgs"
            )
        return Choice(facts.refined if facts.quadratic and facts.refined else self)

    def init(self, weights: Vector, curvature: Curvature) -> Tangent:
        """Start at ``weights`` (size,); the curvature is measured."""
        return Tangent(weights.copy(), Line.at(weights), math.inf, 0.0)

    def update(self, state: Tangent, evaluation: Evaluation) -> Tangent:
        """One trial, accepted or not."""
        line = state.steps
        if line.accepts(evaluation):
            assert evaluation.hessian is not None, "what was asked for"
            white = whitening(evaluation.hessian, RIDGE)
            found = line.towards(state.point, evaluation, -kernel.turned(white, kernel.times(white, evaluation.gradient)))
            state = Tangent(state.point, found, -found.slope / 2, line.length)
        else:
            state = state._replace(steps=line.shorter(evaluation))
        state.steps.trial(state.point)
        return state
