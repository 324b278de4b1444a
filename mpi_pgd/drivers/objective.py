"""From sums over the rows, in the user's units, to the objective and its gradient where the solver works."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.losses import Loss
from mpi_pgd.penalties import Penalty

EPSILON = float(np.finfo(np.float64).eps)


class Scaling(NamedTuple):
    """The change of units z = (x - mean) / scale, applied to the weights, never to the rows."""

    mean: Vector  # (p + 1,), y last; zeros without an intercept
    scale: Vector  # (p,); infinite where a column is constant (zero, without an intercept): its weight stays 0
    spread: Vector  # (p,) the root mean square of each z; 0 where it is constant
    peak: Vector  # (p + 1,) the largest magnitudes, in the user's units, y last

    @classmethod
    def of(cls, mean: Vector, deviation: Vector, peak: Vector, intercept: bool, standardize: bool) -> "Scaling":
        """From the moments (p + 1,) of the columns and of y. Without an intercept deviations are from zero: another model."""
        centre = mean if intercept else np.zeros_like(mean)
        size = deviation[:-1] if intercept else np.hypot(deviation[:-1], mean[:-1])
        scale = np.where(size > 0, size if standardize else 1.0, np.inf)
        return cls(centre, scale, size / scale, peak)


class Objective:
    """F(v, c) = 1/n sum of losses + penalties of the weights v (p,) of the scaled features; c, the intercept, is not penalised.

    Where the loss knows the best intercept, mean(y) - mean(x)'w for least squares, it is no unknown: it is kept there, and what is
    descended on is the objective's minimum over it. Hence the first gradient is that of the signal, however far from 0 y lies.
    The penalties act on v, as glmnet's do.
    """

    def __init__(self, rows: int, scaling: Scaling, loss: Loss, penalties: Sequence[Penalty], intercept: bool) -> None:
        self.rows, self.scaling, self.loss, self.penalties, self.intercept = rows, scaling, loss, penalties, intercept
        self.features = len(scaling.scale)
        self.free = int(intercept and not loss.centred)  # an intercept that has to be found, which is that on centred features
        self.size = self.features + self.free  # of the unknowns
        self._scratch = np.empty(self.features)
        self._spread = np.append(scaling.spread, np.ones(self.free))
        away = np.append(EPSILON * scaling.peak[:-1] / scaling.scale, np.zeros(self.free))
        spread = self._spread
        self._errors = float(np.dot(spread, spread)), float(np.dot(spread, away)), float(np.dot(away, away))

    def to_user(self, unknowns: Vector, point: Vector) -> None:
        """Write ``unknowns`` (size,) in the user's units into ``point`` [w (p) | c]."""
        p = self.features
        np.divide(unknowns[:p], self.scaling.scale, out=point[:p])
        centre = unknowns[p] if self.free else self.scaling.mean[p]
        point[p] = centre - np.dot(self.scaling.mean[:p], point[:p]) if self.intercept else 0.0

    def value_and_gradient(self, sums: Mapping[str, Vector], unknowns: Vector, gradient: Vector) -> float:
        """F at ``unknowns`` from the sums of a ``GradientTask``; writes its ``gradient`` (size,)."""
        p = self.features
        slopes, weights = gradient[:p], unknowns[:p]
        np.multiply(self.scaling.mean[:p], sums["slopes"], out=slopes)
        np.subtract(sums["gradient"], slopes, out=slopes)
        slopes /= self.scaling.scale
        slopes /= self.rows
        value = float(sums["value"] / self.rows)
        for penalty in self.penalties:
            value += penalty.value_and_gradient(weights, self._scratch)
            slopes += self._scratch
        if self.free:
            gradient[p] = sums["slopes"] / self.rows
        return value

    def rounding(self, point: Vector, value: float) -> float:
        """A bound on the norm of the rounding error of the gradient at ``point`` [w (p) | c], where the losses sum up to ``value``.

        A row's slope is off by the rounding of x'w + c - y, by at most epsilon (|x|'|w| + |c| + |y|) times the curvature; and its
        product with the column by epsilon |x| |slope|. Sums over blocks add nothing; many rows average, so it is seldom reached.
        """
        peak = self.scaling.peak
        largest = np.dot(np.abs(point[: self.features], out=self._scratch), peak[:-1])
        off = self.loss.curvature * EPSILON * float(largest + abs(point[self.features]) + peak[-1])
        size = self.loss.slope_size(value / self.rows)
        spread, both, away = self._errors
        return math.sqrt(spread * off**2 + 2 * both * off * size + away * size**2)

    def curvature(self) -> tuple[float, float]:
        """Between which the largest eigenvalue of the Hessian lies: its largest diagonal element, and its trace.

        Of a loss whose curvature varies, these are of the largest Hessian that there may be.
        """
        diagonal = self.loss.curvature * self._spread**2
        diagonal[: self.features] += sum(penalty.curvature for penalty in self.penalties)
        return float(diagonal.max()) or 1.0, float(diagonal.sum()) or 1.0
