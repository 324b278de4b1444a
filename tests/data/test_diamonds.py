"""The data set that the repository ships: what it holds, and that its script still makes it."""

from __future__ import annotations

import subprocess
import sys
import zlib
from importlib.util import find_spec
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import pytest

Floats = npt.NDArray[np.float64]

DATA = Path(__file__).parents[2] / "data"
DIAMONDS = DATA / "diamonds.h5"
ROWS = 53_940
NAMES = [
    *("carat", "depth", "table", "x", "y", "z"),
    *("cut=Good", "cut=Very Good", "cut=Premium", "cut=Ideal"),
    *("color=E", "color=F", "color=G", "color=H", "color=I", "color=J"),
    *("clarity=SI2", "clarity=SI1", "clarity=VS2", "clarity=VS1", "clarity=VVS2", "clarity=VVS1", "clarity=IF"),
]


def read() -> tuple[Floats, Floats]:
    """X and y of the shipped file."""
    with h5py.File(DIAMONDS) as file:
        return file["X"][...], file["y"][...]


def test_layout() -> None:
    with h5py.File(DIAMONDS) as file:
        assert set(file) == {"X", "y"}
        x, y = file["X"], file["y"]
        assert (x.shape, x.dtype.str, x.compression, x.shuffle) == ((ROWS, 23), "<f8", "gzip", True)
        assert (y.shape, y.dtype.str) == ((ROWS,), "<f8")
        assert x.chunks[1] == 23  # whole rows
        assert x.chunks[0] * 23 * 8 <= 2**20  # a chunk fits into HDF5's default cache
        assert list(x.attrs["feature_names"]) == NAMES
        assert {"source", "source_sha256", "licence"} <= set(file.attrs)


def test_it_is_small() -> None:
    assert DIAMONDS.stat().st_size < 2_000_000


def test_values_are_finite_and_in_the_published_ranges() -> None:
    x, y = read()
    assert np.isfinite(x).all()
    assert np.isfinite(y).all()
    prices = np.exp(y)
    assert np.abs(prices - np.rint(prices)).max() < 1e-9
    assert (round(prices.min()), round(prices.max())) == (326, 18823)
    assert x[:, :6].min(axis=0).tolist() == [0.2, 43.0, 43.0, 0.0, 0.0, 0.0]
    assert x[:, :6].max(axis=0).tolist() == [5.01, 79.0, 95.0, 10.74, 58.9, 31.8]


def test_a_diamond_has_at_most_one_level_of_each_factor() -> None:
    x, _ = read()
    assert set(np.unique(x[:, 6:])) == {0.0, 1.0}
    for factor in ("cut", "color", "clarity"):
        columns = [index for index, name in enumerate(NAMES) if name.startswith(f"{factor}=")]
        assert set(x[:, columns].sum(axis=1)) == {0.0, 1.0}


def test_the_first_row_is_the_first_diamond() -> None:
    x, y = read()
    levels = {"cut=Ideal", "color=E", "clarity=SI2"}
    assert x[0].tolist() == [0.23, 61.5, 55.0, 3.95, 3.98, 2.43, *(float(name in levels) for name in NAMES[6:])]
    assert y[0] == pytest.approx(np.log(326), rel=1e-15)


def test_the_columns_and_an_intercept_have_full_rank() -> None:
    x, _ = read()
    standardized = (x - x.mean(axis=0)) / x.std(axis=0)
    assert np.linalg.cond(np.column_stack([np.ones(ROWS), standardized])) < 20


def test_zero_sizes_are_kept() -> None:
    x, _ = read()
    assert (x[:, 3:6] == 0).sum(axis=0).tolist() == [8, 7, 20]


@pytest.mark.skipif(find_spec("plotnine") is None, reason="plotnine is not installed: pip install --no-deps plotnine")
def test_the_script_makes_the_shipped_file(tmp_path: Path) -> None:
    made = tmp_path / "diamonds.h5"
    subprocess.run([sys.executable, str(DATA / "make_diamonds.py"), str(made)], check=True)
    with h5py.File(made) as new, h5py.File(DIAMONDS) as old:
        for name in ("X", "y"):
            assert new[name][...].tobytes() == old[name][...].tobytes()
        if not deflates_as(old["X"]):
            pytest.skip("the numbers agree, but this machine's zlib compresses to other bytes than the shipped file's")
    assert made.read_bytes() == DIAMONDS.read_bytes()


def deflates_as(dataset: h5py.Dataset) -> bool:
    """Whether this machine's zlib compresses the data set's first chunk to the bytes that the file has for it.

    zlib-ng, for one, does not: what it writes is valid, and different.
    """
    _, stored = dataset.id.read_direct_chunk((0,) * dataset.ndim)
    return zlib.compress(zlib.decompress(stored), dataset.compression_opts) == bytes(stored)
