"""From sums over the rows, in the user's units, to the objective and its gradient where the solver works."""

from typing import NamedTuple

import numpy as np

from mpi_pgd.arrays import Vector


class Scaling(NamedTuple):
    """The change of units z = (x - mean) / scale, applied to the weights, never to the rows: each (features,) float64."""

    mean: Vector
    scale: Vector


class Objective:
    """F(v) = 1/n sum of losses + l2/2 |v|^2 over the weights v = [features (p) | intercept, if any].

    v belongs to the scaled features. The penalty acts on v too, as glmnet's does, and never on the intercept.
    """

    def __init__(self, rows: int, scaling: Scaling, intercept: bool, l2: float) -> None:
        self.rows, self.scaling, self.intercept, self.l2 = rows, scaling, intercept, l2
        self.features = len(scaling.mean)
        self.size = self.features + intercept
        self._penalised = np.empty(self.features)

    def to_user(self, weights: Vector, point: Vector) -> None:
        """Write weights (size,) in the user's units into ``point`` [w (p) | c]. Linear, so it also maps directions."""
        p = self.features
        np.divide(weights[:p], self.scaling.scale, out=point[:p])
        point[p] = weights[p] - np.dot(self.scaling.mean, point[:p]) if self.intercept else 0.0

    def value_and_gradient(self, sums: Vector, weights: Vector, gradient: Vector) -> float:
        """F at ``weights`` from the summed vectors ``[X'slope | slopes | losses]``; writes its ``gradient`` (size,)."""
        p, part = self.features, gradient[: self.features]
        np.multiply(self.scaling.mean, sums[p], out=part)
        np.subtract(sums[:p], part, out=part)
        part /= self.scaling.scale
        if self.intercept:
            gradient[p] = sums[p]
        gradient /= self.rows
        np.multiply(weights[:p], self.l2, out=self._penalised)
        part += self._penalised
        return float(sums[p + 1] / self.rows + 0.5 * np.dot(weights[:p], self._penalised))
