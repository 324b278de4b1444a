"""What is asked of the data before the fit, through the same map-reduce as a round: how large the columns are."""

import math
from typing import Any, NamedTuple

import numpy as np

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.block import Block
from mpi_pgd.engine.moments import MomentsTask
from mpi_pgd.engine.partial import Partial
from mpi_pgd.engine.query import Query
from mpi_pgd.errors import InputError

CONSTANT = 2.0**-49  # deviation over peak: below it, a column varies by the rounding of its values alone
LARGER = 2.0**8  # times the squares of the first block are those of others, at most, if a pass is to be enough
SMALL, LARGE = 2.0**-8, 2.0**400  # peaks in units of those of the first block, between which sums have their digits
LOST = 2.0**5  # deviations that a guess may be off by: ten bits of their squares
ROUNDED = 2.0**-26  # of the peak: what a guess is off by then is seen in no deviation above ``CONSTANT``
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


class Beginning(NamedTuple):
    """What the first block of all rows is like, which the pass over them is told; each (p + q,), the q targets last."""

    mean: Vector
    peak: Vector  # the largest magnitude; of targets that over all rows
    squares: Vector  # the sum of squares about the mean, in ``units`` of the peak


def look(block: Block, targets: Vector, block_rows: int, features: int, *more: Any) -> Beginning:
    """At the first block; ``targets`` (q,) are their peaks over all rows, and the rest is for ``MomentsTask``."""
    peak = np.concatenate([np.zeros(features), targets])
    mean, task = np.zeros_like(peak), MomentsTask(np.ones_like(peak), block_rows, features, *more)
    out = np.empty(task.layout.width)
    sums = task.layout.split(out)
    task.bind(mean)(block, out)
    peak[:features] = task.peaks
    task.unit = units(peak)
    task.bind(mean)(block, out)
    if sums["weight"] > 0:
        mean = sums["sums"] / sums["weight"] / task.unit
    task.bind(mean)(block, out)
    return Beginning(mean, peak, sums["squares"])


class MomentsDriver:
    """A pass over the rows: sums of values, and of their squares, about a guess at the means, which are those of the first block.

    As that is one of B blocks, (mean - guess)^2 is at most B times the variance: taking it from the mean square costs log2(B) bits
    of this at most, and hardly one where rows are in no order. Where it costs more than 10, or the first block misled about
    magnitudes, another pass follows, about what this one found.
    (T. F. Chan, G. H. Golub, R. J. LeVeque, "Algorithms for Computing the Sample Variance", The American Statistician 37, 1983.)
    The values are multiplied by a power of two for each column, ``unit``, that brings its peak near 1: so no square over- or
    underflows.

    ``start`` is what is known beforehand, and ``heaviest`` the largest weight of a row. A full block has ``block_rows``. The
    rest is for ``MomentsTask``.
    """

    def __init__(self, start: Beginning, heaviest: float, block_rows: int, *more: Any) -> None:
        self.start, self.unit = start, units(start.peak)
        self.task = task = MomentsTask(self.unit, block_rows, *more)
        self.more = heaviest, block_rows, *more
        self.mean, self.scaled = start.mean, np.zeros_like(start.mean)
        self.weight = self.floor = 0.0
        self.shares = np.zeros(task.classes)
        most = block_rows * heaviest
        squares = np.where(start.peak > 0, LARGER * start.squares, most)  # nothing is known of a column of zeros: it may have ones
        # Of the numbers of a block: one that is larger has the pass be made again.
        self.bound = np.concatenate([np.sqrt(most) * np.sqrt(squares), squares, np.full(2 + task.classes, most)])

    def open(self, query: Query) -> None:
        """About the guess."""
        query.point[:] = self.start.mean

    def update(self, partial: Partial, query: Query) -> None:
        """Keep the moments."""
        sums = self.task.layout.split(partial.settle())
        self.weight = float(sums["weight"])
        shift = sums["sums"] / self.weight
        self.mean = self.start.mean + shift / self.unit
        self.scaled = np.sqrt(np.maximum(sums["squares"] / self.weight - shift * shift, 0.0))
        self.floor, self.shares = float(sums["floor"] / self.weight), sums["shares"] / self.weight
        query.stop = True

    def moments(self) -> Moments:
        """What was found, once the peaks of the task are those of all ranks."""
        peak = np.concatenate([self.task.peaks, self.start.peak[self.task.features :]])
        deviation = np.where(self.scaled <= CONSTANT * peak * self.unit, 0.0, self.scaled / self.unit)
        return Moments(self.mean, deviation, peak, self.weight, self.floor, self.shares)

    def after(self, found: Moments) -> "MomentsDriver | None":
        """The pass that follows; None if ``found``, the moments of this one, have all their digits."""
        size, shift = found.peak * self.unit, np.abs(found.mean - self.start.mean)
        misled = (self.unit != units(found.peak)) & ~((size > SMALL) & (size < LARGE))
        lost = (shift > LOST * found.deviation) & (shift > ROUNDED * found.peak)
        if not (misled | lost).any():
            return None
        mean = self.start.mean if misled.any() else found.mean  # sums of what is far too large are none
        return MomentsDriver(Beginning(mean, found.peak, np.zeros_like(mean)), *self.more)


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
