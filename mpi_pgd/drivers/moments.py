"""What is asked of the data before the fit, through the same map-reduce as a round: how large the columns are."""

import math
from typing import NamedTuple

import numpy as np

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.moments import MomentsTask
from mpi_pgd.engine.partial import Partial
from mpi_pgd.engine.query import Query
from mpi_pgd.engine.tasks import RowLoss
from mpi_pgd.errors import InputError

CONSTANT = 2.0**-49  # deviation over peak: below it, a column varies by the rounding of its values alone
LARGEST, SMALLEST = 1e280, 1e-240  # of what is formed of the data: squares, products, weights; sums need room above and below


class Moments(NamedTuple):
    """Of the columns, the q targets last, the same on every rank; rows count as their weights say."""

    mean: Vector  # (p + q,) of the rows
    deviation: (
        Vector  # (p + q,) the root of the mean square about the mean (divided by the weight); 0 if nothing but rounding varies
    )
    peak: Vector  # (p + q,) the largest magnitude
    weight: float  # the sum of the rows' weights
    floor: float  # the mean of the least losses that there can be
    shares: Vector  # (k,) of the weight, each class's; () without classes

    @classmethod
    def of(cls, vector: Vector) -> "Moments":
        """From what ``vector`` gave."""
        width = int(vector[0])
        mean, deviation, peak, rest = np.split(vector[1:], width * np.arange(1, 4))
        return cls(mean, deviation, peak, float(rest[0]), float(rest[1]), rest[2:])

    def vector(self) -> Vector:
        """[p + q | mean | deviation | peak | weight | floor | shares]."""
        return np.concatenate([[len(self.mean)], *self[:3], self[3:5], self.shares])


class MomentsDriver:
    """Two passes: the means, about the first row; then the deviations, about the means, so that no outlier costs digits.

    (T. F. Chan, G. H. Golub, R. J. LeVeque, "Algorithms for Computing the Sample Variance", The American Statistician 37, 1983.)
    The values are multiplied by a power of two for each column, ``unit``, that brings its peak near 1: so no square over- or
    underflows.

    ``first`` is the first row, and ``peak`` the largest magnitudes over all of them: (p + q,), the targets last. A full block has
    ``block_rows``. ``heaviest`` is the largest weight of a row. The rest is for ``MomentsTask``.
    """

    def __init__(
        self,
        first: Vector,
        peak: Vector,
        block_rows: int,
        features: int,
        loss: RowLoss,
        heaviest: float = 1.0,
        classes: int = 0,
        shifted: bool = False,
    ) -> None:
        self.peak = peak
        self.unit = units(peak)
        self.task = MomentsTask(self.unit, block_rows, features, loss, classes, shifted)
        self.mean, self.deviation = first.copy(), np.zeros_like(first)
        self.weight = self.floor = 0.0
        self.shares = np.zeros(classes)
        largest = 2 * peak * self.unit
        # On each number of a block's answer, in any of the passes, so that no pass has to be repeated.
        most = block_rows * heaviest
        self.bound = np.concatenate([most * largest, most * largest * largest, np.full(2 + classes, most)])
        self._passes = 0

    def open(self, query: Query) -> None:
        """About the first row."""
        query.point[:] = self.mean

    def update(self, partial: Partial, query: Query) -> None:
        """Keep the moments; go on about the means, or stop."""
        sums = self.task.layout.split(partial.settle())
        self.weight = float(sums["weight"])
        shift = sums["sums"] / self.weight
        self.mean = query.point + shift / self.unit
        self._passes += 1
        if self._passes == 2:
            scaled = np.sqrt(np.maximum(sums["squares"] / self.weight - shift * shift, 0.0))
            scaled[scaled <= CONSTANT * self.peak * self.unit] = 0.0
            self.deviation = scaled / self.unit
            self.floor, self.shares = float(sums["floor"] / self.weight), sums["shares"] / self.weight
            query.stop = True
        query.point[:] = self.mean

    def moments(self) -> Moments:
        """What was found."""
        return Moments(self.mean, self.deviation, self.peak, self.weight, self.floor, self.shares)


def units(peak: Vector) -> Vector:
    """Powers of two that bring magnitudes to [1/2, 1); 1 for zeros."""
    exponent = np.clip(np.frexp(peak)[1], -1022, 1023)
    return np.where(peak > 0, np.ldexp(1.0, -exponent), 1.0)


def check_range(moments: Moments, features: int, standardize: bool, x: str, y: str) -> None:
    """Refuse values whose squares, products or weights float64 can't hold; ``x`` and ``y`` are the data sets' names."""
    peak, target = moments.peak[:features], float(moments.peak[features:].max())
    for largest in moments.peak[features:]:
        if largest and not math.sqrt(SMALLEST) < largest < math.sqrt(LARGEST):
            raise InputError(_beyond(f"{y} has", float(largest), "its squares"))
    spread = moments.deviation[:features] if standardize else peak
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
