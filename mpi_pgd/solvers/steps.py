"""How long a step is: as given, or learnt from the gradients that the rounds have anyway."""

import math
from typing import Any, NamedTuple

import numpy as np

from mpi_pgd import kernel
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.options import BITS, SOLVER, option
from mpi_pgd.solvers.evaluation import Curvature, Evaluation

RAISED = 1.01  # times the constant, at least, for another one to be worth a restart
MOVED = 1e-10  # of the point's length, that it has to have moved by: below it, differences are rounding
TOLD = 1000.0  # times its rounding error, that the gradient has to have changed by
FARTHER = 2.0  # times the constant, where the step that it allowed led too far
APART = 1e-3  # of the two last differences: with less, their span is one of a direction and of rounding


class FixedStep(NamedTuple):
    """What the user gave is never changed."""

    length: float

    @property
    def grown(self) -> bool:
        """Never."""
        return False

    @property
    def sound(self) -> bool:
        """Always."""
        return True

    @property
    def recovers(self) -> bool:
        """Never."""
        return False

    def next(self, point: Vector, found: Evaluation) -> "FixedStep":
        """The same always."""
        return self

    def begin(self, point: Vector, gradient: Vector) -> Vector:
        """Where the solver is."""
        return gradient

    def gain(self, norm: float) -> float:
        """The first term of Taylor's series."""
        return self.length * norm * norm


class LearntStep(NamedTuple):
    """1/L, where L grows to the smallest Lipschitz constant of the gradient that the gradients so far allow.

    For any two points |dg|^2 <= L dw'dg (J.-B. Baillon and G. Haddad, "Quelques proprietes des operateurs angle-bornes et
    n-cycliquement monotones", Israel Journal of Mathematics 26, 1977): so the quotient of two rounds is a lower bound of L, and
    after a step that was too long it is close to L, as the gradient then grows along the most curved direction. Of a quadratic
    objective that holds for any combination of such differences, too; the largest quotient in the span of the last two is taken.
    No pass over the rows is needed for it.

    Where the curvature has no bound, a step may lead to where gradients teach nothing. So at a point where the objective is not
    finite, or higher than a step from the start would have been allowed to raise it, L is doubled, and the step is made again.

    Attributes:
        lipschitz: L as far as it is known.
        most: what it can't exceed; inf where the curvature has no bound.
        constant: the objective is quadratic.
        limit: of the objective; what is above it is too far.
        back: the last point was, and the next step is to be made from ``point`` along ``gradient`` again.
        begun: there was a round before.
        grown: L has just grown, so momentum has to restart.
        point, gradient: (size,) of the round before.
        moved, changed: (size,) what lies between that and the one before it, of the point and of the gradient.
    """

    lipschitz: float
    most: float
    constant: bool
    limit: float
    back: bool
    begun: bool
    grown: bool
    point: Vector
    gradient: Vector
    moved: Vector
    changed: Vector
    scratch_moved: Vector
    scratch_changed: Vector

    @property
    def length(self) -> float:
        """Of the step."""
        return 1.0 / self.lipschitz

    @property
    def sound(self) -> bool:
        """Whether there is a curvature to go on with."""
        return 0 < self.lipschitz < math.inf

    @property
    def recovers(self) -> bool:
        """Where the curvature has no bound: elsewhere no step leads so far."""
        return self.most == math.inf

    def next(self, point: Vector, found: Evaluation) -> "LearntStep":
        """From ``point`` (size,), where that was ``found``."""
        if self.begun and not found.value <= self.limit:
            return self._replace(lipschitz=FARTHER * self.lipschitz, grown=True, back=True)
        gradient, learnt, limit = found.gradient, 0.0, self.limit
        if self.begun:
            moves = kernel.moves(point, gradient, self.point, self.gradient, self.scratch_moved, self.scratch_changed)
            learnt = self._quotient(*moves, TOLD * found.rounding)
        else:
            self.point[:], self.gradient[:] = point, gradient
            if self.recovers:
                limit = found.value + kernel.dot(gradient, gradient) * self.length
        grown = learnt > RAISED * self.lipschitz
        lipschitz = min(learnt, self.most) if grown else self.lipschitz
        # Not ``_replace``: each time it leaves a tuple of this length behind, which Python keeps for later.
        return LearntStep(lipschitz, self.most, self.constant, limit, False, True, grown, *self[7:])

    def begin(self, point: Vector, gradient: Vector) -> Vector:
        """Bring ``point`` (size,) to where the next step begins; the gradient there, which is ``gradient`` if it was there."""
        if not self.back:
            return gradient
        point[:] = self.point
        return self.gradient

    def gain(self, norm: float) -> float:
        """A step that was too long is followed by one that is not."""
        return math.inf

    def _quotient(self, along: float, squares: float, length: float, whole: float, told: float) -> float:
        """The largest |dg|^2 / dw'dg; 0 where the differences are rounding rather than curvature.

        Of the last one dw'dg, dg'dg and dw'dw are given, and w'w of the point.
        """
        if not (along > 0 and squares > told * told and length > MOVED * MOVED * whole):
            return 0.0
        found = squares / along
        if not self.constant:
            return found
        # |a dg + b dg'|^2 <= L (a dw + b dw')'(a dg + b dg') for all a and b: the larger root of a determinant.
        mixed, size, cross, squared = kernel.spans(self.moved, self.changed, self.scratch_moved, self.scratch_changed)
        apart = along * size - mixed * mixed
        if apart > APART * along * size:
            half = (squares * size + squared * along) / 2 - cross * mixed
            root = math.sqrt(max(0.0, half * half - apart * (squares * squared - cross * cross)))
            found = max(found, (half + root) / apart)
        return found


Step = FixedStep | LearntStep


def step_option() -> Any:
    """The field of a solver that says what ``first_step`` is given."""
    text, expected = "step size, or auto: 1/L, learnt from the gradients", "auto or a number above 0"
    return option(SOLVER, "auto", text, expected, lambda v: v == "auto" or 0 < v < math.inf, facts=BITS)


def first_step(step: str | float, size: int, curvature: Curvature) -> Step:
    """As a solver's option says: a length, or "auto".

    Args:
        step: that option.
        size: of the weights.
        curvature: between which L is known to be.
    """
    if step != "auto":
        return FixedStep(float(step))
    zeros = (np.zeros(size) for _ in range(6))
    return LearntStep(curvature.least, curvature.most, curvature.constant, math.inf, False, False, False, *zeros)
