"""Penalties of all kinds, on six features, of which one is constant, for one output and for three."""

from typing import NamedTuple

import numpy as np

from mpi_pgd.penalties.lasso import Lasso
from mpi_pgd.penalties.ridge import Ridge
from mpi_pgd.penalties.total import NoSides, Penalty

SCALE = np.array([1.0, 2.0, np.inf, 0.5, 1.0, 4.0])
FACTORS = np.array([1.0, 0.0, 3.0, 0.5, 2.0, 1.0])
GROUPS = np.array([7, 7, 7, 2, 2, 5])
INF = np.inf


class Sample(NamedTuple):
    """What a penalty is made of."""

    l2: float = 0.0
    l1: float = 0.0
    joint: bool = False
    sides: NoSides = NoSides()

    def penalty(self, outputs: int = 1, scale: np.ndarray = SCALE) -> Penalty:
        return Penalty([Ridge(self.l2), Lasso(self.l1, self.joint)], scale, outputs, self.sides)


SAMPLES = {
    "nothing": Sample(),
    "ridge": Sample(l2=0.3),
    "ridge, factors": Sample(l2=0.3, sides=NoSides(factors=FACTORS)),
    "lasso": Sample(l1=0.4),
    "lasso, factors": Sample(l1=0.4, sides=NoSides(factors=FACTORS)),
    "net": Sample(0.3, 0.4),
    "net, factors": Sample(0.3, 0.4, sides=NoSides(factors=FACTORS)),
    "box": Sample(sides=NoSides(lower=np.array([-1.0, 0.0, -9.0, -3.0, 0.5, -0.1]), upper=np.full(6, 1.0))),
    "positive": Sample(sides=NoSides(lower=np.zeros(6))),
    "lasso, positive": Sample(l1=0.4, sides=NoSides(lower=np.zeros(6))),
    "net, box, factors": Sample(
        0.3, 0.4, sides=NoSides(FACTORS, None, np.array([-1.0, 0.0, -INF, -INF, 0.5, -0.1]), np.array([1, INF, 5, 0, INF, 1.0]))
    ),
    "groups": Sample(l1=0.4, sides=NoSides(groups=GROUPS)),
    "groups, ridge, factors": Sample(0.3, 0.4, sides=NoSides(groups=GROUPS, factors=np.array([2.0, 2.0, 9.0, 0.0, 0.0, 1.0]))),
    "joint": Sample(l1=0.4, joint=True),
    "joint, ridge, factors": Sample(0.3, 0.4, True, NoSides(factors=FACTORS)),
    "joint groups": Sample(0.0, 0.4, True, NoSides(groups=GROUPS)),
}
CASES = [(name, outputs) for name, sample in SAMPLES.items() for outputs in (1, 3) if outputs == 3 or not sample.joint]
