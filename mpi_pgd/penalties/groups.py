"""The norms of groups of weights."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpi_pgd import kernel
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.penalties.entries import inverse


class Groups:
    """The sum over the groups of l1 weight |v_group|_2 (M. Yuan and Y. Lin 2006). As ``Nonsmooth``, and what duals take.

    Args:
        l1: the strength.
        weights: (groups,) its factors, from 0 on.
        units: (m,) the group of each of the weights v.
    """

    smooth = False
    prox_coordinate = None

    def __init__(self, l1: float, weights: Vector, units: NDArray[Any]) -> None:
        self.l1, self.weights, self.units = l1, weights, units
        self.strengths: Vector = l1 * weights

    def norms(self, v: Vector) -> Vector:
        """Of each group (groups,)."""
        weights = v[: len(self.units)]
        found: Vector = np.sqrt(np.bincount(self.units, weights * weights, len(self.weights)))
        return found

    def value(self, v: Vector) -> float:
        """As ``Nonsmooth``."""
        return kernel.dot(self.strengths, self.norms(v))

    def prox(self, v: Vector, step: float, out: Vector) -> None:
        """As ``Nonsmooth``: each group is shortened."""
        size = len(self.units)
        np.multiply(v[:size], _shortened(self.norms(v), step * self.strengths)[self.units], out=out[:size])
        out[size:] = v[size:]

    def prox_unit(self, unit: int, z: Vector, curvature: float, out: Vector) -> None:
        """As ``Nonsmooth``."""
        np.multiply(z, _shortened(np.sqrt(np.sum(z * z, keepdims=True)), self.strengths[unit] / curvature), out=out)

    def distance(self, v: Vector, gradient: Vector, out: Vector) -> float:
        """As ``Nonsmooth``: at a group of zeros every vector of length l1 weight is a subgradient."""
        size = len(self.units)
        norms, slopes = self.norms(v), gradient[:size]
        away = norms > 0
        inverse = np.divide(self.strengths, norms, out=np.zeros_like(norms), where=away)
        shortened = _shortened(self.norms(slopes), self.strengths)
        kept = slopes + inverse[self.units] * v[:size]
        out[:size] = np.where(away[self.units], kept, slopes * shortened[self.units])
        out[size:] = gradient[size:]
        return kernel.norm(out)

    def raised(self, times: float) -> "Groups":
        """As ``Nonsmooth``."""
        return self if times == 1 else Groups(times * self.l1, self.weights, self.units)

    def at(self, places: NDArray[Any]) -> "Groups":
        """As ``Nonsmooth``."""
        kept, units = np.unique(self.units[places], return_inverse=True)
        return Groups(self.l1, self.weights[kept], units)

    def largest(self, gradient: Vector) -> float:
        """As ``Penalty``."""
        taken = self.weights > 0
        return float((self.norms(gradient)[taken] / self.weights[taken]).max(initial=0.0))

    def loose(self, quadratic: Vector) -> NDArray[np.bool_]:
        """As ``Penalty``, with quadratic/2 v^2 (m,) added, the same within a group."""
        found: NDArray[np.bool_] = (quadratic == 0) & (self.strengths == 0)[self.units]
        return found

    def scaling(self, u: Vector, quadratic: Vector) -> float:
        """As ``Penalty``: without squares a group's norm can be its strength at most."""
        norms = self.norms(u)
        taken = (norms > 0) & (self.strengths > 0) & (self._of_groups(quadratic) == 0)
        return inverse((norms[taken] / self.strengths[taken]).max(initial=0.0))

    def conjugate(self, u: Vector, quadratic: Vector) -> float:
        """As ``Penalty``: (|u| - strength)^2 / (2 quadratic) where the norm |u| is above the strength."""
        above, curvature = np.maximum(self.norms(u) - self.strengths, 0.0), self._of_groups(quadratic)
        above[(self.strengths == 0) & (curvature == 0)] = 0.0
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return float(np.sum(np.where(above == 0, 0.0, above * above / (2 * curvature))))

    def _of_groups(self, quadratic: Vector) -> Vector:
        found = np.zeros_like(self.weights)
        found[self.units] = quadratic
        return found


def _shortened(norms: Vector, by: Any) -> Vector:
    """By what to multiply vectors of these norms to shorten them by so much, or to nothing."""
    left: Vector = np.maximum(norms - by, 0.0)
    np.divide(left, norms, out=left, where=norms > 0)  # a norm of 0 leaves 0
    return left
