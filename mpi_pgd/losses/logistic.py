"""Logistic regression of two classes."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mpi_pgd import kernel
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.losses.links import unknown
from mpi_pgd.losses.numerics import Compiled, bell, falling, of_number, share, zero
from mpi_pgd.losses.pulls import to_class
from mpi_pgd.losses.targets import TargetFacts, Targets, binary


@dataclass(frozen=True)
class Logistic:
    """log(1 + e^-m) with the margin m = (2 y - 1) eta, of class y in {0, 1}; the slope is 1 / (1 + e^-eta) - y."""

    centred: ClassVar[bool] = False
    sorts: ClassVar[bool] = True
    convex: ClassVar[bool] = True
    curvature: ClassVar[float] = 0.25
    rooms: ClassVar[int] = 3
    compiled: ClassVar[Compiled] = "logistic", ()
    pulls = staticmethod(to_class)
    floor = staticmethod(zero)
    explained = staticmethod(share)
    mean = staticmethod(unknown)

    def labels(self, facts: TargetFacts) -> Targets:
        """0 and 1, or -1 and 1."""
        return binary(facts, "logistic")

    def __call__(self, y: Vector, eta: Vector, value: Vector, room: Vector) -> None:
        """As ``Loss``. By the margin, a slope near 0 has all its digits."""
        side, tail, over = room
        np.multiply(y, -2.0, side)
        np.add(side, 1.0, side)
        np.multiply(eta, side, eta)  # -m
        falling(eta, tail)
        kernel.log1p(tail, value)
        np.maximum(eta, 0.0, out=over)
        np.add(value, over, value)
        np.heaviside(eta, 1.0, eta)
        np.maximum(eta, tail, out=eta)
        np.add(tail, 1.0, tail)
        np.divide(eta, tail, eta)
        np.multiply(eta, side, eta)

    def curvatures(self, y: Vector, eta: Vector, out: Vector, room: Vector) -> None:
        """Of the probability p: p (1 - p)."""
        falling(eta, out)
        bell(out, room[0])

    def probabilities(self, eta: Vector) -> Vector:
        """1 / (1 + e^eta) and 1 / (1 + e^-eta): a small one has all its digits."""
        small = np.empty_like(eta)
        falling(eta, small)
        large = 1.0 / (1.0 + small)
        small *= large
        return np.where(eta < 0, [large, small], [small, large])

    def start(self, mean: Vector) -> Vector:
        """The logarithm of the odds; finite where a class has no weight."""
        part = np.clip(mean, np.finfo(np.float64).eps, 1 - np.finfo(np.float64).eps)
        rest = np.negative(part)
        kernel.log1p(rest, rest)
        kernel.log(part, part)
        return np.asarray(part - rest)

    def slope_size(self, value: float, curvature: float) -> float:
        """A slope is 1 - e^-loss at most, and so is its square."""
        return math.sqrt(-of_number(kernel.expm1, -value))
