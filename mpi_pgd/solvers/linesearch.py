"""Where a trial along a direction is accepted, and where the next one is made. A trial is a round."""

import math
from typing import NamedTuple

import numpy as np

from mpi_pgd import kernel
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.solvers.evaluation import Evaluation

ARMIJO = 1e-4  # of the fall that the slope foretells, at least
ROUNDED = 4 * float(np.finfo(np.float64).eps)  # of the objective: the least rounding of a value
NOISE = 1e-10  # of the objective, by which two values that are equal may differ
LEAST, MOST = 0.1, 0.5  # times the length: the next trial
FAR = 10.0  # times the fall that the slope foretells
KEPT = 10  # values, below the largest of which a search that is not monotone goes


class Line(NamedTuple):
    """From ``weights`` (size,) along ``direction`` (size,).

    Attributes:
        weights, gradient, value: of the best point so far; inf before the first.
        direction: (size,) in which the objective falls.
        slope: of the objective along it, below 0.
        length: of the trial, in directions.
        trials: that failed since the last that was accepted.
    """

    weights: Vector
    gradient: Vector
    direction: Vector
    value: float
    slope: float
    length: float
    trials: int

    @classmethod
    def at(cls, weights: Vector) -> "Line":
        """Before the first evaluation, which is made at ``weights`` (size,)."""
        return cls(weights.copy(), np.zeros_like(weights), np.zeros_like(weights), math.inf, 0.0, 0.0, 0)

    def towards(self, point: Vector, found: Evaluation, direction: Vector) -> "Line":
        """The next one, from ``point`` (size,), where that was ``found``, along ``direction`` (size,), tried whole first."""
        self.weights[:], self.gradient[:], self.direction[:] = point, found.gradient, direction
        slope = kernel.dot(found.gradient, direction)
        return Line(self.weights, self.gradient, self.direction, found.value, slope, 1.0, 0)

    @property
    def sound(self) -> bool:
        """Whether there is a line to go on along."""
        return math.isfinite(self.slope) and math.isfinite(self.length)

    @property
    def recovers(self) -> bool:
        """From any trial."""
        return True

    def gain(self, norm: float) -> float:
        """A trial that was too far is followed by one that is not."""
        return math.inf

    def accepts(self, trial: Evaluation) -> bool:
        """Armijo's rule; where the values are too close to tell, that of their slopes which it is for quadratics.

        (W. W. Hager and H. Zhang, "A new conjugate gradient method with guaranteed descent and an efficient line search", SIAM
        Journal on Optimization 16, 2005, section 4: the approximate Wolfe conditions.)
        """
        if trial.value <= self.value + ARMIJO * self.length * self.slope:
            return True
        close = trial.value <= self.value + NOISE * abs(self.value)
        return close and kernel.dot(trial.gradient, self.direction) <= (2 * ARMIJO - 1) * self.slope

    def shorter(self, trial: Evaluation) -> "Line":
        """After a failed ``trial``: to the minimum of the cubic through both values and slopes, within bounds.

        An objective that rose far more than it was to fall grows as exp does, of which no cubic knows.
        """
        share, slope = LEAST, self.length * self.slope
        if trial.value - self.value <= -FAR * slope:
            there = self.length * kernel.dot(trial.gradient, self.direction)
            share = min(max(minimum(self.value, slope, trial.value, there), LEAST), MOST)
        return self._replace(length=share * self.length, trials=self.trials + 1)

    def trial(self, out: Vector) -> None:
        """Write the point of the trial into ``out`` (size,)."""
        np.multiply(self.direction, self.length, out=out)
        out += self.weights


class Spectral(NamedTuple):
    """Steps along the gradient that may let the objective rise, but not above the largest of the last values.

    (L. Grippo, F. Lampariello and S. Lucidi, "A nonmonotone line search technique for Newton's method", SIAM Journal on Numerical
    Analysis 23, 1986; with a prox: S. J. Wright, R. D. Nowak and M. A. T. Figueiredo, "Sparse reconstruction by separable
    approximation", IEEE Transactions on Signal Processing 57, 2009.)

    Attributes:
        length: of the next step.
        values: (KEPT,) the last that were accepted, in a ring; -inf where there was none.
        accepted: how many were, in all.
    """

    length: float
    values: Vector
    accepted: int

    @property
    def sound(self) -> bool:
        """Whether there is a length to go on with."""
        return 0 < self.length < math.inf

    @property
    def recovers(self) -> bool:
        """From any trial."""
        return True

    def gain(self, norm: float) -> float:
        """A trial that was too far is followed by one that is not."""
        return math.inf

    def accepts(self, value: float, moved: Vector) -> bool:
        """A step of ``moved`` (size,) to where the objective has this ``value``; the first is where the descent begins."""
        highest = float(self.values.max())
        fall = ARMIJO / (2 * self.length) * kernel.dot(moved, moved)
        return not self.accepted or value <= highest - fall + ROUNDED * abs(highest)

    def went(self, value: float, length: float) -> "Spectral":
        """After a step that was accepted: the next one's ``length``."""
        self.values[self.accepted % KEPT] = value
        return Spectral(length, self.values, self.accepted + 1)

    def shorter(self, value: float) -> "Spectral":
        """After one that was not."""
        return self._replace(length=self.length * (MOST if math.isfinite(value) else LEAST))


def minimum(value: float, slope: float, reached: float, slope_there: float) -> float:
    """Where the cubic with ``value`` and ``slope`` < 0 at 0, ``reached`` and ``slope_there`` at 1, has its minimum; inf if nowhere.

    (J. Nocedal and S. Wright, "Numerical Optimization", 2006, equation 3.59.)
    """
    bend = slope + slope_there - 3 * (reached - value)
    square = bend * bend - slope * slope_there
    if square < 0:
        return math.inf
    root = math.sqrt(square)
    below = slope_there - slope + 2 * root
    return 1 - (slope_there + root - bend) / below if below > 0 else math.inf
