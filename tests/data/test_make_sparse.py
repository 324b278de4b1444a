"""Synthetic sparse rows: the same bits everywhere, however many rows there are, and what was asked for."""

import hashlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from mpi_pgd import InputError
from mpi_pgd.data.make import make
from mpi_pgd.data.slabs import slab_rows

FEATURES, EACH = 200_000, 20_000  # 104 rows a slab


def made(folder: Path, rows: int, features: int, **settings: Any) -> dict[str, np.ndarray]:
    path = folder / f"{rows}.h5"
    make(path, rows, features, **settings)
    with h5py.File(path) as file:
        assert tuple(file["X"].attrs["shape"]) == (rows, features)
        group = {name: file["X"][name][...] for name in file["X"]}
        return group | {name: file[name][...] for name in file if name != "X"}


def dense(found: dict[str, np.ndarray], features: int) -> np.ndarray:
    x = np.zeros((len(found["y"]), features))
    for row, (start, stop) in enumerate(zip(found["indptr"], found["indptr"][1:], strict=False)):
        assert (np.diff(found["indices"][start:stop]) > 0).all()
        x[row, found["indices"][start:stop]] = found["data"][start:stop]
    return x


def test_a_longer_file_begins_with_the_rows_of_a_shorter_one(tmp_path: Path) -> None:
    assert slab_rows(EACH) == 104
    short, long = (made(tmp_path, rows, FEATURES, density=0.1, loss="poisson", offset="o") for rows in (110, 120))
    for name in ("data", "indices", "indptr", "y", "o"):
        np.testing.assert_array_equal(short[name], long[name][: len(short[name])])
    assert not (long["data"][:EACH] == long["data"][104 * EACH : 105 * EACH]).all()  # another slab
    numbers = b"".join(short[name].astype("<f8").tobytes() for name in ("data", "indices", "y", "o", "true_coef"))
    assert hashlib.sha256(numbers).hexdigest() == "bc13ef55b0b22ef28bb769a60b864cb5d834d9947eafb704841921de78a1a651"


def test_they_are_what_was_asked_for(tmp_path: Path) -> None:
    found = made(tmp_path, 3000, 30, density=0.15, noise=0.0)
    x = dense(found, 30)
    assert set(np.count_nonzero(x, axis=1)) == {round(0.15 * 30)}
    assert abs(np.count_nonzero(x, axis=0) / (0.15 * 3000) - 1).max() < 0.35
    np.testing.assert_allclose(x @ found["true_coef"] + found["true_intercept"], found["y"], rtol=1e-12, atol=1e-12)


def test_targets_are_drawn_with_the_spread_of_their_kind(tmp_path: Path) -> None:
    found = made(tmp_path, 5000, 40, density=0.1, loss="logistic", weights="w")
    eta = dense(found, 40) @ found["true_coef"]
    assert abs(eta.std() - 2) < 0.2
    margins = (2 * found["y"] - 1) * (eta + found["true_intercept"])
    assert (margins > 0).mean() > 0.7
    assert set(found["w"]) == {1.0, 2.0, 3.0, 4.0}


@pytest.mark.parametrize("settings", [{"density": 0.0}, {"density": 1.5}, {"density": -0.1}, {"density": 0.5, "condition": 10.0}])
def test_what_can_not_be_had_is_refused(tmp_path: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="density is"):
        make(tmp_path / "made.h5", 10, 10, **settings)
    assert list(tmp_path.iterdir()) == []
