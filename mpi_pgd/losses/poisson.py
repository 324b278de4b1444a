"""Poisson regression: counts and rates, with a log link."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.losses.links import exponential, unknown
from mpi_pgd.losses.numerics import Compiled, exp, log, log_mean, share, slope_of_count
from mpi_pgd.losses.pulls import at_zero
from mpi_pgd.losses.targets import TargetFacts, Targets, counts


@dataclass(frozen=True)
class Poisson:
    """mu - y eta with the mean mu = e^eta: half the deviance, but for y log y - y; the slope is mu - y."""

    centred: ClassVar[bool] = False
    sorts: ClassVar[bool] = False
    convex: ClassVar[bool] = True
    curvature: ClassVar[float] = math.inf
    rooms: ClassVar[int] = 0
    compiled: ClassVar[Compiled] = "poisson", ()
    pulls = staticmethod(at_zero)
    start = staticmethod(log_mean)
    slope_size = staticmethod(slope_of_count)
    explained = staticmethod(share)
    mean = staticmethod(exponential)
    probabilities = staticmethod(unknown)

    def labels(self, facts: TargetFacts) -> Targets:
        """Not negative; they need not be whole."""
        return counts(facts, "poisson")

    def __call__(self, y: Vector, eta: Vector, value: Vector, room: Vector) -> None:
        """As ``Loss``."""
        np.multiply(y, eta, value)
        exp(eta, eta)
        np.subtract(eta, value, value)
        np.subtract(eta, y, eta)

    def curvatures(self, y: Vector, eta: Vector, out: Vector, room: Vector) -> None:
        """The mean."""
        exp(eta, out)

    def floor(self, y: Vector, out: Vector, room: Vector) -> None:
        """Where the mean is y: y - y log y, and 0 where y is 0."""
        log(y, out)
        np.subtract(1.0, out, out)
        np.multiply(out, y, out)
