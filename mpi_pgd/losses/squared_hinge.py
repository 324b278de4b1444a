"""The smooth support vector machine of two classes."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.losses.links import unknown
from mpi_pgd.losses.numerics import Compiled, share, zero
from mpi_pgd.losses.pulls import nowhere
from mpi_pgd.losses.targets import TargetFacts, Targets, binary


@dataclass(frozen=True)
class SquaredHinge:
    """h^2 with h = max(0, 1 - s eta) and the sign s = 2 y - 1 of class y in {0, 1}; the slope is -2 s h. No factor of one half."""

    centred: ClassVar[bool] = False
    sorts: ClassVar[bool] = True
    convex: ClassVar[bool] = True
    curvature: ClassVar[float] = 2.0
    rooms: ClassVar[int] = 1
    compiled: ClassVar[Compiled] = "squared_hinge", ()
    pulls = staticmethod(nowhere)
    floor = staticmethod(zero)
    explained = staticmethod(share)
    mean = staticmethod(unknown)
    probabilities = staticmethod(unknown)

    def labels(self, facts: TargetFacts) -> Targets:
        """0 and 1, or -1 and 1."""
        return binary(facts, "squared-hinge")

    def __call__(self, y: Vector, eta: Vector, value: Vector, room: Vector) -> None:
        """As ``Loss``."""
        side = room[0]
        self._hinge(y, eta, eta, side)
        np.maximum(eta, 0.0, out=eta)
        np.multiply(eta, eta, value)
        np.multiply(eta, side, eta)
        np.multiply(eta, 2.0, eta)

    def curvatures(self, y: Vector, eta: Vector, out: Vector, room: Vector) -> None:
        """2 up to a margin of 1, and 0 beyond."""
        self._hinge(y, eta, out, room[0])
        np.heaviside(out, 0.0, out)
        np.multiply(out, 2.0, out)

    def _hinge(self, y: Vector, eta: Vector, out: Vector, side: Vector) -> None:
        """1 - s eta, and -s."""
        np.multiply(y, -2.0, side)
        np.add(side, 1.0, side)
        np.multiply(side, eta, out)
        np.add(out, 1.0, out)

    def start(self, mean: Vector) -> Vector:
        """The difference of the classes' shares."""
        return 2 * mean - 1

    def slope_size(self, value: float, curvature: float) -> float:
        """Exactly."""
        return 2 * math.sqrt(value)
