"""Fits of times to few terms that can't be negative, by the logarithm of the ratio, robust, with intervals. Pure numpy."""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from mpi_pgd.engine.arrays import Vector

CONFIDENCE = 0.95
HUBER = 1.345  # standard deviations: beyond, a point pulls no more; with normal noise that costs 5 % of the precision
NORMAL = 0.6745  # the median of the absolute value of a standard normal number
EXACT = 1e-6  # relative noise that is taken for none
NOISE = 0.2  # relative, at most, where a factor has a value that it should be near: else few points could be called all noise
TIED = 1.0  # standard deviation of a factor's logarithm around the value that it should be near
STEPS, SETTLED = 50, 1e-7
WORTH = 1e-6  # relative: by so much a term more has to lessen the loss


class Fit(NamedTuple):
    """The terms' factors, (terms,) each; nan in ``low`` and ``high`` where the points don't determine one.

    Attributes:
        values: the factors, none negative.
        low, high: the ends of their 95 % confidence intervals, none negative.
        rms: root mean square of log(fitted/measured): where small, of the relative residuals.
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


def fit(terms: ArrayLike, seconds: ArrayLike, near: Sequence[float] | None = None) -> Fit:
    """Minimise Huber's loss of log(fitted/measured) over factors that are not negative.

    What disturbs a time is a factor of it, so only its logarithm gives factors without bias; and a point that is far off pulls
    no more than others do (P. J. Huber, "Robust Statistics", 1981, section 7.3: the loss; 7.6: the intervals, here around the
    factors' logarithms, with Student's t). The terms are few, so every set of them is tried; of those that fit alike, the
    smallest is taken.

    Args:
        terms: (points, terms) float64, none negative.
        seconds: (points,) float64, positive.
        near: (terms,) what a factor should be near, to a factor of some three, where the points say little; nan: not known.
    """
    x, measured = np.asarray(terms, dtype=np.float64), np.log(np.asarray(seconds, dtype=np.float64))
    anchors = np.log(np.full(x.shape[1], np.nan) if near is None else np.asarray(near, dtype=np.float64))
    there = np.flatnonzero(x.any(axis=0)).tolist()
    values, low, high = np.zeros(x.shape[1]), np.full(x.shape[1], np.nan), np.full(x.shape[1], np.nan)
    if not there:
        return Fit(values, low, high, 0.0, len(measured))
    kept, problem, logs = _fewest(x, measured, anchors, there)
    half = problem.half_widths(logs)
    values[kept], low[kept], high[kept] = np.exp(logs), np.exp(logs - half), np.exp(np.minimum(logs + half, 700.0))
    return Fit(values, low, high, float(np.sqrt(np.mean(problem.residuals(logs) ** 2))), len(measured))


def _fewest(x: Vector, measured: Vector, anchors: Vector, there: list[int]) -> tuple[list[int], "_Problem", Vector]:
    """The terms that are kept, in what they are fitted, and their factors' logarithms. All terms fit best; fewer may as well."""
    full = _Problem(x[:, there], measured, anchors[there])
    logs, scale = full.solved()
    most = full.loss(logs, scale) * (1 + WORTH) + WORTH
    for count in range(1, len(there)):
        some = []
        for kept in map(list, combinations(there, count)):
            if x[:, kept].any(axis=1).all() and set(kept).issuperset(term for term in there if np.isfinite(anchors[term])):
                part = _Problem(x[:, kept], measured, anchors[kept])
                found, _ = part.solved(scale)
                some.append((part.loss(found, scale), kept, part, found))
        if some and min(some)[0] <= most:
            return min(some)[1:]
    return there, full, logs


class _Problem(NamedTuple):
    """Terms (points, terms), the logarithms of what was measured (points,), and of what the factors should be near (terms,)."""

    terms: Vector
    measured: Vector
    anchors: Vector

    def residuals(self, logs: Vector) -> Vector:
        """log(fitted/measured)."""
        return np.asarray(np.log(self.terms @ np.exp(logs)) - self.measured)

    def shares(self, logs: Vector) -> Vector:
        """Of each term in each fitted time: the residuals' derivatives by the factors' logarithms."""
        parts = self.terms * np.exp(logs)
        return np.asarray(parts / parts.sum(axis=1, keepdims=True))

    def loss(self, logs: Vector, scale: float) -> float:
        """Huber's, and the squares of how far factors are from what they should be near."""
        ratios, strays = np.abs(self.residuals(logs)) / scale, np.nan_to_num(logs - self.anchors) / TIED
        return float(np.sum(np.where(ratios < HUBER, ratios**2, HUBER * (2 * ratios - HUBER))) + strays @ strays)

    def scale(self, residuals: Vector) -> float:
        """Of the noise: the median of those residuals that the factors could not make small."""
        rest = np.sort(np.abs(residuals))[min(len(residuals) - 1, self.terms.shape[1]) :]
        return max(EXACT, float(np.median(rest)) / NORMAL)

    def solved(self, scale: float | None = None) -> tuple[Vector, float]:
        """The factors' logarithms, and the noise's scale, if it is not given: least squares with weights, again and again."""
        with np.errstate(divide="ignore"):
            upper = np.exp(self.measured)[:, None] / self.terms  # no term can have more than all the time
        logs = np.log(np.min(upper, axis=0) / self.terms.shape[1])
        lowest, tie = logs - 40.0, np.where(np.isfinite(self.anchors), 1.0 / TIED, 0.0)
        known, most = scale or 1.0, NOISE if tie.any() else math.inf
        for _ in range(STEPS):
            residuals = self.residuals(logs)
            known = scale or min(most, self.scale(residuals))
            weights = np.sqrt(np.minimum(1.0, HUBER * known / np.maximum(np.abs(residuals), 1e-300))) / known
            left = np.vstack([weights[:, None] * self.shares(logs), np.diag(tie)])
            right = np.concatenate([-weights * residuals, tie * np.nan_to_num(self.anchors - logs)])
            step = np.clip(np.linalg.lstsq(left, right, rcond=1e-9)[0], -1.0, 1.0)
            logs = np.maximum(logs + step, lowest)
            if np.abs(step).max() < SETTLED:
                break
        return logs, known

    def half_widths(self, logs: Vector) -> Vector:
        """Of the intervals of the factors' logarithms."""
        points, count = self.terms.shape
        tied = int(np.isfinite(self.anchors).sum())  # each is as good as a point
        freedom = points + tied - count
        if freedom < 1:
            return np.full(count, np.nan)
        residuals, shares = self.residuals(logs), self.shares(logs)
        scale = self.scale(residuals)
        inside = float(np.mean(np.abs(residuals) <= HUBER * scale))
        pulls = np.clip(residuals, -HUBER * scale, HUBER * scale)
        small = 1 + count / points * (1 - inside) / inside
        variance = (small / inside) ** 2 * float(pulls @ pulls) / freedom
        ties = np.where(np.isfinite(self.anchors), variance / TIED**2, 0.0)
        covariance = np.linalg.pinv(shares.T @ shares + np.diag(ties)) * variance
        return np.asarray(student(freedom) * np.sqrt(np.maximum(np.diag(covariance), 0.0)))


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
