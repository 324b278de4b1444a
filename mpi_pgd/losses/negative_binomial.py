"""Negative binomial regression: counts that spread more than Poisson's, with a log link."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mpi_pgd import kernel
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.losses.links import exponential, unknown
from mpi_pgd.losses.numerics import TINY, Compiled, bell, falling, log_mean, of_number, share, slope_of_count
from mpi_pgd.losses.pulls import at_zero
from mpi_pgd.losses.targets import TargetFacts, Targets, counts
from mpi_pgd.options import BITS, MODEL, option


@dataclass(frozen=True)
class NegativeBinomial:
    """theta log(1 + e^z) + y log(1 + e^-z) with z = eta - log theta: half the deviance, but for y's terms.

    The variance is mu + mu^2 / theta, of the mean mu = e^eta; the slope is theta (mu - y) / (mu + theta). Both terms are convex.
    """

    theta: float = option(
        MODEL,
        1.0,
        "negative binomial: the variance is mean + mean^2 / theta",
        "a number from 1e-9 to 1e9 (for larger ones take --loss poisson)",
        lambda v: 1e-9 <= v <= 1e9,
        facts=BITS,
    )

    centred: ClassVar[bool] = False
    sorts: ClassVar[bool] = False
    convex: ClassVar[bool] = True
    curvature: ClassVar[float] = math.inf
    rooms: ClassVar[int] = 2
    pulls = staticmethod(at_zero)
    start = staticmethod(log_mean)
    slope_size = staticmethod(slope_of_count)
    explained = staticmethod(share)
    mean = staticmethod(exponential)
    probabilities = staticmethod(unknown)

    @property
    def compiled(self) -> Compiled:
        """With its parameters."""
        return "negative_binomial", (self.theta, of_number(kernel.log, self.theta))

    def labels(self, facts: TargetFacts) -> Targets:
        """Not negative; they need not be whole."""
        return counts(facts, "negative-binomial")

    def __call__(self, y: Vector, eta: Vector, value: Vector, room: Vector) -> None:
        """As ``Loss``."""
        tail, part = room
        np.subtract(eta, of_number(kernel.log, self.theta), eta)
        falling(eta, tail)
        kernel.log1p(tail, value)
        np.add(y, self.theta, part)
        np.multiply(value, part, value)
        np.maximum(eta, 0.0, out=part)
        np.multiply(part, self.theta, part)
        np.add(value, part, value)
        np.minimum(eta, 0.0, out=part)
        np.multiply(part, y, part)
        np.subtract(value, part, value)
        np.heaviside(eta, 1.0, eta)
        np.maximum(eta, tail, out=eta)  # 1 or the tail, over both the logistic curve
        np.divide(tail, eta, part)  # the other one
        np.multiply(part, y, part)
        np.multiply(eta, self.theta, eta)
        np.subtract(eta, part, eta)
        np.add(tail, 1.0, tail)
        np.divide(eta, tail, eta)

    def curvatures(self, y: Vector, eta: Vector, out: Vector, room: Vector) -> None:
        """(y + theta) theta mu / (mu + theta)^2."""
        np.subtract(eta, of_number(kernel.log, self.theta), out)
        falling(out, out)
        bell(out, room[0])
        np.add(y, self.theta, room[0])
        np.multiply(out, room[0], out)

    def floor(self, y: Vector, out: Vector, room: Vector) -> None:
        """Where the mean is y: theta log(1 + y / theta) + y log(1 + theta / y), and 0 where y is 0."""
        part = room[0]
        np.maximum(y, TINY * 1e9, out=part)
        np.divide(self.theta, part, part)
        kernel.log1p(part, part)
        np.multiply(part, y, part)
        np.divide(y, self.theta, out)
        kernel.log1p(out, out)
        np.multiply(out, self.theta, out)
        np.add(out, part, out)
