"""What a round found of the weights, and the best that any has found."""

import math
from typing import NamedTuple

import numpy as np

from mpi_pgd import kernel
from mpi_pgd.engine.arrays import Vector

IDLE = 10  # rounds in which the gradient's norm has not fallen to
FALLEN = 0.9  # of its smallest


class Figures(NamedTuple):
    """What a round found of the weights at which it was made."""

    objective: float = math.inf
    gradient_norm: float = math.inf
    loss: float = math.inf  # the mean of it
    rounding: float = 0.0  # of the gradient
    decrement: float = math.nan  # Newton's, squared; nan if it is not known


class Best:
    """The best weights so far, and how long the gradient has not fallen.

    Attributes:
        figures: of the best weights.
        point: (width,) these, as they were asked for.
        smallest: of the gradient's norms, where they tell that an optimum is near.
        fell: the round when that fell last.
    """

    def __init__(self, width: int) -> None:
        self.figures, self.point = Figures(), np.zeros(width)
        self.smallest, self.fell = math.inf, 0.0

    def note(self, found: Figures, point: Vector, round: int, tells: bool) -> None:
        """What was ``found`` at ``point``, and whether the gradient ``tells``."""
        if found.objective < self.figures.objective:
            self.figures = found
            self.point[:] = point[: len(self.point)]
        if tells:
            if found.gradient_norm <= FALLEN * self.smallest:
                self.fell = round
            self.smallest = min(found.gradient_norm, self.smallest)

    def idle(self, round: int) -> bool:
        """Whether the gradient falls no more, and is rounding: that of a trial too far off may be as large as it is far."""
        return round - self.fell >= IDLE and self.smallest <= self.figures.rounding


def decrement(hessian: Vector | None, gradient: Vector) -> float:
    """g'H^-1 g, Newton's decrement squared; nan where H is not known, or not positive definite, as far as can be told."""
    if hessian is None:
        return math.nan
    step = kernel.solve(hessian, gradient)
    squared = math.nan if step is None else kernel.dot(gradient, step)
    return squared if squared > 0 else math.nan
