"""From sums over the rows, in the user's units, to the objective and its gradient where the solver works."""

import math
from typing import NamedTuple

import numpy as np

from mpi_pgd.engine.arrays import Vector

EPSILON = float(np.finfo(np.float64).eps)


class Scaling(NamedTuple):
    """The change of units z = (x - mean) / scale, applied to the weights, never to the rows.

    Attributes:
        mean: (p + 1,), y last; zeros without an intercept.
        scale: (p,); infinite where a column is constant (zero, without an intercept): its weight stays 0.
        spread: (p,) the root mean square of each z; 0 where it is constant.
        peak: (p + 1,) the largest magnitudes, in the user's units, y last.
    """

    mean: Vector
    scale: Vector
    spread: Vector
    peak: Vector

    @classmethod
    def of(cls, mean: Vector, deviation: Vector, peak: Vector, intercept: bool, standardize: bool) -> "Scaling":
        """From the moments (p + 1,) of the columns and of y. Without an intercept deviations are from zero: another model."""
        centre = mean if intercept else np.zeros_like(mean)
        size = deviation[:-1] if intercept else np.hypot(deviation[:-1], mean[:-1])
        scale = np.where(size > 0, size if standardize else 1.0, np.inf)
        return cls(centre, scale, size / scale, peak)


class Objective:
    """F(v) = 1/n sum of losses + l2/2 |v|^2 over the weights v (p,) of the scaled features.

    The intercept is no unknown: whatever the weights, the best one is mean(y) - mean(x)'w, so it is kept there, and what is
    descended on is the objective's minimum over it. Hence the first gradient is that of the signal, however far from 0 y lies.
    The penalty acts on v too, as glmnet's does.
    """

    def __init__(self, rows: int, scaling: Scaling, intercept: bool, l2: float) -> None:
        self.rows, self.scaling, self.intercept, self.l2 = rows, scaling, intercept, l2
        self.features = len(scaling.scale)
        self._scratch = np.empty(self.features)
        away = EPSILON * scaling.peak[:-1] / scaling.scale
        spread = scaling.spread
        self._errors = float(np.dot(spread, spread)), float(np.dot(spread, away)), float(np.dot(away, away))

    def to_user(self, weights: Vector, point: Vector) -> None:
        """Write ``weights`` (p,) in the user's units into ``point`` [w (p) | c]."""
        p = self.features
        np.divide(weights, self.scaling.scale, out=point[:p])
        point[p] = self.scaling.mean[p] - np.dot(self.scaling.mean[:p], point[:p]) if self.intercept else 0.0

    def value_and_gradient(self, sums: Vector, weights: Vector, gradient: Vector) -> float:
        """F at ``weights`` from the summed vectors ``[X'slope | slopes | losses]``; writes its ``gradient`` (p,)."""
        p = self.features
        np.multiply(self.scaling.mean[:p], sums[p], out=gradient)
        np.subtract(sums[:p], gradient, out=gradient)
        gradient /= self.scaling.scale
        gradient /= self.rows
        penalised = np.multiply(weights, self.l2, out=self._scratch)
        gradient += penalised
        return float(sums[p + 1] / self.rows + 0.5 * np.dot(weights, penalised))

    def rounding(self, point: Vector, loss: float) -> float:
        """A bound on the norm of the rounding error of the gradient at ``point`` [w (p) | c], where ``loss`` is the sum of losses.

        A row's residual is off by the rounding of x'w + c - y, by at most epsilon (|x|'|w| + |c| + |y|); and its product with
        the column by epsilon |x| |residual|. Sums over blocks add nothing, and many rows average: so it is seldom reached.
        """
        peak = self.scaling.peak
        largest = np.dot(np.abs(point[:-1], out=self._scratch), peak[:-1])
        residual = EPSILON * float(largest + abs(point[-1]) + peak[-1])
        size = math.sqrt(2 * loss / self.rows)
        spread, both, away = self._errors
        return math.sqrt(spread * residual**2 + 2 * both * residual * size + away * size**2)

    def curvature(self) -> tuple[float, float]:
        """Between which the largest eigenvalue of the Hessian lies: its largest diagonal element, and its trace."""
        diagonal = self.scaling.spread**2 + self.l2
        return float(diagonal.max()) or 1.0, float(diagonal.sum()) or 1.0
