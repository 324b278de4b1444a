"""Gamma regression: amounts whose spread grows with their mean, with a log link."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mpi_pgd import kernel
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.losses.links import exponential, unknown
from mpi_pgd.losses.numerics import Compiled, exp, log_mean, share, slope_of_count
from mpi_pgd.losses.pulls import nowhere
from mpi_pgd.losses.targets import TargetFacts, Targets, positive


@dataclass(frozen=True)
class Gamma:
    """eta + y / mu with the mean mu = e^eta: half the deviance, but for -1 - log y; the slope is 1 - y / mu."""

    centred: ClassVar[bool] = False
    sorts: ClassVar[bool] = False
    convex: ClassVar[bool] = True
    curvature: ClassVar[float] = math.inf
    rooms: ClassVar[int] = 1
    compiled: ClassVar[Compiled] = "gamma", ()
    pulls = staticmethod(nowhere)
    start = staticmethod(log_mean)
    slope_size = staticmethod(slope_of_count)
    explained = staticmethod(share)
    mean = staticmethod(exponential)
    probabilities = staticmethod(unknown)

    def labels(self, facts: TargetFacts) -> Targets:
        """Above 0."""
        return positive(facts, "gamma")

    def __call__(self, y: Vector, eta: Vector, value: Vector, room: Vector) -> None:
        """As ``Loss``."""
        ratio = room[0]
        self.curvatures(y, eta, ratio, room)
        np.add(eta, ratio, value)
        np.subtract(1.0, ratio, eta)

    def curvatures(self, y: Vector, eta: Vector, out: Vector, room: Vector) -> None:
        """The ratio y / mu."""
        np.negative(eta, out)
        exp(out, out)
        np.multiply(out, y, out)

    def floor(self, y: Vector, out: Vector, room: Vector) -> None:
        """Where the mean is y: 1 + log y."""
        kernel.log(y, out)
        np.add(out, 1.0, out)
