"""Pairs: against rational arithmetic, to the errors that they promise."""

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from mpi_pgd.engine.pairs import Pair, add, divide, multiply, negative, pair, total, two_product, two_sum

COUNT = 400


def numbers(seed: int) -> Pair:
    """Of very different sizes, each with a low half."""
    generator = np.random.default_rng(seed)
    high = generator.standard_normal(COUNT) * 2.0 ** generator.integers(-30, 30, COUNT)
    return two_sum(high, high * generator.uniform(-1, 1, COUNT) * 2.0**-53)


def near(x: Pair, seed: int) -> Pair:
    """Numbers that nearly cancel those of ``x``."""
    generator = np.random.default_rng(seed)
    return two_sum(-x.high, x.low + x.high * 2.0 ** -generator.integers(40.0, 100.0, COUNT))


def exactly(x: Pair) -> list[Fraction]:
    return [Fraction(high) + Fraction(low) for high, low in zip(*(half.tolist() for half in x), strict=True)]


@pytest.mark.parametrize(("operation", "expected"), [(two_sum, Fraction.__add__), (two_product, Fraction.__mul__)])
def test_nothing_is_lost(operation: Callable, expected: Callable) -> None:
    a, b = numbers(1).high, numbers(2).high
    found = operation(a, b)
    assert exactly(found) == [expected(Fraction(one), Fraction(two)) for one, two in zip(a.tolist(), b.tolist(), strict=True)]
    assert (found.high == found.high + found.low).all()


@pytest.mark.parametrize(
    ("operation", "expected", "bits"),
    [(add, Fraction.__add__, 104), (multiply, Fraction.__mul__, 102), (divide, Fraction.__truediv__, 101)],
)
@pytest.mark.parametrize("cancelling", [False, True])
def test_error(operation: Callable, expected: Callable, bits: int, cancelling: bool) -> None:
    x = numbers(3)
    y = near(x, 5) if cancelling else numbers(4)
    found = operation(x, y)
    assert (found.high == found.high + found.low).all()
    for one, two, result in zip(exactly(x), exactly(y), exactly(found), strict=True):
        assert abs(result - expected(one, two)) <= abs(expected(one, two)) / 2**bits


@pytest.mark.parametrize("count", [0, 1, 2, 3, 100, 399])
def test_total(count: int) -> None:
    x = Pair(*(half[:count].reshape(1, count) for half in numbers(6)))
    found = exactly(total(x))[0]
    parts = exactly(Pair(*(half[0] for half in x)))
    assert abs(found - sum(parts)) <= sum(map(abs, parts)) / 2**100


def test_plain_numbers_and_signs() -> None:
    x = numbers(7)
    assert exactly(negative(x)) == [-value for value in exactly(x)]
    assert exactly(pair(x.high)) == [Fraction(value) for value in x.high.tolist()]
