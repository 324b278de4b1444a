"""What the sums of a round say of the point at which it was made, on scaled features."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mpi_pgd import kernel
from mpi_pgd.drivers.objective import Objective
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.partial import Partial
from mpi_pgd.engine.query import Query
from mpi_pgd.engine.tasks import Task


class Reading:
    """Sums as their parts, as a norm and as a Hessian; of what is long in rooms that are made once.

    Attributes:
        gradient: (size,) room for that of what is smooth.
        left: the norm of the newest gradient were the features standardised.
    """

    def __init__(self, objective: Objective, tasks: Sequence[Task]) -> None:
        self.of = objective
        self.gradient, self._least = np.empty(objective.size), np.empty(objective.size)
        self._sized = tuple(map(kernel.lasting, (self.gradient, objective.unit, self._least)))
        self.left = np.inf
        self._rooms = [_room(task) for task in tasks]
        self._known, self._off = (0, 0), 0.0  # for which bound it is known what the sums are off by, and how much that is

    def summed(self, partial: Partial, number: int, task: Task) -> tuple[Vector, Mapping[str, Vector]]:
        """All sums, and their parts; long ones where the partial has them, until the next round."""
        if partial.long:
            sums = partial.settle()
            return sums, task.layout.split(sums)
        sums, parts = _room(task) if task.varies else self._rooms[number]
        return partial.total(sums), parts

    def lost(self, partial: Partial, query: Query, part: float) -> float:
        """A bound on the norm of what the sums of the gradient have no digits for: with one fold it is more than rounding."""
        if partial.cutting.folds == 1 and self._known != (query.number, query.bound):
            self._known = query.number, query.bound
            self._off = self.of.scaled(partial.errors()[: self.of.weights])
        return self._off / (part or self.of.aims.weight)

    def hessian(self, parts: Mapping[str, Vector], state: Any) -> Vector | None:
        """That which was asked for; None if none was."""
        if "hessian" in parts:
            return self.of.hessian(parts["hessian"], float(parts["weight"]))
        if "columns" in parts:
            return self.of.columns(parts["columns"], float(parts["weight"]), state.columns)
        return None

    def whole(self, smooth: float, weights: Vector) -> tuple[float, float]:
        """The objective, and the norm of its gradient, or of the least of its subgradients where it is not smooth.

        Of features in very different units one is all of that norm, unless they are standardised: notes what it were then.
        """
        rough, least = self.of.penalty.nonsmooth, self._least
        if rough is None:
            squares, left = kernel.sizes(*self._sized)
            self.left = math.sqrt(left)
            return smooth, math.sqrt(squares)
        norm = rough.distance(weights, self.gradient, least)
        least /= self.of.unit
        self.left = kernel.norm(least)
        return smooth + rough.value(weights), norm


def _room(task: Task) -> tuple[Vector, Mapping[str, Vector]]:
    """For a task's sums over all rows, and its parts."""
    sums = np.empty(task.layout.width)
    return sums, task.layout.split(sums)
