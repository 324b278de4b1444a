"""Types that X may be stored in: each number the nearest one, and what is stored as it is."""

import numpy as np
import pytest

from mpi_pgd.engine.narrow import BFLOAT16, holds, narrowed, raise_peaks, type_of, widen, widened

ALL = np.arange(1 << 16, dtype=np.uint16).view(BFLOAT16)
with np.errstate(invalid="ignore"):
    KNOWN = widened(ALL).astype(np.float64)


def test_every_bfloat16_is_the_first_half_of_a_float32() -> None:
    assert np.array_equal(widened(ALL).view(np.uint32), np.arange(1 << 16, dtype=np.uint32) << 16)
    again = narrowed(KNOWN, BFLOAT16)
    assert np.array_equal(widened(again), widened(ALL), equal_nan=True)


def test_the_nearest_is_taken_and_of_two_the_even_one() -> None:
    finite = np.unique(KNOWN[np.isfinite(KNOWN)])
    low, high = finite[:-1], finite[1:]
    middle = low + (high - low) / 2
    even = np.where(narrowed(low, BFLOAT16).view(np.uint16) % 2, high, low)
    for number, expected in ((low, low), (high, high), (middle, even)):
        assert np.array_equal(widened(narrowed(number, BFLOAT16)), expected)
    for part, expected in ((0.25, low), (0.75, high)):
        number = low + part * (high - low)
        normal = np.abs(number) > 1e-37
        assert np.array_equal(widened(narrowed(number, BFLOAT16))[normal], expected[normal])


def test_what_is_no_finite_number_stays_so() -> None:
    bad = np.array([np.inf, -np.inf, np.nan, 1e39, 3.4e38, -3.4e38])
    with np.errstate(over="ignore", invalid="ignore"):
        bad = np.append(bad, np.array([0x7FFF_FFFF, 0xFFFF_FFFF, 0x7F80_0001], np.uint32).view(np.float32))
        assert not np.isfinite(widened(narrowed(bad, BFLOAT16))).any()
        assert not np.isfinite(narrowed(bad[:4], "float32")).any()


@pytest.mark.parametrize("store", ["float64", "float32", "bfloat16"])
def test_peaks_and_widening(store: str) -> None:
    values = np.random.default_rng(1).standard_normal((300, 5))
    x, wide, known = narrowed(values, type_of(store)), np.empty((300, 5)), np.array([0.0, 9.0, 0.0, 0.0, 0.0])
    widen(x, wide)
    assert np.abs(wide - values).max() <= {"float64": 0.0, "float32": 2.0**-24, "bfloat16": 2.0**-8}[store] * np.abs(values).max()
    expected = np.maximum(known, np.abs(wide).max(axis=0))
    raise_peaks(x, known)
    assert np.array_equal(known, expected)
    x[7, 2] = narrowed(np.array(np.nan).reshape(1), type_of(store))[0]
    raise_peaks(x, known)
    assert np.array_equal(np.isnan(known), [False, False, True, False, False])


def test_which_type_has_the_values_of_another() -> None:
    kinds = ("bool", "int8", "uint16", "float16", "int32", "float32", "int64", "float64")
    assert all(holds(type_of("float64"), kind) for kind in kinds)
    assert [kind for kind in kinds if holds(type_of("float32"), kind)] == ["bool", "int8", "uint16", "float16", "float32"]
    assert not any(holds(BFLOAT16, kind) for kind in kinds)
