"""The largest magnitudes of columns: those of all numbers, whatever their shape and type, with every instruction set."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from mpi_pgd.kernel import NAME, NUMPY, reference

SETS: tuple[str, ...] = ()
if NAME != NUMPY:
    from mpi_pgd.kernel import native

    SETS = native.names()
SHAPES = ((1, 1), (7, 3), (5000, 1), (3000, 7), (700, 300), (3, 5000), (20_000, 2), (5, 600))
KINDS = ("f8", "f4", "f2", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?")

Peaks = Callable[[Any, Any], None]


@pytest.fixture(params=["numpy", *SETS])
def peaks(request: pytest.FixtureRequest) -> Iterator[Peaks]:
    if request.param == "numpy":
        yield reference.peaks
        return
    native.use(request.param)
    yield native.peaks
    native.use(SETS[0])


@pytest.mark.parametrize("dtype", KINDS)
def test_peaks_are_the_largest_magnitudes_and_never_fall(peaks: Peaks, dtype: str) -> None:
    random = np.random.default_rng(2)
    for rows, columns in SHAPES:
        values = (random.normal(size=(rows, columns)) * 100).astype("i8").astype(dtype)
        values[random.integers(rows), random.integers(columns)] = np.iinfo(dtype).min if dtype[0] == "i" else 1
        known = random.uniform(0, 200, columns)
        expected = np.maximum(known, np.abs(values.astype(np.float64)).max(axis=0))
        peaks(values, known)
        assert np.array_equal(known, expected)


@pytest.mark.parametrize("dtype", ["f8", "f4", "f2"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_shows_wherever_it_stands(peaks: Peaks, dtype: str, bad: float) -> None:
    for place in [*np.ndindex(7, 2), *np.ndindex(270, 2), (2099, 1)]:
        values, known = np.ones((2100, 2), dtype), np.full(2, 9.0)
        values[place] = bad
        peaks(values, known)
        assert not np.isfinite(known[place[1]])
        assert known[1 - place[1]] == 9.0


def test_half_precision(peaks: Peaks) -> None:
    """All of its numbers."""
    values = np.arange(1 << 15, dtype=np.uint16).view(np.float16)[None]
    known = np.zeros(1 << 15)
    peaks(values, known)
    assert np.array_equal(known, values[0].astype(np.float64), equal_nan=True)


@pytest.mark.skipif(not SETS, reason="no compiled kernel here")
def test_bad_arrays() -> None:
    x, out = np.ones((4, 3)), np.zeros(3)
    for wrong in (x.T, x[:, :2], np.ones(3), x.astype(">f8"), x.astype(complex), x[:, :0], np.zeros((4, 3), [("bits", "u2")])):
        with pytest.raises((ValueError, TypeError, BufferError)):
            native.peaks(wrong, out)
