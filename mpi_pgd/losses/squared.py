"""Least squares."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.losses.links import itself, unknown
from mpi_pgd.losses.numerics import Compiled
from mpi_pgd.losses.pulls import nowhere
from mpi_pgd.losses.targets import TargetFacts, Targets, plain

CLASSES = "the targets are 0 and 1 alone: if these are two classes, give --loss logistic"


@dataclass(frozen=True)
class Squared:
    """1/2 (eta - y)^2 for each row, summed over its targets; the slope is eta - y."""

    centred: ClassVar[bool] = True
    sorts: ClassVar[bool] = False
    convex: ClassVar[bool] = True
    curvature: ClassVar[float] = 1.0
    rooms: ClassVar[int] = 1
    compiled: ClassVar[Compiled] = "squared", ()
    pulls = staticmethod(nowhere)
    mean = staticmethod(itself)
    probabilities = staticmethod(unknown)

    def labels(self, facts: TargetFacts) -> Targets:
        """Any numbers; two classes are better served by another loss."""
        return plain(facts, CLASSES if facts.values == (0.0, 1.0) else "")

    def __call__(self, y: Vector, eta: Vector, value: Vector, room: Vector) -> None:
        """As ``Loss``."""
        np.subtract(eta, y, eta)
        first, *more = eta[None] if eta.ndim == 1 else eta
        np.multiply(first, first, value)
        for line in more:
            np.multiply(line, line, room[0])
            np.add(value, room[0], value)
        np.multiply(value, 0.5, value)

    def curvatures(self, y: Vector, eta: Vector, out: Vector, room: Vector) -> None:
        """1; between two outputs 0."""
        out[:] = 1.0 if eta.ndim == 1 else np.eye(len(eta))[np.triu_indices(len(eta))][:, None]

    def floor(self, y: Vector, out: Vector, room: Vector) -> None:
        """0."""
        out[:] = 0.0

    def start(self, mean: Vector) -> Vector:
        """The mean."""
        return mean

    def slope_size(self, value: float, curvature: float) -> float:
        """Exactly."""
        return math.sqrt(2 * value)

    def explained(self, value: float, null: float) -> float | None:
        """The coefficient of determination."""
        return 1.0 - value / null if null > 0 else None
