"""Twice the precision: numbers as pairs of float64, high + low, of which the high one is their sum, rounded.

All is elementwise addition and multiplication, so it has the same bits on every processor; no fused operation is used. Products are
exact between about 1e-290 and 1e300. (T. J. Dekker, "A Floating-Point Technique for Extending the Available Precision", Numerische
Mathematik 18, 1971; M. Joldes, J.-M. Muller, V. Popescu, "Tight and Rigorous Error Bounds for Basic Building Blocks of Double-Word
Arithmetic", ACM Transactions on Mathematical Software 44, 2017: the errors below are theirs.)
"""

from typing import Any, NamedTuple

import numpy as np

from mpi_pgd.engine.arrays import Vector

SPLIT = 2.0**27 + 1  # cuts the 53 bits of a float64 into two halves, whose products are exact


class Pair(NamedTuple):
    """high + low, of one shape."""

    high: Vector
    low: Vector


def pair(values: Vector) -> Pair:
    """Plain float64 numbers as pairs."""
    return Pair(values, np.zeros_like(values))


def taken(x: Pair, part: Any) -> Pair:
    """Some of the numbers, as views: ``part`` is what stands in an array's brackets."""
    return Pair(x.high[part], x.low[part])


def two_sum(a: Vector, b: Vector) -> Pair:
    """A + b, exactly."""
    high = a + b
    other = high - a
    return Pair(high, (a - (high - other)) + (b - other))


def two_product(a: Vector, b: Vector) -> Pair:
    """A b, exactly."""
    high = a * b
    (one, rest), (two, left) = _halves(a), _halves(b)
    return Pair(high, ((one * two - high) + one * left + rest * two) + rest * left)


def add(x: Pair, y: Pair) -> Pair:
    """X + y, to 2^-104 of it; also where they nearly cancel."""
    high, low = two_sum(x.high, y.high), two_sum(x.low, y.low)
    near = _settled(high.high, high.low + low.high)
    return _settled(near.high, near.low + low.low)


def negative(x: Pair) -> Pair:
    """-x, exactly."""
    return Pair(-x.high, -x.low)


def multiply(x: Pair, y: Pair) -> Pair:
    """X y, to 2^-102 of it."""
    product = two_product(x.high, y.high)
    return _settled(product.high, product.low + (x.high * y.low + x.low * y.high))


def divide(x: Pair, y: Pair) -> Pair:
    """X / y, to 2^-101 of it."""
    high = x.high / y.high
    rest = add(x, negative(multiply(pair(high), y)))
    return _settled(high, rest.high / y.high)


def total(x: Pair) -> Pair:
    """The sum along the last axis, halves added to halves; zero where there is nothing."""
    while (size := x.high.shape[-1]) > 1:
        half = size // 2
        rest = taken(x, np.s_[..., 2 * half :])
        x = add(taken(x, np.s_[..., :half]), taken(x, np.s_[..., half : 2 * half]))
        x = Pair(*(np.concatenate(both, axis=-1) for both in zip(x, rest, strict=True)))
    return Pair(x.high.sum(axis=-1), x.low.sum(axis=-1))


def _settled(a: Vector, b: Vector) -> Pair:
    """A + b, exactly, where |b| is at most |a|."""
    high = a + b
    return Pair(high, b - (high - a))


def _halves(a: Vector) -> tuple[Vector, Vector]:
    scaled = SPLIT * a
    high = scaled - (scaled - a)
    return high, a - high
