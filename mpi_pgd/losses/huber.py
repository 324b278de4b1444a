"""Least squares that outliers pull no harder than a given distance does (Huber 1964)."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.losses.links import itself, unknown
from mpi_pgd.losses.numerics import Compiled, share, zero
from mpi_pgd.losses.pulls import nowhere
from mpi_pgd.losses.targets import TargetFacts, Targets, single
from mpi_pgd.options import BITS, MODEL, option


@dataclass(frozen=True)
class Huber:
    """1/2 r^2 with r = eta - y up to |r| = delta, from there on delta (|r| - delta / 2); the slope is r, or delta with its sign."""

    huber_delta: float = option(
        MODEL,
        1.35,
        "Huber: residuals beyond this, in the target's units, count linearly",
        "a number above 0",
        lambda v: 0 < v < math.inf,
        facts=BITS,
    )

    centred: ClassVar[bool] = False
    sorts: ClassVar[bool] = False
    convex: ClassVar[bool] = True
    curvature: ClassVar[float] = 1.0
    rooms: ClassVar[int] = 1
    pulls = staticmethod(nowhere)
    floor = staticmethod(zero)
    explained = staticmethod(share)
    mean = staticmethod(itself)
    probabilities = staticmethod(unknown)

    @property
    def compiled(self) -> Compiled:
        """With its parameters."""
        return "huber", (self.huber_delta,)

    def labels(self, facts: TargetFacts) -> Targets:
        """Any numbers."""
        return single(facts, "huber")

    def __call__(self, y: Vector, eta: Vector, value: Vector, room: Vector) -> None:
        """As ``Loss``: slope (r - slope / 2)."""
        residual = room[0]
        np.subtract(eta, y, residual)
        np.minimum(residual, self.huber_delta, out=eta)
        np.maximum(eta, -self.huber_delta, out=eta)
        np.multiply(eta, -0.5, value)
        np.add(value, residual, value)
        np.multiply(value, eta, value)

    def curvatures(self, y: Vector, eta: Vector, out: Vector, room: Vector) -> None:
        """1 up to delta, and 0 beyond."""
        np.subtract(eta, y, out)
        np.abs(out, out)
        np.subtract(self.huber_delta, out, out)
        np.heaviside(out, 1.0, out)

    def start(self, mean: Vector) -> Vector:
        """The mean, which is near the best intercept."""
        return mean

    def slope_size(self, value: float, curvature: float) -> float:
        """A slope's square is at most twice the loss."""
        return min(math.sqrt(2 * value), self.huber_delta)
