"""Tweedie regression: amounts of which many are exactly 0, as an insurer's claims are, with a log link."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mpi_pgd import kernel
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.losses.links import exponential, unknown
from mpi_pgd.losses.numerics import LEAST, Compiled, log, log_mean, share, slope_of_count
from mpi_pgd.losses.pulls import at_zero
from mpi_pgd.losses.targets import TargetFacts, Targets, counts
from mpi_pgd.options import BITS, MODEL, option


@dataclass(frozen=True)
class Tweedie:
    """(mu^a - 1) / a + y (mu^-b - 1) / b with mean mu = e^eta, a = 2 - power, b = power - 1: half the deviance, but for y's terms.

    The variance is as the mean's power: such are Poisson sums of gamma amounts. The slope is mu^a - y mu^-b.
    """

    tweedie_power: float = option(
        MODEL,
        1.5,
        "Tweedie: the variance is as this power of the mean",
        "a number above 1 and below 2 (for 0 take --loss squared, for 1 poisson, for 2 gamma, for 3 inverse-gaussian)",
        lambda v: 1 < v < 2,
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
    def _powers(self) -> tuple[float, float]:
        return 2.0 - self.tweedie_power, self.tweedie_power - 1.0

    @property
    def compiled(self) -> Compiled:
        """With its parameters."""
        return "tweedie", self._powers

    def labels(self, facts: TargetFacts) -> Targets:
        """Not negative."""
        return counts(facts, "tweedie")

    def __call__(self, y: Vector, eta: Vector, value: Vector, room: Vector) -> None:
        """As ``Loss``. The powers less 1 keep their digits where a or b is small, and the loss is near Poisson's or gamma's."""
        a, b = self._powers
        up, down = room
        self._exponents(y, eta, up, down)
        kernel.expm1(up, up)
        kernel.expm1(down, down)
        np.multiply(down, y, down)
        np.divide(up, a, value)
        np.divide(down, b, eta)
        np.add(value, eta, value)
        np.add(up, 1.0, up)
        np.add(down, y, down)
        np.subtract(up, down, eta)

    def curvatures(self, y: Vector, eta: Vector, out: Vector, room: Vector) -> None:
        """Of both terms: a mu^a + b y mu^-b."""
        a, b = self._powers
        down = room[0]
        self._exponents(y, eta, out, down)
        kernel.exp(out, out)
        np.multiply(out, a, out)
        kernel.exp(down, down)
        np.multiply(down, y, down)
        np.multiply(down, b, down)
        np.add(out, down, out)

    def _exponents(self, y: Vector, eta: Vector, up: Vector, down: Vector) -> None:
        """Of e: a eta, and -b eta where y > 0, else 0: what would overflow there counts nothing."""
        a, b = self._powers
        np.sign(y, up)
        np.multiply(up, -b, down)
        np.multiply(down, eta, down)
        np.maximum(down, LEAST, out=down)
        np.multiply(eta, a, up)
        np.maximum(up, LEAST, out=up)

    def floor(self, y: Vector, out: Vector, room: Vector) -> None:
        """Where the mean is y, which is -1 / a where y is 0."""
        a, b = self._powers
        down = room[0]
        log(y, out)
        np.multiply(out, -b, down)
        kernel.expm1(down, down)
        np.multiply(down, y, down)
        np.divide(down, b, down)
        np.multiply(out, a, out)
        kernel.expm1(out, out)
        np.divide(out, a, out)
        np.add(out, down, out)
        np.copyto(out, -1 / a, where=y == 0)
