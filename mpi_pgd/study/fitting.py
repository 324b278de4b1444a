"""Fits of times to few terms that can't be negative, weighted by relative error, with confidence intervals. Pure numpy."""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from mpi_pgd.engine.arrays import Vector

CONFIDENCE = 0.95


class Fit(NamedTuple):
    """The terms' factors, (terms,) each; nan in ``low`` and ``high`` where the points don't determine one.

    Attributes:
        values: the factors, none negative.
        low, high: the ends of their 95 % confidence intervals, none negative.
        rms: root mean square of the relative residuals fitted/measured - 1.
        points: how many there were.
    """

    values: Vector
    low: Vector
    high: Vector
    rms: float
    points: int

    def __call__(self, terms: ArrayLike) -> float:
        """The fitted time for one point's terms."""
        return float(np.dot(np.asarray(terms, dtype=np.float64), self.values))


def fit(terms: ArrayLike, seconds: ArrayLike) -> Fit:
    """Minimise the sum of (fitted/measured - 1)^2 over factors that are not negative.

    The terms are few, so every set of terms that may be left out is tried, and the best whose factors are all positive is taken:
    non-negative least squares in closed form (C. L. Lawson and R. J. Hanson, "Solving Least Squares Problems", 1974, chapter 23,
    says which set that is). The intervals are Student's t around the factors kept, with the residuals' variance (N. R. Draper
    and H. Smith, "Applied Regression Analysis", section 5); the end below 0 is cut.

    Args:
        terms: (points, terms) float64, none negative.
        seconds: (points,) float64, positive.
    """
    measured = np.asarray(seconds, dtype=np.float64)
    weighted = np.asarray(terms, dtype=np.float64) / measured[:, None]
    sizes = np.sqrt(np.einsum("ij,ij->j", weighted, weighted))
    scaled = weighted / np.where(sizes > 0, sizes, 1.0)
    kept, factors = _best(scaled, sizes)
    residuals = scaled[:, kept] @ factors - 1.0
    half = _half_widths(scaled[:, kept], residuals)
    values, low, high = np.zeros(len(sizes)), np.full(len(sizes), np.nan), np.full(len(sizes), np.nan)
    values[kept] = factors / sizes[kept]
    low[kept], high[kept] = np.maximum(factors - half, 0.0) / sizes[kept], (factors + half) / sizes[kept]
    return Fit(values, low, high, float(np.sqrt(np.mean(residuals**2))) if len(residuals) else 0.0, len(measured))


def _best(scaled: Vector, sizes: Vector) -> tuple[list[int], Vector]:
    there = np.flatnonzero(sizes).tolist()
    best: tuple[float, list[int], Any] = (math.inf, [], np.zeros(0))
    for count in range(1, len(there) + 1):
        for kept in map(list, combinations(there, count)):
            factors, _, rank, _ = np.linalg.lstsq(scaled[:, kept], np.ones(len(scaled)), rcond=1e-10)
            error = float(np.sum((scaled[:, kept] @ factors - 1.0) ** 2))
            # A term more has to be worth something: of sets that fit alike, the smallest.
            if rank == count and (factors >= 0).all() and error < best[0] * (1 - 1e-9) - 1e-24:
                best = (error, kept, factors)
    return best[1], best[2]


def _half_widths(kept: Vector, residuals: Vector) -> Vector:
    freedom = len(residuals) - kept.shape[1]
    if freedom < 1:
        return np.full(kept.shape[1], np.nan)
    variance = float(residuals @ residuals) / freedom
    covariance = variance * np.linalg.inv(kept.T @ kept)
    half: Vector = student(freedom) * np.sqrt(np.maximum(np.diag(covariance), 0.0))
    return half


def student(freedom: int) -> float:
    """The two-sided 95 % quantile of Student's t: exact for one and two degrees of freedom, else to better than 1 %.

    (M. Abramowitz and I. Stegun, "Handbook of Mathematical Functions", 26.7.5, around the normal quantile.)
    """
    if freedom == 1:
        return math.tan(math.pi * CONFIDENCE / 2)
    if freedom == 2:
        return CONFIDENCE * math.sqrt(2 / (1 - CONFIDENCE**2))
    x = 1.959963984540054
    terms: Sequence[float] = (
        x,
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
        (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92160,
    )
    return math.fsum(term / float(freedom) ** power for power, term in enumerate(terms))
