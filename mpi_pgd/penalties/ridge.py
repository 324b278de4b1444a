"""The square of the weights."""

import math
from dataclasses import dataclass

from mpi_pgd.options import BITS, MODEL, option
from mpi_pgd.penalties.strengths import Strengths


@dataclass(frozen=True)
class Ridge:
    """l2/2 |v|^2."""

    l2: float = option(
        MODEL, 0.0, "ridge penalty, on the scaled features", "a number of at least 0", lambda v: 0 <= v < math.inf, facts=BITS
    )

    @property
    def strengths(self) -> Strengths:
        """Of the square alone."""
        return Strengths(quadratic=self.l2)
