"""Absolute values and bounds of single weights."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpi_pgd import kernel
from mpi_pgd.engine.arrays import Vector

BELOW_ONE = 1 - 8 * float(np.finfo(np.float64).eps)  # so that rounding leaves a scaled vector where it may be


def inverse(most: float) -> float:
    """The largest factor by which a vector may be multiplied whose length is so many times the largest; inf for any."""
    return BELOW_ONE / float(most) if most else float("inf")


class Entries:
    """The sum of l1 weight |v|, where each v is from ``lower`` to ``upper``. As ``Nonsmooth``, and what duals take.

    The prox is that of the absolute value, then the nearest number within the bounds: in one dimension, of a convex function.

    Args:
        l1: the strength.
        weights: (m,) its factors, from 0 on.
        lower, upper: (m,), -inf and inf for none.
    """

    def __init__(self, l1: float, weights: Vector, lower: Vector, upper: Vector) -> None:
        self.l1, self.weights, self.lower, self.upper = l1, weights, lower, upper
        self.strengths: Vector = l1 * weights
        self.bounded = bool(np.isfinite(lower).any() or np.isfinite(upper).any())
        self.smooth = not (self.bounded or self.strengths.any())
        self._scratch = np.empty((2, len(weights)))

    @property
    def units(self) -> NDArray[Any]:
        """Each its own."""
        return np.arange(len(self.weights))

    def value(self, v: Vector) -> float:
        """As ``Nonsmooth``."""
        weights = v[: len(self.weights)]
        if self.bounded and ((weights < self.lower) | (weights > self.upper)).any():
            return float("inf")
        return kernel.dot(self.strengths, np.abs(weights, out=self._scratch[0]))

    def prox(self, v: Vector, step: float, out: Vector) -> None:
        """As ``Nonsmooth``."""
        size, (below, threshold) = len(self.weights), self._scratch
        weights, new = v[:size], out[:size]
        np.multiply(self.strengths, step, out=threshold)
        np.minimum(np.add(weights, threshold, out=below), 0.0, out=below)
        np.maximum(np.subtract(weights, threshold, out=new), 0.0, out=new)
        new += below
        if self.bounded:
            np.clip(new, self.lower, self.upper, out=new)
        out[size:] = v[size:]

    def prox_coordinate(self, place: int, z: float, curvature: float) -> float:
        """As ``Nonsmooth``."""
        threshold = float(self.strengths[place]) / curvature
        t = max(z - threshold, 0.0) + min(z + threshold, 0.0)
        return min(max(t, float(self.lower[place])), float(self.upper[place]))

    def prox_unit(self, unit: int, z: Vector, curvature: float, out: Vector) -> None:
        """As ``Nonsmooth``."""
        out[0] = self.prox_coordinate(unit, float(z[0]), curvature)

    def distance(self, v: Vector, gradient: Vector, out: Vector) -> float:
        """As ``Nonsmooth``: all subgradients lie between two numbers, of which that is taken which is nearest to 0."""
        size = len(self.weights)
        weights, slopes = v[:size], gradient[:size]
        least = np.where(weights > 0, slopes + self.strengths, slopes - self.strengths)
        most = np.where(weights < 0, slopes - self.strengths, slopes + self.strengths)
        least[weights <= self.lower] = -np.inf
        most[weights >= self.upper] = np.inf
        np.maximum(least, np.minimum(most, 0.0), out=out[:size])
        out[size:] = gradient[size:]
        return kernel.norm(out)

    def raised(self, times: float) -> "Entries":
        """As ``Nonsmooth``."""
        return self if times == 1 else Entries(times * self.l1, self.weights, self.lower, self.upper)

    def at(self, places: NDArray[Any]) -> "Entries":
        """As ``Nonsmooth``."""
        return Entries(self.l1, self.weights[places], self.lower[places], self.upper[places])

    def largest(self, gradient: Vector) -> float:
        """As ``Penalty``: a slope that pushes a weight against its bound needs no l1."""
        slopes = np.abs(gradient[: len(self.weights)])
        slopes[((self.upper <= 0) & (gradient[: len(slopes)] < 0)) | ((self.lower >= 0) & (gradient[: len(slopes)] > 0))] = 0.0
        taken = self.weights > 0
        return float((slopes[taken] / self.weights[taken]).max(initial=0.0))

    def loose(self, quadratic: Vector) -> NDArray[np.bool_]:
        """As ``Penalty``, with quadratic/2 v^2 (m,) added."""
        held: NDArray[np.bool_] = (quadratic > 0) | (self.strengths > 0) | (np.isfinite(self.lower) & np.isfinite(self.upper))
        return ~held

    def scaling(self, u: Vector, quadratic: Vector) -> float:
        """As ``Penalty``: where neither squares nor bounds hold a weight, |u| can be l1 at most."""
        endless = ((u > 0) & (self.upper == np.inf)) | ((u < 0) & (self.lower == -np.inf))
        taken = endless & (quadratic == 0) & (self.strengths > 0)
        return inverse((np.abs(u[taken]) / self.strengths[taken]).max(initial=0.0))

    def conjugate(self, u: Vector, quadratic: Vector) -> float:
        """As ``Penalty``: the best t is 0, (|u| - l1)/quadratic with the sign of u, or a bound."""
        above = np.sign(u) * np.maximum(np.abs(u) - self.strengths, 0.0)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            best = np.clip(np.where(above == 0, 0.0, above / quadratic), self.lower, self.upper)
        best[self.loose(quadratic)] = 0.0
        if not np.isfinite(best).all():
            return float("inf")
        return float(np.sum(u * best - 0.5 * quadratic * (best * best) - self.strengths * np.abs(best)))
