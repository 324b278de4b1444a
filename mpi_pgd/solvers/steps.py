"""How long a step is: as given, or learnt from the gradients that the rounds have anyway."""

import math
from typing import Protocol

import numpy as np

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.errors import InputError

RAISED = 1.01  # times the constant, at least, for another one to be worth a restart
MOVED = 1e-10  # of the point's length, that it has to have moved by: below it, differences are rounding
TOLD = 1000.0  # times its rounding error, that the gradient has to have changed by
APART = 1e-3  # of the two last differences: with less, their span is one of a direction and of rounding


class Steps(Protocol):
    """Gives the step of each update. ``dump`` and ``load`` are of one length, for what a later step depends on."""

    def next(self, point: Vector, gradient: Vector, rounding: float) -> tuple[float, bool]:
        """The step from ``point`` (size,) along ``gradient`` (size,), and whether momentum has to restart.

        ``rounding`` bounds the norm of the gradient's own rounding error.
        """

    def gain(self, norm: float) -> float:
        """What the first step from a gradient of this norm is to lower the objective by, in order of magnitude.

        inf if it may rise: that is mended.
        """

    def dump(self) -> Vector:
        """All that a later step depends on."""

    def load(self, vector: Vector) -> None:
        """Go on from what ``dump`` gave."""


class FixedSteps:
    """What the user gave is never changed."""

    def __init__(self, step: float) -> None:
        self.step = step

    def next(self, point: Vector, gradient: Vector, rounding: float) -> tuple[float, bool]:
        """The same always."""
        return self.step, False

    def gain(self, norm: float) -> float:
        """The first term of Taylor's series."""
        return self.step * norm * norm

    def dump(self) -> Vector:
        """Nothing."""
        return np.empty(0)

    def load(self, vector: Vector) -> None:
        """Nothing."""


class LearntSteps:
    """1/L, where L grows to the smallest Lipschitz constant of the gradient that the gradients so far allow.

    For any two points |dg|^2 <= L dw'dg (J.-B. Baillon and G. Haddad, "Quelques proprietes des operateurs angle-bornes et
    n-cycliquement monotones", Israel Journal of Mathematics 26, 1977): so the quotient of two rounds is a lower bound of L, and
    after a step that was too long it is close to L, as the gradient then grows along the most curved direction. The objective
    being quadratic, that holds for any combination of such differences, too; the largest quotient in the span of the last two
    is taken. No pass over the rows is needed for it.

    Args:
        size: of the weights.
        least, most: between which L is known to be.
    """

    def __init__(self, size: int, least: float, most: float) -> None:
        self.lipschitz, self.most = least, most
        self._begun = False
        # The round before; and what lies between it and the one before it, then between it and this one.
        self._point, self._gradient = np.zeros(size), np.zeros(size)
        self._moved, self._changed = np.zeros((2, size)), np.zeros((2, size))

    def next(self, point: Vector, gradient: Vector, rounding: float) -> tuple[float, bool]:
        """As ``Steps``; momentum restarts when L has grown."""
        found = 0.0
        if self._begun:
            np.subtract(point, self._point, out=self._moved[1])
            np.subtract(gradient, self._gradient, out=self._changed[1])
            found = self._quotient(point, rounding)
        self._begun = True
        self._point[:], self._gradient[:] = point, gradient
        grown = found > RAISED * self.lipschitz
        if grown:
            self.lipschitz = min(found, self.most)
        return 1.0 / self.lipschitz, grown

    def gain(self, norm: float) -> float:
        """A step that was too long is followed by one that is not."""
        return math.inf

    def _quotient(self, point: Vector, rounding: float) -> float:
        """The largest |dg|^2 / dw'dg; 0 where the differences are rounding rather than curvature."""
        (old, moved), (before, changed) = self._moved, self._changed
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

    def dump(self) -> Vector:
        """All but what the next round makes anew."""
        return np.concatenate([[self.lipschitz, self._begun], self._point, self._gradient, self._moved[0], self._changed[0]])

    def load(self, vector: Vector) -> None:
        """Go on from there.

        Raises:
            InputError: no ``dump`` gave it.
        """
        self.lipschitz, self._begun = float(vector[0]), bool(vector[1])
        if not 0 < self.lipschitz < math.inf:
            raise InputError("the checkpoint is damaged, its state has no curvature to go on with: take an older copy")
        self._point[:], self._gradient[:], self._moved[0], self._changed[0] = np.split(vector[2:], 4)
