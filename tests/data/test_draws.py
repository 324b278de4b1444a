"""Synthetic targets for other losses than the squared one: the same bits everywhere, from the model that they are drawn from."""

import hashlib
import math
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from mpi_pgd import InputError
from mpi_pgd.data.draws import KINDS, exponential
from mpi_pgd.data.make import make
from mpi_pgd.data.slabs import normals, slab_rows
from mpi_pgd.data.synthetic import PLAIN

Contents = dict[str, Any]


def made(folder: Path, rows: int, features: int, **settings: Any) -> Contents:
    path = folder / "made.h5"
    make(path, rows, features, force=True, **settings)
    with h5py.File(path) as file:
        return {name: value[()] for name, value in file.items()}


def sha256(contents: Contents) -> str:
    return hashlib.sha256(b"".join(np.asarray(contents[name], "<f8").tobytes() for name in sorted(contents))).hexdigest()[:16]


def eta_of(found: Contents) -> Any:
    return found["X"] @ found["true_coef"] + found["true_intercept"]


def test_exp_is_right_to_the_last_bits() -> None:
    x = np.linspace(-700, 700, 100_001)
    np.testing.assert_allclose(exponential(x), np.exp(x), rtol=5e-16, atol=0)
    assert exponential(np.zeros(1)) == 1.0


@pytest.mark.parametrize("loss", KINDS)
def test_the_bits_are_those_of_every_other_machine(tmp_path: Path, loss: str) -> None:
    expected = {
        "logistic": "8ad5f2c4cdbbab79",
        "softmax": "00d9ca5b7fcd8e82",
        "poisson": "cadd9cd3ada8efcc",
        "gamma": "133ba8203c3ae81b",
    }
    found = made(tmp_path, 500, 30, condition=5.0, seed=7, loss=loss, weights="w", offset="o")
    assert sha256(found) == expected[loss]


def test_rows_do_not_depend_on_what_is_made_beside_them(tmp_path: Path) -> None:
    plain = made(tmp_path, 300, 5, seed=2)
    more = made(tmp_path, 300, 5, seed=2, weights="w", offset="o")
    assert set(more) - set(plain) == {"w", "o"}
    np.testing.assert_array_equal(more["X"], plain["X"])
    np.testing.assert_array_equal(more["y"], plain["y"] + more["o"])
    np.testing.assert_array_equal(made(tmp_path, 300, 5, seed=2, loss="poisson")["X"], plain["X"])


def test_a_longer_file_begins_with_the_rows_of_a_shorter_one(tmp_path: Path) -> None:
    features = 60_000
    short, long = (made(tmp_path, rows, features, loss="softmax", weights="w", offset="o") for rows in (50, 90))
    assert slab_rows(features) < 50  # or the test shows nothing
    for name in ("y", "w", "o"):
        np.testing.assert_array_equal(long[name][:50], short[name])


def test_binary_targets_are_as_probable_as_the_model_says(tmp_path: Path) -> None:
    found = made(tmp_path, 40_000, 6, condition=3.0, loss="logistic")
    assert set(np.unique(found["y"])) == {0.0, 1.0}
    eta = eta_of(found)
    assert eta.std() == pytest.approx(2.0, rel=0.05)
    expected = 1 / (1 + np.exp(-eta))
    off = (found["y"] - expected) / np.sqrt(expected * (1 - expected))
    for feature in (np.ones(40_000), *found["X"].T):
        assert abs(np.dot(off, feature)) < 4 * math.sqrt(40_000)


def test_classes_are_as_probable_as_the_model_says(tmp_path: Path) -> None:
    found = made(tmp_path, 40_000, 4, loss="softmax", classes=5)
    assert (found["true_coef"].shape, found["true_intercept"].shape) == ((4, 5), (5,))
    shares = np.exp(eta_of(found))
    shares /= shares.sum(axis=1, keepdims=True)
    for number in range(5):
        mine, expected = found["y"] == number, shares[:, number]
        for feature in (np.ones(40_000), *found["X"].T):
            assert abs(np.dot(mine - expected, feature)) < 4 * math.sqrt(np.dot(expected * (1 - expected), feature**2))


def test_counts_have_the_mean_and_the_variance_of_the_model(tmp_path: Path) -> None:
    found = made(tmp_path, 40_000, 6, loss="poisson", offset="o", seed=5)
    assert (found["y"] == np.rint(found["y"])).all()
    mean = np.exp(eta_of(found) + found["o"])
    assert mean.min() < 1 < 10 < mean.max()
    off = (found["y"] - mean) / np.sqrt(mean)
    for feature in (np.ones(40_000), *found["X"].T):
        assert abs(np.dot(off, feature)) < 4 * math.sqrt(40_000)
    assert np.mean(off**2) == pytest.approx(1, abs=0.05)


def test_amounts_have_the_mean_and_the_dispersion_of_the_model(tmp_path: Path) -> None:
    found = made(tmp_path, 40_000, 6, loss="gamma")
    assert (found["y"] > 0).all()
    off = found["y"] / np.exp(eta_of(found)) - 1
    for feature in (np.ones(40_000), *found["X"].T):
        assert abs(np.dot(off, feature)) < 4 * math.sqrt(40_000 / 2)
    assert np.mean(off**2) == pytest.approx(0.5, abs=0.1)


def test_weights_are_whole_numbers_and_offsets_vary(tmp_path: Path) -> None:
    found = made(tmp_path, 4000, 2, weights="w", offset="o")
    assert np.bincount(found["w"].astype(int)).min(initial=4000, where=[False, True, True, True, True]) > 900
    assert set(np.unique(found["w"])) == {1.0, 2.0, 3.0, 4.0}
    assert found["o"].std() == pytest.approx(0.5, rel=0.05)


def test_a_large_mean_ends(tmp_path: Path) -> None:
    """Far more than the model has: the sum of probabilities still comes to its end."""
    stream = np.random.Philox(key=1)
    eta = np.linspace(-30, 6.5, 2000)[np.newaxis]
    count = KINDS["poisson"].draw(eta, lambda rows: np.linspace(0.5**53, 1 - 0.5**53, rows), lambda rows: normals(stream, rows))
    assert (count[:100] == 0).all()
    assert 600 < count[-1] < 1200


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"loss": "logistik"}, "did you mean logistic"),
        ({"loss": "softmax", "classes": 1}, "classes is 1"),
        ({"weights": "X"}, "weights is 'X'"),
        ({"offset": "a/b"}, "offset is 'a/b'"),
        ({"weights": "w", "offset": "w"}, "offset is 'w'"),
    ],
)
def test_what_can_not_be_made(tmp_path: Path, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        make(tmp_path / "made.h5", 10, 2, **settings)
    assert not list(tmp_path.iterdir())


def test_a_file_that_was_made_may_be_made_again(tmp_path: Path) -> None:
    for settings in ({"loss": "softmax", "weights": "w"}, {"loss": PLAIN}):
        make(tmp_path / "made.h5", 10, 2, **settings)
    with h5py.File(tmp_path / "made.h5", "r+") as file:
        file["more"] = 1
    with pytest.raises(InputError, match="it has not made"):
        make(tmp_path / "made.h5", 10, 2)
