"""The largest magnitudes of columns: those of all numbers, whatever their shape and type."""

import numpy as np
import pytest

from mpi_pgd.data.peaks import raise_peaks


@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", "i1", "u8", "?"])
def test_peaks_are_the_largest_magnitudes_and_never_fall(dtype: str) -> None:
    random = np.random.default_rng(2)
    for rows, columns in ((1, 1), (7, 3), (5000, 1), (3000, 7), (700, 300), (3, 5000), (20_000, 2)):
        values = (random.normal(size=(rows, columns)) * 100).astype(dtype)
        values[random.integers(rows), random.integers(columns)] = np.iinfo(dtype).min if dtype[0] == "i" else 1
        for order in "CF":
            known = random.uniform(0, 200, columns)
            expected = np.maximum(known, np.abs(values.astype(np.float64)).max(axis=0))
            raise_peaks(known, np.asarray(values, order=order))
            assert np.array_equal(known, expected)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_shows_wherever_it_stands(bad: float) -> None:
    for place in np.ndindex(2100, 2):
        values, known = np.ones((2100, 2)), np.full(2, 9.0)
        values[place] = bad
        raise_peaks(known, values)
        assert not np.isfinite(known[place[1]])
        assert known[1 - place[1]] == 9.0
