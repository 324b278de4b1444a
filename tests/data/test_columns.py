"""What is beside the features: several targets a row, weights, offsets, read with all the checks that y has."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from mpi_pgd import InputError
from mpi_pgd.cli import data as command
from mpi_pgd.data import hdf5
from mpi_pgd.data import memory as memory_of
from mpi_pgd.data.memory import MemoryShard
from mpi_pgd.data.partition import Partition
from mpi_pgd.data.piece import Piece
from mpi_pgd.data.table import Table
from mpi_pgd.losses.targets import TargetFacts

DRAW = np.random.default_rng(3)
ROWS, FEATURES = 300, 3
X = DRAW.integers(-9, 9, (ROWS, FEATURES)).astype("f8")
Y = DRAW.integers(-9, 9, (ROWS, 2)).astype("f8")
W, OFFSET = np.abs(Y[:, 0]), Y[:, 1] / 4


def stored(path: Path, **data_sets: Any) -> str:
    with h5py.File(path, "w") as file:
        for name, value in {"X": X, "y": Y[:, 0], "w": W, "o": OFFSET, **data_sets}.items():
            file[name] = value
    return str(path)


def shard_of(*paths: str, **names: str) -> MemoryShard:
    """All rows, after the table's way over the wire."""
    table: Table = pickle.loads(pickle.dumps(hdf5.inspect(paths, "X", "y", **names)))
    shard = MemoryShard(table, Partition(table.rows, table.features))
    shard.hold(np.arange(shard.partition.blocks))
    return shard


def held(*paths: str, **names: str) -> Piece:
    (piece,) = shard_of(*paths, **names).pieces
    return piece


def refused(*paths: str, **names: str) -> str:
    with pytest.raises(InputError) as error:
        shard_of(*paths, **names)
    return str(error.value)


def same(found: Any, expected: Any) -> None:
    np.testing.assert_array_equal(found, expected, strict=True)


def test_nothing_is_held_that_was_not_asked_for(tmp_path: Path) -> None:
    path = stored(tmp_path / "a.h5")
    piece, table = held(path), hdf5.inspect([path], "X", "y")
    assert piece[2:] == (None, None)
    assert piece.nbytes == table.bytes(ROWS) == ROWS * 8 * (FEATURES + 1)


@pytest.mark.parametrize("names", [{"weights": "w"}, {"offset": "o"}, {"weights": "w", "offset": "o"}])
def test_a_weight_and_an_offset_for_each_row(tmp_path: Path, names: dict[str, str]) -> None:
    path = stored(tmp_path / "a.h5")
    shard = shard_of(path, **names)
    piece = shard.pieces[0]
    for its, expected in ((piece.weights, "weights" in names and W), (piece.offset, "offset" in names and OFFSET)):
        assert its is None if expected is False else np.array_equal(its, expected)
    assert piece.nbytes == shard.table.bytes(ROWS) == shard.bytes(np.arange(shard.partition.blocks))
    assert shard.heaviest == (W.max() if "weights" in names else 1.0)
    assert shard.farthest == (np.abs(OFFSET).max() if "offset" in names else 0.0)


@pytest.mark.parametrize(
    "change",
    [
        lambda w: w[:, None],
        lambda w: w.astype("i2"),
        lambda w: w.astype(">f4"),
        lambda w: w > 3,
    ],
    ids=["a column", "integers", "other bytes", "booleans"],
)
def test_weights_of_other_shapes_and_types(tmp_path: Path, change: Callable[[Any], Any]) -> None:
    stored_as = change(W)
    same(held(stored(tmp_path / "a.h5", w=stored_as), weights="w").weights, stored_as.astype("f8").ravel())


def test_what_is_beside_transposed_features_may_be_a_row(tmp_path: Path) -> None:
    path = stored(tmp_path / "a.mat", X=X.T, y=Y.T, w=W[None], o=OFFSET[:, None])
    with h5py.File(path, "r+") as file:
        file["X"].attrs["MATLAB_class"] = "double"
    piece = held(path, weights="w", offset="o")
    for its, expected in zip(piece, (X, Y.T, W, OFFSET), strict=True):
        same(its, expected)


@pytest.mark.parametrize("flag", ["weights", "offset"])
@pytest.mark.parametrize("shape", [(ROWS - 1,), (1, ROWS), (ROWS, 2), ()])
def test_one_number_for_each_row_is_expected(tmp_path: Path, flag: str, shape: Any) -> None:
    sentence = refused(stored(tmp_path / "a.h5", w=np.ones(shape)), **{flag: "w"})
    assert f"w in {tmp_path}/a.h5 has shape {shape}: expected ({ROWS},) or ({ROWS}, 1), a number for each row of X" in sentence


@pytest.mark.parametrize(("flag", "name"), [("weights", "w"), ("offset", "o")])
def test_a_missing_data_set_names_the_flag(tmp_path: Path, flag: str, name: str) -> None:
    path = stored(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        del file[name]
    assert f"no data set {name}; its data sets are: " in (sentence := refused(path, **{flag: name}))
    assert sentence.endswith(f"name the right one with --{flag}")


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf, -np.inf])
def test_what_is_no_weight_is_named_by_its_row(tmp_path: Path, value: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_of, "SLAB_BYTES", 1000)  # some slabs come before it
    weights = W.copy()
    weights[[170, 171]] = value
    sentence = refused(stored(tmp_path / "a.h5", w=weights), weights="w")
    assert f"row 170 of w is {value}: every weight must be a finite number, and none below 0" in sentence


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_offset_is_named_by_its_row(tmp_path: Path, value: float) -> None:
    offset = OFFSET.copy()
    offset[[170, 171]] = value
    assert f"row 170 of o is {value}: every offset must be" in refused(stored(tmp_path / "a.h5", o=offset), offset="o")


