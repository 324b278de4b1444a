"""The square of the weights."""

import math
from dataclasses import dataclass

import numpy as np

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.options import BITS, MODEL, option


@dataclass(frozen=True)
class Ridge:
    """l2/2 |v|^2."""

    l2: float = option(
        MODEL, 0.0, "ridge penalty, on the scaled features", "a number of at least 0", lambda v: 0 <= v < math.inf, facts=BITS
    )

    @property
    def curvature(self) -> float:
        """The same along all weights."""
        return self.l2

    def value_and_gradient(self, weights: Vector, out: Vector) -> float:
        """l2/2 |v|^2 and l2 v."""
        np.multiply(weights, self.l2, out=out)
        return 0.5 * float(np.dot(weights, out))
