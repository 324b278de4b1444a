"""Rows on two sides, and in another order: what is stored stays as it is, to the bit, and a row's side and place are decided."""

from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np
import pytest
from scipy import sparse

from mpi_pgd.cli import main
from mpi_pgd.data import columns, hdf5, shuffled
from mpi_pgd.data.hashes import Permutation, of_values
from tests.chaos import assembled

N, P = 300, 5
DRAW = np.random.default_rng(0)
X, NAMES = DRAW.standard_normal((N, P)).astype(np.float32), [f"f{column}" for column in range(P)]
FEW = sparse.random_array((N, 400), density=0.02, rng=DRAW, format="csr")
HOMES = [f"home {number % 40}" for number in range(N)]


def stored(path: Path, few: bool = False, rows: int = N) -> str:
    """A file with all kinds of columns."""
    with h5py.File(path, "w") as file:
        if few:
            group = file.create_group("X")
            here = FEW[:rows]
            group["data"], group["indices"] = here.data, here.indices
            group["indptr"] = here.indptr
            group.attrs["shape"] = here.shape
        else:
            x = file.create_dataset("X", data=X[:rows].astype(">f4"), chunks=(64, P), compression="gzip", shuffle=True)
            x.attrs["feature_names"] = NAMES
        file["y"] = np.arange(rows, dtype=np.int32)
        file["y"].attrs["units"] = "m"
        file["w"] = (1 + np.arange(rows) % 3)[:, np.newaxis]
        file["home"] = np.array(HOMES[:rows], h5py.string_dtype())
        file["obs/code"] = (np.arange(rows) % 2).astype(h5py.enum_dtype({"a": 0, "b": 1}, "i1"))
        file["other"] = np.arange(7.0)
        file["link"] = h5py.SoftLink("/y")
        file.attrs["recipe"] = "{}"
    return str(path)


def rows_of(file: h5py.File) -> Any:
    x = file["X"]
    if isinstance(x, h5py.Dataset):
        return x[()]
    return sparse.csr_array((x["data"][()], x["indices"][()], x["indptr"][()]), shape=x.attrs["shape"]).toarray()


def same(path: Path, few: bool, order: Any) -> None:
    """The file has these rows, and all else as it was."""
    with h5py.File(path) as file:
        np.testing.assert_array_equal(rows_of(file), (FEW.toarray() if few else X)[order])
        np.testing.assert_array_equal(file["y"][()], order)
        np.testing.assert_array_equal(file["w"][()], (1 + np.asarray(order) % 3)[:, np.newaxis])
        assert file["home"].asstr()[()].tolist() == [HOMES[row] for row in order]
        assert file["obs/code"][()].tolist() == [row % 2 for row in order]
        assert h5py.check_enum_dtype(file["obs/code"].dtype) == {"a": 0, "b": 1}
        assert (file["y"].dtype, file["y"].attrs["units"], file.attrs["recipe"]) == (np.int32, "m", "{}")
        assert file["other"].shape == (7,)
        assert file.get("link", getlink=True).path == "/y"
        if not few:
            x = file["X"]
            assert (x.dtype.str, x.chunks, x.compression, x.shuffle) == (">f4", (64, P), "gzip", True)
            assert x.attrs["feature_names"].tolist() == NAMES


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many slabs and buckets."""
    monkeypatch.setattr(columns, "SLAB", 1000)
    monkeypatch.setattr(columns, "LOOKED_UP", 37)
    monkeypatch.setattr(shuffled, "LOOKED_UP", 41)
    monkeypatch.setattr(shuffled, "BUCKET", 700)


def done(*words: object) -> None:
    assert main(["data", *map(str, words), "--quiet"]) == 0


@pytest.mark.parametrize("few", [False, True], ids=["dense", "sparse"])
def test_every_row_is_on_one_side_and_stays_there(tmp_path: Path, few: bool) -> None:
    path, train, test = stored(tmp_path / "a.h5", few), tmp_path / "train.h5", tmp_path / "test.h5"
    done("split", path, train, test, "--weights", "w", "--seed", 3)
    sides = [h5py.File(name)["y"][()].tolist() for name in (train, test)]
    assert sorted([*sides[0], *sides[1]]) == list(range(N))
    assert 0.1 < len(sides[1]) / N < 0.3
    for name, order in zip((train, test), sides, strict=True):
        assert order == sorted(order)
        same(name, few, order)
        hdf5.inspect([str(name)], "X", "y", "w")
    shorter = stored(tmp_path / "b.h5", few, rows=100)
    done("split", shorter, train, test, "--seed", 3)  # what it has made may be made again
    assert h5py.File(test)["y"][()].tolist() == [row for row in sides[1] if row < 100]


def test_equal_values_are_on_one_side(tmp_path: Path) -> None:
    path, train, test = stored(tmp_path / "a.h5"), tmp_path / "train.h5", tmp_path / "test.h5"
    done("split", path, train, test, "--by", "home", "--test", 0.3)
    homes = [set(h5py.File(name)["home"].asstr()[()]) for name in (train, test)]
    assert not homes[0] & homes[1]
    assert len(homes[0] | homes[1]) == 40
    done("split", path, train, test, "--by", "f1")
    values = h5py.File(test)["X"][:, 1]
    done("split", path, train, test, "--by", "f1")
    assert 0 < len(values) < N
    assert h5py.File(test)["X"][:, 1].tolist() == values.tolist()
    few = stored(tmp_path / "b.h5", few=True)
    with h5py.File(few, "r+") as file:
        file["feature_names"] = [f"f{column}" for column in range(400)]
    column = int(np.argmax(np.diff(FEW.tocsc().indptr)))
    done("split", few, train, test, "--by", f"f{column}", "--seed", next(
        seed for seed in range(99) if of_values(np.zeros(1), seed)[0] < 2**62
    ), "--test", 0.25)  # fmt: skip
    assert (rows_of(h5py.File(test))[:, column] == 0).sum() == (FEW.toarray()[:, column] == 0).sum()


@pytest.mark.parametrize("few", [False, True], ids=["dense", "sparse"])
def test_an_order_is_decided_by_the_seed_and_the_number_of_rows(tmp_path: Path, few: bool) -> None:
    path, out = stored(tmp_path / "a.h5", few), tmp_path / "out.h5"
    done("shuffle", path, out, "--seed", 7, "--weights", "w")
    same(out, few, Permutation(N, 7).back(np.arange(N)))
    assert [each.name for each in tmp_path.iterdir() if each.name not in ("a.h5", "out.h5")] == []


def test_columns_that_come_first_stay_so(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["X"], file["y"], file["extra"] = X.T, np.arange(N)[np.newaxis], np.arange(2 * N).reshape(2, N)
        file["X"].attrs["MATLAB_class"] = np.bytes_("single")
    done("shuffle", tmp_path / "a.h5", tmp_path / "out.h5")
    order = Permutation(N, 0).back(np.arange(N))
    with h5py.File(tmp_path / "out.h5") as file:
        np.testing.assert_array_equal(file["X"][()], X.T[:, order])
        np.testing.assert_array_equal(file["extra"][()], np.arange(2 * N).reshape(2, N)[:, order])


def test_assembled_tables_keep_their_values_or_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Virtual, packed, turned, linked, of any type; what a fit refuses is refused here."""
    done = 0
    for seed in range(16):
        (tmp_path / str(seed)).mkdir()
        monkeypatch.chdir(tmp_path / str(seed))
        with h5py.File("data.h5", "w") as file:
            wrong = assembled.assemble(file, Random(seed))
        code = main(["data", "shuffle", "data.h5", "out.h5", "--quiet"])
        assert code == 0 if not wrong else code in (0, 2), seed
        if code == 0 and not wrong:
            (before, names), (after, others) = read("data.h5"), read("out.h5")
            np.testing.assert_array_equal(before[Permutation(len(before), 0).back(np.arange(len(before)))], after)
            assert names == others
            done += 1
    assert done > 4


