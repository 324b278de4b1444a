"""Coordinate descent where the Hessian is at hand, with Newton steps on the weights along which the objective is smooth."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mpi_pgd import kernel
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.penalties.nonsmooth import Nonsmooth
from mpi_pgd.solvers.factors import factored

SWEEPS = 4000  # at most
EVERY = 4  # sweeps, a Newton step
ENOUGH = 1e-13  # of the first distance to the minimum: float64 has no better
IDLE = 8  # Newton steps in which that distance has not fallen: rounding is all that moves
COMMON = 1e-9  # of their curvatures: less than this is none
NUDGE = 1 + 1e-9  # times a weight: it stays within its bounds unless it is at one of them


class Model:
    """g't + 1/2 t'Ht + h(v + t), where h is convex, and known by its ``prox``.

    (J. Friedman, T. Hastie and R. Tibshirani, "Regularization Paths for Generalized Linear Models via Coordinate Descent", Journal
    of Statistical Software 33, 2010; the Newton steps: Q. Bertrand et al., "Beyond L1", NeurIPS 2022, section 2.)

    Args:
        hessian: H (m, m).
        gradient: g (m,).
        weights: v (m,); those after the weights that h knows are neither penalised nor bounded.
        rough: h.
    """

    def __init__(self, hessian: Vector, gradient: Vector, weights: Vector, rough: Nonsmooth) -> None:
        self._known = len(rough.units)
        self._loose = np.arange(self._known, len(weights))
        self.hessian, self.gradient, self.weights, self.rough = self._anchored(hessian), gradient, weights, rough
        self.at, self.slopes = weights.copy(), gradient.copy()  # v + t and g + Ht
        self._least = np.empty_like(gradient)
        self._units = [np.flatnonzero(rough.units == unit) for unit in range(int(rough.units.max(initial=-1)) + 1)]
        if rough.prox_coordinate:  # each weight is a unit
            self._bends = np.diagonal(hessian)[: self._known].tolist()
        else:
            self._bends = [kernel.largest(hessian[np.ix_(unit, unit)]) for unit in self._units]

    def _anchored(self, hessian: Vector) -> Vector:
        """With a curvature along what the loose weights have in common, if that changes nothing, as a softmax's intercepts.

        There is no slope either, so the minimum stays; but rounding alone would lead them anywhere together.
        """
        block, ones = np.ascontiguousarray(hessian[self._known :, self._known :]), np.ones(len(self._loose))
        usual = kernel.dot(block.diagonal().copy(), ones)
        if len(block) < 2 or np.abs(kernel.times(block, ones)).max() > COMMON * usual:
            return hessian
        anchored = hessian.copy()
        anchored[self._known :, self._known :] += usual / (len(block) * len(block))
        return anchored

    def minimise(self, enough: float = ENOUGH, sweeps: int = SWEEPS) -> Vector:
        """The weights (m,) of the minimum, or of ``enough`` of the first distance to it, or what so many ``sweeps`` got to."""
        least = first = self._distance()
        idle = 0
        for sweep in range(1, sweeps + 1):
            self._sweep()
            if sweep % EVERY == 0:
                cut = self._newton()
                left = self._distance()
                idle = 0 if left < least or cut else idle + 1
                least = min(left, least)
                if left <= enough * first or idle == IDLE:
                    break
        return self.at

    def _distance(self) -> float:
        return self.rough.distance(self.at, self.slopes, self._least)

    def _value(self) -> float:
        return 0.5 * kernel.dot(self.at - self.weights, self.gradient + self.slopes) + self.rough.value(self.at)

    def _sweep(self) -> None:
        """Each unit to its minimum, all others held."""
        if self.rough.prox_coordinate:
            self._weights(self.rough.prox_coordinate)
        else:
            self._groups()
        if len(self._loose):
            self._solve(self._loose, self.slopes[self._loose])

    def _weights(self, prox: Callable[[int, float, float], float]) -> None:
        at, slopes, hessian = self.at, self.slopes, self.hessian
        for place, bend in enumerate(self._bends):
            if bend > 0:  # else a feature of zeros
                old = float(at[place])
                new = prox(place, old - float(slopes[place]) / bend, bend)
                if new != old:
                    at[place] = new
                    slopes += hessian[place] * (new - old)

    def _groups(self) -> None:
        """To the minimum of a model that bends as the group's most curved direction."""
        for unit, (places, bend) in enumerate(zip(self._units, self._bends, strict=True)):
            if bend > 0:
                old = self.at[places]
                new = np.empty_like(old)
                self.rough.prox_unit(unit, old - self.slopes[places] / bend, bend, new)
                self._move(places, new - old)

    def _newton(self) -> bool:
        """To the minimum over the weights that are neither 0 nor at a bound; if that is not lower, what changed its sign gets 0.

        And if that is not either, as where they are more than the Hessian's rank, to the lowest of the points where one is 0.
        Returns whether that is what was done: the distance need not fall then, as weights leave one by one.
        """
        if self.rough.prox_coordinate is None:
            return False
        self._distance()
        inside = np.concatenate([self._inside(), self._loose])
        at, slopes, value = self.at.copy(), self.slopes.copy(), self._value()
        self._solve(inside, self._least[inside])
        by, bends = self.at - at, self.slopes - slopes
        if self._bounded() <= value:
            return False
        known = self.at[: self._known]
        crossed = np.flatnonzero(known * at[: self._known] < 0)
        known[crossed] = 0.0
        if self._bounded() <= value:
            return False
        self.at[:], self.slopes[:] = at, slopes
        if len(crossed):
            self._along(by, bends, crossed)
            if self._bounded() < value:
                return True
            self.at[:], self.slopes[:] = at, slopes
        return False

    def _along(self, by: Vector, bends: Vector, crossed: NDArray[np.int64]) -> None:
        """To the lowest of the points from here ``by`` a way (m,) where one of the ``crossed`` is 0; ``bends`` is H times that."""
        at, slopes, ends = self.at.copy(), self.slopes.copy(), -self.at[crossed] / by[crossed]
        shares = np.unique(ends)

        def value(place: int) -> float:
            self.at[:], self.slopes[:] = at + shares[place] * by, slopes + shares[place] * bends
            self.at[crossed[ends == shares[place]]] = 0.0
            return self._value()

        first, last = 0, len(shares) - 1
        while first < last:  # it is convex
            middle = (first + last) // 2
            first, last = (first, middle) if value(middle) <= value(middle + 1) else (middle + 1, last)
        value(first)

    def _bounded(self) -> float:
        """The value where all weights are put within their bounds."""
        self.rough.prox(self.at, 0.0, self.at)
        self.slopes[:] = self.gradient + kernel.times(self.hessian, self.at - self.weights)
        return self._value()

    def _inside(self) -> NDArray[np.int64]:
        nudged, kept = self.at * NUDGE, np.empty_like(self.at)
        self.rough.prox(nudged, 0.0, kept)
        return np.flatnonzero((nudged != 0)[: self._known] & (kept == nudged)[: self._known])

    def _move(self, places: NDArray[np.int64], by: Vector) -> None:
        self.at[places] += by
        self.slopes += kernel.turned(self.hessian[places], by)

    def _solve(self, places: NDArray[np.int64], slopes: Vector) -> None:
        square = self.hessian[np.ix_(places, places)]
        by = kernel.solve(square, -slopes)
        self._move(places, factored(square).solve(-slopes) if by is None else by)
