"""Least squares."""

import math
from dataclasses import dataclass

import numpy as np

from mpi_pgd.engine.arrays import Vector


@dataclass(frozen=True)
class Squared:
    """1/2 (eta - y)^2 for each row; the slope is eta - y."""

    centred = True
    curvature = 1.0

    def __call__(self, y: Vector, lines: Vector, sums: Vector) -> None:
        """As ``Loss``."""
        slope = lines[1]
        np.subtract(slope, y, slope)
        np.dot(lines, slope, sums)  # the slopes with ones, and with themselves
        sums[1] *= 0.5

    def slope_size(self, value: float) -> float:
        """Exactly."""
        return math.sqrt(2 * value)

    def explained(self, value: float, variance: float) -> float | None:
        """The coefficient of determination."""
        return 1.0 - 2 * value / variance if variance > 0 else None
