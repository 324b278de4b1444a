"""Synthetic data: the same bits everywhere, the properties that were asked for, and errors that help."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import numpy.typing as npt
import pytest

from mpi_pgd.data import make as making
from mpi_pgd.data.make import make
from mpi_pgd.data.slabs import normals, slab, slab_rows, truth
from mpi_pgd.data.synthetic import Synthetic
from mpi_pgd.errors import InputError

Floats = npt.NDArray[np.float64]

WIDE = 60_000  # 34 rows a slab, so that a few rows are several slabs


class Contents(NamedTuple):
    """What a made file holds."""

    x: Floats
    y: Floats
    coef: Floats
    intercept: float


def made(folder: Path, rows: int, features: int, **settings: Any) -> Contents:
    """Make a file in `folder` and read it back."""
    path = folder / "made.h5"
    make(path, rows, features, **settings)
    with h5py.File(path) as file:
        return Contents(file["X"][...], file["y"][...], file["true_coef"][...], float(file["true_intercept"][()]))


def sha256(contents: Contents) -> str:
    """Fingerprint of all numbers as little-endian float64."""
    return hashlib.sha256(b"".join(np.asarray(part, "<f8").tobytes() for part in contents)).hexdigest()


@pytest.mark.parametrize(
    ("rows", "features", "settings", "golden"),
    [
        (
            1000,
            7,
            {"condition": 10.0, "noise": 0.5, "seed": 3},
            "5c86daa539fd403ecf68a9d71c968ba69f80e1bc1902d6899d7b97b70b912393",
        ),
        (5, 1, {"seed": 2**64 - 1}, "b4c53d960cffa322c8ca7c583110ebf396dc0992f2459c9a3141de5c78e6cf18"),
        (40, WIDE, {"condition": 1e6}, "24f383b913d1e4d591923d9ce5cdd2750504bd1d2934712ee1d118c7abb3aca9"),
    ],
    ids=["narrow", "one feature", "two slabs of short columns"],
)
def test_the_bits_are_those_of_every_other_machine(
    tmp_path: Path, rows: int, features: int, settings: dict[str, Any], golden: str
) -> None:
    assert sha256(made(tmp_path, rows, features, **settings)) == golden


def test_the_same_call_makes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.h5", "b.h5"):
        make(tmp_path / name, 100, 4, 2.0, 0.1, 9)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_layout_and_settings(tmp_path: Path) -> None:
    make(tmp_path / "made.h5", 100, 4, condition=2, noise=0, seed=2**63)
    with h5py.File(tmp_path / "made.h5") as file:
        assert {name: (data.shape, data.dtype.str, data.chunks) for name, data in file.items()} == {
            "X": ((100, 4), "<f8", None),
            "y": ((100,), "<f8", None),
            "true_coef": ((4,), "<f8", None),
            "true_intercept": ((), "<f8", None),
        }
        assert dict(file.attrs) == {"rows": 100, "features": 4, "condition": 2.0, "noise": 0.0, "seed": 2**63}


def test_a_longer_file_begins_with_the_rows_of_a_shorter_one(tmp_path: Path) -> None:
    short = made(tmp_path, 50, WIDE, condition=5.0)
    long = made(tmp_path, 90, WIDE, condition=5.0)
    assert slab_rows(WIDE) < 50  # or the test shows nothing
    assert np.array_equal(short.x, long.x[:50])
    assert np.array_equal(short.y, long.y[:50])
    assert np.array_equal(short.coef, long.coef)


def test_any_slab_can_be_made_alone(tmp_path: Path) -> None:
    whole = made(tmp_path, 3 * slab_rows(WIDE), WIDE, noise=0.3, seed=4)
    height = slab_rows(WIDE)
    for index in (2, 0, 1):
        x, y = slab(Synthetic(WIDE, 1.0, 0.3, 4), index)
        assert np.array_equal(x, whole.x[index * height : (index + 1) * height])
        assert np.array_equal(y, whole.y[index * height : (index + 1) * height])


@pytest.mark.parametrize("features", [1, 2, 200, 8192, 2**21, 2**21 + 1, 10**9])
def test_a_slab_is_at_most_16_mib_or_one_row(features: int) -> None:
    rows = slab_rows(features)
    assert rows == 1 or rows * features * 8 <= 16 * 2**20
    assert (rows + 1) * features * 8 > 16 * 2**20


def test_slabs_and_seeds_differ() -> None:
    first = slab(Synthetic(WIDE, 1.0, 0.1, 0), 0)[0]
    assert not np.any(first[:, 0] == slab(Synthetic(WIDE, 1.0, 0.1, 0), 1)[0][:, 0])
    assert not np.any(first[:, 0] == slab(Synthetic(WIDE, 1.0, 0.1, 1), 0)[0][:, 0])


def test_a_value_is_the_sum_of_the_four_parts_of_a_word() -> None:
    words = np.random.Philox(key=7).random_raw(1000)
    sums = [sum((int(word) >> shift) & 0xFFFF for shift in (0, 16, 32, 48)) for word in words]
    expected = [(total - 131070) / ((2**32 - 1) / 3) ** 0.5 for total in sums]
    assert normals(np.random.Philox(key=7), 1000).tolist() == expected


def test_values_have_mean_0_and_variance_1_and_the_kurtosis_of_four_uniform_parts() -> None:
    count = 2_000_000
    values = normals(np.random.Philox(key=11), count)
    assert abs(values.mean()) < 5 / count**0.5
    assert abs(values.var() - 1) < 5 * (1.7 / count) ** 0.5
    assert abs((values**4).mean() - 2.7) < 0.03  # 3 - 1.2 / 4


@pytest.mark.parametrize("condition", [1.0, 10.0, 1000.0])
def test_the_correlation_has_the_condition_number_asked_for(tmp_path: Path, condition: float) -> None:
    x = made(tmp_path, 400_000, 5, condition=condition).x
    assert np.abs(x.mean(axis=0)).max() < 0.01
    assert np.abs(x.std(axis=0) - 1).max() < 0.01
    assert np.linalg.cond(np.corrcoef(x.T)) == pytest.approx(condition, rel=0.03)


def test_a_huge_condition_number_is_met(tmp_path: Path) -> None:
    x = made(tmp_path, 100_000, 3, condition=1e24).x
    # The columns agree to 12 digits; their correlation matrix would lose what is left, the singular values do not.
    assert np.linalg.cond(x) == pytest.approx(1e12, rel=0.03)


def test_least_squares_finds_the_true_weights(tmp_path: Path) -> None:
    rows, features, noise = 100_000, 10, 0.5
    x, y, coef, intercept = made(tmp_path, rows, features, condition=20.0, noise=noise)
    design = np.column_stack([x, np.ones(rows)])
    found = np.linalg.lstsq(design, y)[0]
    error = noise * np.sqrt(np.diag(np.linalg.inv(design.T @ design)))
    assert np.all(np.abs(found - [*coef, intercept]) < 5 * error)
    assert np.std(y - design @ found) == pytest.approx(noise, rel=0.02)


def test_without_noise_the_fit_is_exact(tmp_path: Path) -> None:
    x, y, coef, intercept = made(tmp_path, 1000, 30, condition=100.0, noise=0.0)
    assert np.abs(x @ coef + intercept - y).max() < 1e-13


def test_noise_does_not_change_x_or_the_truth() -> None:
    assert np.array_equal(slab(Synthetic(WIDE, 3.0, 0.0, 5), 0)[0], slab(Synthetic(WIDE, 3.0, 9.0, 5), 0)[0])
    assert np.array_equal(truth(Synthetic(4, 3.0, 0.0, 5))[0], truth(Synthetic(4, 1.0, 9.0, 5))[0])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"rows": 0}, "rows is 0, but has to be a whole number from 1"),
        ({"rows": -3}, "rows is -3"),
        ({"rows": 2.5}, "rows is 2.5"),
        ({"rows": "many"}, "rows is 'many'"),
        ({"rows": 2**63}, "rows is 9223372036854775808"),
        ({"features": 0}, "features is 0"),
        ({"condition": 0.5}, "condition is 0.5, but has to be a number from 1 to 1e+24"),
        ({"condition": float("nan")}, "condition is nan"),
        ({"condition": float("inf")}, "condition is inf"),
        ({"condition": None}, "condition is None"),
        ({"features": 1, "condition": 2.0}, "condition 2 was asked for with 1 feature"),
        ({"noise": -0.1}, "noise is -0.1"),
        ({"noise": float("inf")}, "noise is inf"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**64}, "seed is 18446744073709551616, but has to be a whole number from 0 to 18446744073709551615"),
        ({"rows": 10**12, "features": 1000}, "GiB free"),
        ({"rows": 2**63 - 1, "features": 2**60}, "GiB free"),
        ({"path": "missing/out.h5"}, "there is no folder"),
        ({"path": "file/out.h5"}, "there is no folder"),
        ({"path": "folder"}, "is a folder"),
        ({"path": "x" * 300}, "can't be written"),
    ],
    ids=str,
)
def test_what_cannot_be_made_is_refused(tmp_path: Path, settings: dict[str, Any], said: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    arguments: dict[str, Any] = {"path": "out.h5", "rows": 10, "features": 3} | settings
    with pytest.raises(InputError) as caught:
        make(tmp_path / arguments.pop("path"), **arguments)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]


def test_a_folder_that_is_not_writable_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    if os.access(tmp_path, os.W_OK):
        pytest.skip("this user may write everywhere (root)")
    with pytest.raises(InputError, match="is not writable"):
        make(tmp_path / "out.h5", 10, 3)


def test_a_folder_that_is_not_writable_is_refused_to_root_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(InputError, match="is not writable"):
        make(tmp_path / "out.h5", 10, 3)


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_a_failure_in_the_middle_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: type[BaseException]
) -> None:
    def fails_at_the_second(problem: Synthetic, index: int) -> tuple[Floats, Floats]:
        if index == 1:
            raise failure
        return slab(problem, index)

    monkeypatch.setattr(making, "slab", fails_at_the_second)
    (tmp_path / "out.h5").write_text("old")
    with pytest.raises(failure):
        make(tmp_path / "out.h5", 50, WIDE, force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["out.h5"]
    assert (tmp_path / "out.h5").read_text() == "old"


def test_a_disk_that_fills_up_is_an_input_error_and_leaves_nothing(tmp_path: Path) -> None:
    # A limit on the size of a file fails a write just as a full disk does.
    code = f"""if True:
        import resource
        from mpi_pgd.data.make import make
        from mpi_pgd.errors import InputError
        resource.setrlimit(resource.RLIMIT_FSIZE, (20 * 2**20, resource.RLIM_INFINITY))
        try:
            make({str(tmp_path / "out.h5")!r}, 90, {WIDE})
        except InputError as error:
            print(error)
    """
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.endswith("out.h5 can't be written (File too large): make room, or choose another place\n")
    assert list(tmp_path.iterdir()) == []


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    code = f"""if True:
        import resource
        from mpi_pgd.data.make import make
        for rows in (1000, 100_000):
            make({str(tmp_path / "out.h5")!r}, rows, 500)
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    """
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    one_slab, all_slabs = (int(line) / 1024 for line in ended.stdout.split())
    assert all_slabs - one_slab < 64  # MiB; X has 381
