"""The state of the working set."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpi_pgd.engine.arrays import Vector

MOST = 1024  # columns at most; where more weights matter, the most violated ones are moved, the others held


class Working(NamedTuple):
    """The state of the working set.

    Attributes:
        point, ask: what the next round evaluates.
        weights, gradient, value: (size,) of the best point, and the objective there.
        direction, foretold, length: of the trial from there: (size,), the fall of the model over it, and how far it goes.
        columns, asked, new: (MOST,) the places of the working set, of which so many are meant, the new ones first.
        every: the Hessian that is asked for is that of every so many-th row.
        curvature, curvatures: before the first round; the latter (size,) along each unknown.
        model: (MOST, MOST) the Hessian among them, as far as it is known.
        known: of how many.
        hessians: that there were among these columns.
        falls: (PATIENCE,) that the model foretold in the last rounds, in a ring; inf where there was none.
        rounds: with this Hessian.
        bounded: the loss bends no more anywhere than ``curvatures`` say: where a model foretells too much, as of rows that bend
            not at all at the weights, its curvatures are raised; else the trial goes less far.
        damped: times the curvatures of the columns, that the model's are raised by.
        trials: that failed one after the other.
        failed: trials so far.
        raised: times the penalty, which is lowered to what it is while its optima are followed; 1 where that is not needed.
        step: the length of the last step.
    """

    point: Vector
    ask: int
    weights: Vector
    gradient: Vector
    value: float
    direction: Vector
    foretold: float
    length: float
    columns: NDArray[np.int64]
    asked: int
    new: int
    every: int
    curvature: float
    curvatures: Vector
    model: Vector
    known: int
    hessians: int
    falls: Vector
    rounds: int
    bounded: bool
    damped: float
    trials: int
    failed: int
    raised: float
    step: float

    @property
    def request(self) -> Vector:
        """What a ``ColumnsTask`` has to know beside the point."""
        return np.array([self.every, self.new, self.asked, *self.columns[: self.asked]], dtype=np.float64)

    @property
    def steps(self) -> "Working":
        """Itself."""
        return self

    @property
    def sound(self) -> bool:
        """Whether there is something to go on with."""
        return math.isfinite(self.length) and 0 <= self.new <= self.asked <= MOST

    @property
    def recovers(self) -> bool:
        """From any trial."""
        return True

    def gain(self, norm: float) -> float:
        """A trial that was too far is followed by one that is not."""
        return math.inf
