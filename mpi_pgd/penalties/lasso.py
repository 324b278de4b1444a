"""The absolute values of the weights, or the norms of groups of them."""

import math
from dataclasses import dataclass

from mpi_pgd.options import BITS, MODEL, option, switch
from mpi_pgd.penalties.strengths import Strengths


@dataclass(frozen=True)
class Lasso:
    """l1 |v|_1; with groups l1 times the sum over the groups of sqrt(size) |v_group|_2."""

    l1: float = option(
        MODEL,
        0.0,
        "lasso penalty, on the scaled features; with --groups on the norm of each group, times the root of its size",
        "a number of at least 0",
        lambda v: 0 <= v < math.inf,
        facts=BITS,
    )
    joint: bool = switch(
        MODEL, False, "l1 on the norm of each feature's weights over all outputs: it is in or out for all of them", facts=BITS
    )

    @property
    def strengths(self) -> Strengths:
        """Of the absolute value alone."""
        return Strengths(absolute=self.l1, joint=self.joint)
