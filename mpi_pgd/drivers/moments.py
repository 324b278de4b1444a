"""What is asked of the data before the fit, through the same map-reduce as a round: how large the columns are."""

from typing import NamedTuple

import numpy as np

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.query import Query
from mpi_pgd.engine.sums import Partial
from mpi_pgd.engine.tasks import MomentsTask
from mpi_pgd.errors import InputError

CONSTANT = 2.0**-49  # deviation over peak: below it, a column varies by the rounding of its values alone
LARGEST, SMALLEST = 1e280, 1e-240  # of what is formed of the data: squares, products, weights; sums need room above and below


class Moments(NamedTuple):
    """Of the columns, y last, the same on every rank: each (p + 1,) float64."""

    mean: Vector  # of the rows
    deviation: Vector  # the root of the mean square about the mean (divided by n); 0 if nothing but rounding varies
    peak: Vector  # the largest magnitude

    @classmethod
    def of(cls, vector: Vector) -> "Moments":
        """From what ``vector`` gave."""
        return cls(*np.split(vector, 3))

    def vector(self) -> Vector:
        """(3 (p + 1),): [mean | deviation | peak]."""
        return np.concatenate(self)


class MomentsDriver:
    """Two passes: the means, about the first row; then the deviations, about the means, so that no outlier costs digits.

    (T. F. Chan, G. H. Golub, R. J. LeVeque, "Algorithms for Computing the Sample Variance", The American Statistician 37, 1983.)
    The values are multiplied by a power of two for each column, ``unit``, that brings its peak near 1: so no square over- or
    underflows.

    ``first`` is the first of n ``rows``, and ``peak`` the largest magnitudes over all of them: (p + 1,), y last. A full block has
    ``block_rows``.
    """

    def __init__(self, rows: int, first: Vector, peak: Vector, block_rows: int) -> None:
        self.rows, self.peak = rows, peak
        self.unit = units(peak)
        self.task = MomentsTask(self.unit, block_rows)
        self.mean, self.deviation = first.copy(), np.zeros_like(first)
        largest = 2 * peak * self.unit
        # On each number of a block's answer, in any of the passes, so that no pass has to be repeated: (2 (p + 1),).
        self.bound = np.concatenate([block_rows * largest, block_rows * largest * largest])
        self._passes = 0

    def open(self, query: Query) -> None:
        """About the first row."""
        query.point[:] = self.mean

    def update(self, partial: Partial, query: Query) -> None:
        """Keep the moments; go on about the means, or stop."""
        sums = self.task.layout.split(partial.total(np.empty(partial.width)) / self.rows)
        shift = sums["sums"]
        self.mean = query.point + shift / self.unit
        self._passes += 1
        if self._passes == 2:
            scaled = np.sqrt(np.maximum(sums["squares"] - shift * shift, 0.0))
            scaled[scaled <= CONSTANT * self.peak * self.unit] = 0.0
            self.deviation = scaled / self.unit
            query.stop = True
        query.point[:] = self.mean

    def moments(self) -> Moments:
        """What was found."""
        return Moments(self.mean, self.deviation, self.peak)


def units(peak: Vector) -> Vector:
    """Powers of two that bring magnitudes to [1/2, 1); 1 for zeros."""
    exponent = np.clip(np.frexp(peak)[1], -1022, 1023)
    return np.where(peak > 0, np.ldexp(1.0, -exponent), 1.0)


def check_range(moments: Moments, standardize: bool, x: str, y: str) -> None:
    """Refuse values whose squares, products or weights float64 can't hold; ``x`` and ``y`` are the data sets' names."""
    peak, target = moments.peak[:-1], float(moments.peak[-1])
    if target and not SMALLEST**0.5 < target < LARGEST**0.5:
        raise InputError(_beyond(f"{y} has", target, "its squares"))
    spread = moments.deviation[:-1] if standardize else peak
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        formed = [peak, *([] if standardize else [peak * peak]), *([peak * target, target / spread] if target else [])]
    # A column that is constant has no weight to find: all it must not do is overflow.
    large = [np.where(spread > 0, values, peak) for values in formed]
    bad = (np.maximum.reduce(large) > LARGEST) | ((spread > 0) & (np.minimum.reduce(formed) < SMALLEST))
    if bad.any():
        column = int(bad.argmax())
        raise InputError(_beyond(f"column {column} of {x} has", float(peak[column]), f"its products with {y}, or its weight,"))


def _beyond(who: str, peak: float, what: str) -> str:
    return f"{who} values up to {peak:.3g}: {what} can't be held in float64; multiply it by a power of ten, to bring it near to 1"
