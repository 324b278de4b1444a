"""What is minimised, row by row. A new loss is a file here, and its line in ``LOSSES``."""

from collections.abc import Callable
from typing import Protocol

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.losses.squared import Squared


class Loss(Protocol):
    """A loss per row, seen only through the linear predictor eta = x'w + c. Its options are its own fields.

    Attributes:
        centred: whatever the weights, on features of mean zero the best intercept is the mean of y.
        curvature: bounds the second derivative in eta, over all eta and y.
    """

    centred: bool
    curvature: float

    def __call__(self, y: Vector, lines: Vector, sums: Vector) -> None:
        """The rows' slopes, and their sums.

        Sums, never means: rows can be split any way, and the division by n is done once. All are float64.

        Args:
            y: (rows,) the targets.
            lines: (2, rows), a line of ones and eta; eta is replaced by each row's slope, the derivative of its loss in eta.
            sums: (2,), into which go the sum of the slopes and the sum of the losses.
        """

    def slope_size(self, value: float) -> float:
        """The root mean square of the slopes where the mean of the losses is ``value``: a bound, in order of magnitude."""

    def explained(self, value: float, variance: float) -> float | None:
        """The part of the targets' variance that is explained where the mean of the losses is ``value``; None if there is none."""


LOSSES: dict[str, Callable[..., Loss]] = {
    "squared": Squared,
}
