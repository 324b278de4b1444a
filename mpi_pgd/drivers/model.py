"""A model that a user wrote, as an objective: the mean of its losses over the rows, and l2 on all of its weights."""

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from mpi_pgd.drivers.objective import Aims, Objective, Scaling
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.losses.pulls import nowhere
from mpi_pgd.penalties import Penalty, Term


class ModelLoss:
    """What is known of the losses of rows that only the user's function sees: nothing that bounds them."""

    centred: ClassVar[bool] = False
    convex: ClassVar[bool] = False
    curvature: ClassVar[float] = math.inf
    pulls = staticmethod(nowhere)

    def slope_size(self, value: float, curvature: float) -> float:
        """As of a parabola, which most are near their minimum."""
        return math.sqrt(2 * curvature * max(value, 0.0))

    def explained(self, value: float, null: float) -> float | None:
        """What the loss of no model would be is not known."""
        return None


class ModelObjective(Objective):
    """That of a linear model of as many features as there are weights, neither scaled nor centred, without an intercept.

    ``terms`` are the penalties; ``start`` (size,) is where the descent begins; ``weight`` the sum of the rows' weights.
    """

    hessians = False

    def __init__(self, rows: int, weight: float, start: Vector, terms: Sequence[Term]) -> None:
        ones = np.ones(len(start))
        scaling = Scaling(np.zeros(len(start) + 1), ones, ones, np.ones(len(start) + 1))
        aims = Aims(weight, curvature=1.0)
        super().__init__(rows, scaling, ModelLoss(), Penalty(terms, ones), intercept=False, aims=aims)
        self._start = start

    def start(self) -> Vector:
        """As it was given: at zero many models stand still."""
        return self._start.copy()
