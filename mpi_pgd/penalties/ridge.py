"""The square of the weights."""

import numpy as np

from mpi_pgd.engine.arrays import Vector


class Ridge:
    """strength/2 |v|^2."""

    def __init__(self, strength: float) -> None:
        self.curvature = strength

    def value_and_gradient(self, weights: Vector, out: Vector) -> float:
        """strength/2 |v|^2 and strength v."""
        np.multiply(weights, self.curvature, out=out)
        return 0.5 * float(np.dot(weights, out))
