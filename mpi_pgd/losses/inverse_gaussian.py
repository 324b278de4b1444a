"""Inverse Gaussian regression: amounts with a long tail, with a log link."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.losses.links import exponential, unknown
from mpi_pgd.losses.numerics import Compiled, exp, log_mean, share, slope_of_count
from mpi_pgd.losses.pulls import nowhere
from mpi_pgd.losses.targets import TargetFacts, Targets, positive


@dataclass(frozen=True)
class InverseGaussian:
    """y / (2 mu^2) - 1 / mu with the mean mu = e^eta: half the deviance, but for 1 / (2 y); the slope is (1 - y / mu) / mu.

    It is not convex where mu > 2 y.
    """

    centred: ClassVar[bool] = False
    sorts: ClassVar[bool] = False
    convex: ClassVar[bool] = False
    curvature: ClassVar[float] = math.inf
    rooms: ClassVar[int] = 1
    compiled: ClassVar[Compiled] = "inverse_gaussian", ()
    pulls = staticmethod(nowhere)
    start = staticmethod(log_mean)
    slope_size = staticmethod(slope_of_count)
    explained = staticmethod(share)
    mean = staticmethod(exponential)
    probabilities = staticmethod(unknown)

    def labels(self, facts: TargetFacts) -> Targets:
        """Above 0."""
        return positive(facts, "inverse-gaussian")

    def __call__(self, y: Vector, eta: Vector, value: Vector, room: Vector) -> None:
        """As ``Loss``."""
        inverse = room[0]
        np.negative(eta, inverse)
        exp(inverse, inverse)
        np.multiply(y, inverse, eta)
        np.multiply(eta, 0.5, value)
        np.subtract(value, 1.0, value)
        np.multiply(value, inverse, value)
        np.subtract(1.0, eta, eta)
        np.multiply(eta, inverse, eta)

    def curvatures(self, y: Vector, eta: Vector, out: Vector, room: Vector) -> None:
        """(2 y / mu - 1) / mu."""
        ratio = room[0]
        np.negative(eta, out)
        exp(out, out)
        np.multiply(y, out, ratio)
        np.multiply(ratio, 2.0, ratio)
        np.subtract(ratio, 1.0, ratio)
        np.multiply(out, ratio, out)

    def floor(self, y: Vector, out: Vector, room: Vector) -> None:
        """Where the mean is y: -1 / (2 y)."""
        np.divide(-0.5, y, out)