@pytest.mark.parametrize(("flag", "name"), [("weights", "w"), ("offset", "o"), ("y", "y")])
def test_numbers_mean_what_stands_beside_them(tmp_path: Path, flag: str, name: str) -> None:
    """As those of y: packed, filled."""
    path, names = stored(tmp_path / "a.h5", **{name: np.arange(ROWS, dtype="i4")}), {flag: name} if name != "y" else {}
    with h5py.File(path, "r+") as file:
        file[name].attrs.update({"scale_factor": 0.5, "_FillValue": -7})
    piece = held(path, **names)
    same(getattr(piece, flag), np.arange(ROWS) / 2)
    with h5py.File(path, "r+") as file:
        file[name][33] = -7
    assert f"row 33 of {name} is a missing value: {path} has -7 there, its _FillValue" in refused(path, **names)


def test_units_are_the_same_in_all_files(tmp_path: Path) -> None:
    paths = [stored(tmp_path / f"{name}.h5") for name in "ab"]
    for path, units in zip(paths, ("years", "days"), strict=True):
        with h5py.File(path, "r+") as file:
            file["w"].attrs["units"] = units
    assert hdf5.inspect(paths, "X", "y").rows == 2 * ROWS
    assert "w has the units years in" in refused(*paths, weights="w")


def test_a_source_that_is_missing_is_no_column_of_zeros(tmp_path: Path) -> None:
    path = stored(tmp_path / "a.h5", w=np.ones(ROWS))
    layout = h5py.VirtualLayout((ROWS,), "f8")
    layout[:] = h5py.VirtualSource(str(tmp_path / "b.h5"), "w", (ROWS,))
    with h5py.File(path, "r+") as file:
        del file["w"]
        file.create_virtual_dataset("w", layout)
        file["linked"] = h5py.SoftLink("/w")
    assert f"{tmp_path}/b.h5 is missing" in refused(path, weights="linked")
    stored(tmp_path / "b.h5", w=2 * W)
    same(held(path, weights="linked").weights, 2 * W)


def test_files_are_one_table(tmp_path: Path) -> None:
    one = stored(tmp_path / "a.h5", X=X[:100], y=Y[:100], w=W[:100], o=OFFSET[:100])
    two = stored(tmp_path / "b.h5", X=X[100:], y=Y[100:].astype("i1"), w=W[100:, None], o=OFFSET[100:].astype("f4"))
    for its, expected in zip(held(one, two, weights="w", offset="o"), (X, Y.T, W, OFFSET), strict=True):
        same(its, expected)
    stored(tmp_path / "b.h5", X=X[100:], y=Y[100:, 0])
    assert f"{two} has 1 targets a row and {one} has 2: files read as one table need the same number" in refused(one, two)


def test_several_targets_a_row(tmp_path: Path) -> None:
    shard = shard_of(stored(tmp_path / "a.h5", y=Y.astype("i2")))
    same(shard.pieces[0].y, Y.T)
    assert shard.pieces[0].nbytes == shard.table.bytes(ROWS) == ROWS * 8 * (FEATURES + 2)
    same(shard.peaks, np.concatenate([np.abs(X).max(axis=0), np.abs(Y).max(axis=0)]))
    assert shard.labels.facts() == TargetFacts(-9.0, 8.0, True, tuple(np.unique(Y).tolist()), 2)
    y = Y.copy()
    y[[40, 41], [1, 0]] = np.nan
    assert "row 40, column 1 of y is nan" in refused(stored(tmp_path / "a.h5", y=y))
    path = stored(tmp_path / "a.h5", y=np.where(np.isnan(y), -99, Y))
    with h5py.File(path, "r+") as file:
        file["y"].attrs["_FillValue"] = -99.0
    assert "row 41, column 0 of y is a missing value" in refused(path) or "row 40, column 1 of y is a missing value" in refused(
        path
    )


def test_targets_of_the_shape_of_the_features_are_told_of(tmp_path: Path) -> None:
    path = stored(tmp_path / "a.h5", y=X + 1)
    same(held(path).y, X.T + 1)
    assert hdf5.inspect([path], "X", "y").warnings == (
        f"X in {path} has the shape of y, so its shape can't tell rows from features: it is read with rows first",
    )


def test_each_line_of_targets_starts_on_a_cache_line(tmp_path: Path) -> None:
    """So that a block has the same bits in whichever run of blocks it was read."""
    shard = shard_of(stored(tmp_path / "a.h5", y=Y), weights="w", offset="o")
    piece = shard.pieces[0].part(slice(64, 128))
    lines = [*piece.y, piece.weights, piece.offset]
    assert [line.ctypes.data % 64 for line in lines if line is not None] == [0] * 4
    assert all(line.flags.c_contiguous for line in lines if line is not None)


def test_info_tells_what_is_beside_the_features(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = stored(tmp_path / "a.h5", y=Y)
    command.main(["info", path, "--weights", "w", "--offset", "o"])
    assert "X: (300, 3) float64   y: (300, 2) float64   weights: w   offset: o\n" in capsys.readouterr().out
