"""How long a step is: as given, or learnt from the gradients that the rounds have anyway."""

import math
from typing import Any, NamedTuple

import numpy as np

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.options import BITS, SOLVER, option

RAISED = 1.01  # times the constant, at least, for another one to be worth a restart
MOVED = 1e-10  # of the point's length, that it has to have moved by: below it, differences are rounding
TOLD = 1000.0  # times its rounding error, that the gradient has to have changed by
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

    def next(self, point: Vector, gradient: Vector, rounding: float) -> "FixedStep":
        """The same always."""
        return self

    def gain(self, norm: float) -> float:
        """The first term of Taylor's series."""
        return self.length * norm * norm


class LearntStep(NamedTuple):
    """1/L, where L grows to the smallest Lipschitz constant of the gradient that the gradients so far allow.

    For any two points |dg|^2 <= L dw'dg (J.-B. Baillon and G. Haddad, "Quelques proprietes des operateurs angle-bornes et
    n-cycliquement monotones", Israel Journal of Mathematics 26, 1977): so the quotient of two rounds is a lower bound of L, and
    after a step that was too long it is close to L, as the gradient then grows along the most curved direction. The objective
    being quadratic, that holds for any combination of such differences, too; the largest quotient in the span of the last two
    is taken. No pass over the rows is needed for it.

    Attributes:
        lipschitz: L as far as it is known.
        most: what it can't exceed.
        begun: there was a round before.
        grown: L has just grown, so momentum has to restart.
        point, gradient: (size,) of the round before.
        moved, changed: (size,) what lies between that and the one before it, of the point and of the gradient.
    """

    lipschitz: float
    most: float
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
        """Not from where the objective is not finite."""
        return False

    def next(self, point: Vector, gradient: Vector, rounding: float) -> "LearntStep":
        """From ``point`` (size,) along ``gradient`` (size,); ``rounding`` bounds the norm of the gradient's own rounding error."""
        found = 0.0
        if self.begun:
            np.subtract(point, self.point, out=self.scratch_moved)
            np.subtract(gradient, self.gradient, out=self.scratch_changed)
            found = self._quotient(point, rounding)
        self.point[:], self.gradient[:] = point, gradient
        grown = found > RAISED * self.lipschitz
        return self._replace(begun=True, grown=grown, lipschitz=min(found, self.most) if grown else self.lipschitz)

    def gain(self, norm: float) -> float:
        """A step that was too long is followed by one that is not."""
        return math.inf

    def _quotient(self, point: Vector, rounding: float) -> float:
        """The largest |dg|^2 / dw'dg; 0 where the differences are rounding rather than curvature."""
        old, before, moved, changed = self.moved, self.changed, self.scratch_moved, self.scratch_changed
        along, squares = float(np.dot(moved, changed)), float(np.dot(changed, changed))
        if not (along > 0 and squares > (TOLD * rounding) ** 2 and np.dot(moved, moved) > MOVED**2 * np.dot(point, point)):
            return 0.0
        found = squares / along
        # |a dg + b dg'|^2 <= L (a dw + b dw')'(a dg + b dg') for all a and b: the larger root of a determinant.
        mixed, size, cross = float(np.dot(old, changed)), float(np.dot(old, before)), float(np.dot(before, changed))
        apart = along * size - mixed * mixed
        if apart > APART * along * size:
            squared = float(np.dot(before, before))
            half = (squares * size + squared * along) / 2 - cross * mixed
            root = math.sqrt(max(0.0, half * half - apart * (squares * squared - cross * cross)))
            found = max(found, (half + root) / apart)
        old[:], before[:] = moved, changed
        return found


Step = FixedStep | LearntStep


def step_option() -> Any:
    """The field of a solver that says what ``first_step`` is given."""
    text, expected = "step size, or auto: 1/L, learnt from the gradients", "auto or a number above 0"
    return option(SOLVER, "auto", text, expected, lambda v: v == "auto" or 0 < v < math.inf, facts=BITS)


def first_step(step: str | float, size: int, curvature: tuple[float, float]) -> Step:
    """As a solver's option says: a length, or "auto".

    Args:
        step: that option.
        size: of the weights.
        curvature: between which L is known to be.
    """
    if step != "auto":
        return FixedStep(float(step))
    least, most = curvature
    return LearntStep(least, most, False, False, *(np.zeros(size) for _ in range(6)))