def read(path: str) -> tuple[Any, tuple[str, ...]]:
    """X and y beside it, and names."""
    table = hdf5.inspect([path], "X", "y")
    x, y = np.empty((table.rows, table.features)), np.empty(table.rows)
    table.read(range(table.rows), x, y)
    return np.column_stack([x, y]), table.names


@pytest.mark.parametrize("size", [1, 2, 3, 100, 256, 257, 70_000])
def test_a_permutation_has_each_number_once(size: int) -> None:
    permutation = Permutation(size, 5)
    forth = permutation.forth(np.arange(size))
    assert np.array_equal(np.sort(forth), np.arange(size))
    assert np.array_equal(permutation.back(forth), np.arange(size))
    if size > 50:
        assert not np.array_equal(forth, Permutation(size, 6).forth(np.arange(size)))
        assert abs(np.corrcoef(forth, np.arange(size))[0, 1]) < 0.3


def test_the_bits_are_those_of_every_other_machine() -> None:
    assert Permutation(1000, 1).forth(np.arange(5)).tolist() == [763, 161, 210, 449, 888]
    assert of_values(np.array([1.0, 0.5, -3.0]), 2).tolist() == [11884356853515411940, 9332338504512637457, 7066987608884404889]
    assert of_values(np.array([b"a", b"b"], object), 2).tolist() == [12046167505738227076, 7305927114034940639]


def test_equal_values_have_one_hash() -> None:
    numbers = [0, 1, 200, 127]
    hashes = of_values(np.array(numbers), 1).tolist()
    for kind in ("u1", "f4", "f8", "u8", ">i4"):
        assert of_values(np.array(numbers, kind), 1).tolist() == hashes
    assert of_values(np.array([-0.0]), 1) == of_values(np.array([0]), 1)
    assert of_values(np.array(["é"]), 1) == of_values(np.array(["é".encode()], object), 1)


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["split", "a.h5", "b.h5"], "expected three"),
        (["split", "a.h5", "b.h5", "c.h5", "--test", "1"], "expected a share between 0 and 1"),
        (["split", "a.h5", "b.h5", "b.h5"], "would both write"),
        (["split", "a.h5", "a.h5", "b.h5"], "which this run reads"),
        (["split", "a.h5", "b.h5", "c.h5", "--by", "hoem"], "did you mean home?"),
        (["split", "a.h5", "b.h5", "c.h5", "--by", "other"], "has shape (7,): expected (300,)"),
        (["split", "a.h5", "b.h5", "c.h5", "--test", "1e-9"], "would have none of the 300 rows"),
        (["shuffle", "a.h5", "foreign.h5"], "which it has not made"),
        (["shuffle", "a.h5", "no/b.h5"], "there is no folder"),
        (["shuffle", "a.h5", "b.h5", "--seed", "-1"], "--seed was given '-1'"),
        (["shuffle", "a.h5", "b.h5", "--y", "other"], "has shape (7,)"),
        (["shuffle", "*.h5", "b.h5"], "*.h5 stands for 2 files: expected one"),
    ],
)
def test_bad_words(
    tmp_path: Path, words: list[str], answer: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stored(tmp_path / "a.h5")
    (tmp_path / "foreign.h5").write_bytes(b"mine")
    assert main(["data", *words]) == 2
    assert answer in capsys.readouterr().err
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.h5", "foreign.h5"]
