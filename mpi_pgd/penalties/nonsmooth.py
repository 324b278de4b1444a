"""What of a penalty is not smooth, as solvers see it."""

from collections.abc import Callable
from typing import Any, Protocol

from numpy.typing import NDArray

from mpi_pgd.engine.arrays import Vector


class Nonsmooth(Protocol):
    """h(v), convex, a sum over units: single weights with their bounds, or groups of weights.

    Vectors are [V (k, p) | c (free)], row by row, float64; intercepts at their end are neither penalised nor bounded, and may be
    left out. All of it is exact: what is out is 0, what is at its bound is at its bound.

    Attributes:
        units: (k p,) the unit of each weight, numbered from 0 on.
        prox_coordinate: of the place of a weight, z and the curvature, what ``prox_unit`` gives; None where units are groups.
    """

    @property
    def units(self) -> NDArray[Any]:
        """See above."""

    @property
    def prox_coordinate(self) -> Callable[[int, float, float], float] | None:
        """See above."""

    def value(self, v: Vector) -> float:
        """h(v); inf out of bounds."""

    def prox(self, v: Vector, step: float, out: Vector) -> None:
        """The z with the least |z - v|^2 / (2 step) + h(z); ``out`` may be ``v``. With a step of 0: the nearest z within bounds."""

    def distance(self, v: Vector, gradient: Vector, out: Vector) -> float:
        """How far ``-gradient``, of all that is smooth, is from a subgradient of h at ``v``: 0 at the optimum alone.

        The shortest sum of ``gradient`` and a subgradient goes into ``out``, so that its part for a unit says the same of the
        unit; returned is its norm.
        """

    def prox_unit(self, unit: int, z: Vector, curvature: float, out: Vector) -> None:
        """The t with the least curvature/2 |t - z|^2 + h(t), of one unit alone: ``z`` and ``out`` are its weights, in order."""

    def raised(self, times: float) -> "Nonsmooth":
        """With so many times the strength; bounds stay."""

    def at(self, places: NDArray[Any]) -> "Nonsmooth":
        """The same of the weights at ``places`` (m,), whole units, all others being 0."""
