"""Sparse rows in files: read as the same rows in a dense data set, however they are stored, or refused in one sentence."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from mpi_pgd import InputError
from mpi_pgd.data import hdf5, stream
from mpi_pgd.data.memory import MemoryShard
from mpi_pgd.data.partition import Partition
from mpi_pgd.engine.query import Query
from mpi_pgd.engine.tasks import GradientTask
from mpi_pgd.losses.squared import Squared

ROWS, FEATURES = 700, 30
DRAW = np.random.default_rng(6)
X = DRAW.integers(1, 100, (ROWS, FEATURES)) * (DRAW.random((ROWS, FEATURES)) < 0.1)
X[5:80] = 0  # whole blocks of nothing
PLACE = "row {}, column {}".format(*np.argwhere(X)[9])
QUERY = Query([GradientTask(Squared(), FEATURES, 64)])


def parts(x: np.ndarray = X) -> dict[str, Any]:
    rows, columns = np.nonzero(x)
    starts = np.concatenate([[0], np.cumsum(np.count_nonzero(x, axis=1))])
    return {"data": x[rows, columns].astype("f8"), "indices": columns.astype("i4"), "indptr": starts, "shape": x.shape}


def written(path: Path, given: dict[str, Any], attributes: dict[str, Any] | None = None, **how: Any) -> str:
    with h5py.File(path, "w") as file:
        group = file.create_group("m/X")
        for name, numbers in given.items():
            if name == "shape":
                group.attrs["shape"] = numbers
            elif name == "shape set":
                group["shape"] = numbers
            else:
                group.create_dataset(name, data=numbers, **how)
        group.attrs.update(attributes or {})
        file["y"] = np.arange(float(ROWS))
        file["w"] = np.arange(ROWS) % 3
        file["feature_names"] = [f"f{number}" for number in range(FEATURES)]
    return str(path)


def shard(path: str, *more: str, rows: int = ROWS) -> MemoryShard:
    table = hdf5.inspect([path, *more], "m/X", "y", "w")
    return MemoryShard(table, Partition(table.rows, table.features, table.density))


def dense(of: MemoryShard) -> np.ndarray:
    """What it yields."""
    found = []
    for block in of.blocks(QUERY):
        found.append(np.empty((block.rows, FEATURES)))
        block.scaled(np.ones(FEATURES), slice(0, block.rows), found[-1])
    return np.concatenate(found)


def turned(path: Path, given: dict[str, Any]) -> str:
    return written(path, given | {"shape set": given.pop("shape")[::-1]})


def unordered(path: Path, given: dict[str, Any]) -> str:
    for start, stop in zip(given["indptr"], given["indptr"][1:], strict=False):
        for name in ("data", "indices"):
            given[name][start:stop] = given[name][start:stop][::-1].copy()
    return written(path, given)


LAYOUTS: dict[str, Callable[[Path, dict[str, Any]], str]] = {
    "contiguous": written,
    "chunked": lambda path, given: written(path, given, chunks=(100,), compression="gzip", shuffle=True),
    "by HDF5": lambda path, given: written(path, given, chunks=(100,), fletcher32=True),
    "features first": turned,
    "unordered": unordered,
    "bytes": lambda path, given: written(
        path, given | {"data": given["data"].astype("u1"), "indices": given["indices"].astype(">u8")}
    ),
    "halves": lambda path, given: written(path, given | {"data": given["data"].astype("f2")}, {"encoding-type": "csr_matrix"}),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("room", [np.inf, 2000, 0])
def test_rows_are_those_of_the_dense_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str, room: float) -> None:
    """In memory, some of them, and all from the file."""
    monkeypatch.setattr(stream, "SLAB_BYTES", 10_000)
    found = shard(LAYOUTS[layout](tmp_path / "rows.h5", parts()))
    assert (found.table.rows, found.table.features, found.table.names[3]) == (ROWS, FEATURES, "f3")
    assert found.partition.block_rows == 64
    found.hold(np.arange(4, 11), room)
    np.testing.assert_array_equal(dense(found), X[256:])
    np.testing.assert_array_equal(dense(found), X[256:])
    found.hold(np.arange(11), room)
    order = np.concatenate([block.y for block in found.blocks(QUERY)]).astype(int)
    np.testing.assert_array_equal(np.sort(order), np.arange(ROWS))
    np.testing.assert_array_equal(dense(found), X[order])
    np.testing.assert_array_equal(found.peaks[:FEATURES], X.max(axis=0))


def test_files_are_one_table_and_columns_are_matched_by_their_names(tmp_path: Path) -> None:
    first, second = written(tmp_path / "a.h5", parts()), written(tmp_path / "b.h5", parts(X[:, ::-1]))
    with h5py.File(second, "r+") as file:
        file["feature_names"][...] = file["feature_names"][()][::-1]
    found = shard(first, second)
    found.hold(np.arange(found.partition.blocks))
    np.testing.assert_array_equal(dense(found), np.concatenate([X, X]))
    with h5py.File(second, "r+") as file:
        del file["m/X"]
        file["m/X"] = X
    with pytest.raises(InputError, match="has sparse rows and the other one dense ones"):
        shard(first, second)


BAD: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "an index beyond": (lambda given: given["indices"].__setitem__(3, FEATURES), "has a number in column 30 of 30"),
    "an index below": (lambda given: given["indices"].__setitem__(3, -1), "has a number in column -1 of 30"),
    "an index twice": (
        lambda given: given["indices"].__setitem__(1, given["indices"][0]),
        "row 0 of m/X has two numbers in column",
    ),
    "a start too low": (lambda given: given["indptr"].__setitem__(300, 2), "m/X/indptr in .* is not sorted at row 299"),
    "a start too high": (lambda given: given["indptr"].__setitem__(300, 10**6), "m/X/indptr in .* is not sorted at row 299"),
    "a start below 0": (lambda given: given["indptr"].__setitem__(300, -5), "m/X/indptr in .* is not sorted at row 299"),
    "another end": (lambda given: given["indptr"].__setitem__(-1, 7), "begins at 0 and ends at 7: expected 0 and"),
    "another begin": (lambda given: given["indptr"].__setitem__(0, 1), "begins at 1 and ends at"),
    "no starts": (lambda given: given.update(indptr=np.zeros(0, int)), "m/X/indptr in .* is empty"),
    "no number": (lambda given: given["data"].__setitem__(9, np.nan), f"{PLACE} of m/X is nan"),
    "no finite one": (lambda given: given["data"].__setitem__(9, -np.inf), f"{PLACE} of m/X is -inf"),
    "fewer numbers": (lambda given: given.update(data=given["data"][:-1]), "numbers in data and .* in indices"),
    "another shape": (
        lambda given: given.update(shape=(ROWS + 1, FEATURES)),
        r"has the shape \(701, 30\) and 701 numbers in indptr",
    ),
    "no shape": (lambda given: given.pop("shape"), "m/X in .* has no shape"),
    "no features": (lambda given: given.update(shape=(ROWS, 0)), "has 0 features"),
    "three of them": (lambda given: given.update(shape=(ROWS, 3, 10)), r"the shape \(700, 3, 10\)"),
    "two dimensions": (lambda given: given.update(data=given["data"][:, None]), "m/X/data in .* expected one dimension"),
    "fractions": (lambda given: given.update(indices=given["indices"] / 2), "m/X/indices in .* holds float64: expected whole"),
    "by columns": (lambda given: given.update(parts(X.T)) or given.update(shape=X.shape), r"is stored by columns \(csc_matrix\)"),
    "by rows, but called by columns": (
        lambda given: None,
        r"has the shape \(700, 30\) and 701 numbers in indptr: expected one more than columns, as .* \(csc_matrix\)",
    ),
    "a part missing": (lambda given: given.pop("indptr"), "of which a part is missing: expected data, indices and indptr"),
    "texts": (lambda given: given.update(data=given["data"].astype("S")), "m/X/data in .* holds strings"),
}


@pytest.mark.parametrize("how", [{}, {"chunks": (30,), "compression": "gzip"}])
@pytest.mark.parametrize("bad", BAD)
def test_what_are_no_sparse_rows_is_refused_in_a_sentence(tmp_path: Path, bad: str, how: dict[str, Any]) -> None:
    given = parts()
    harm, words = BAD[bad]
    harm(given)
    how = {} if bad in ("two dimensions", "no starts") else how
    path = written(tmp_path / "rows.h5", given, {"encoding-type": "csc_matrix" if "by columns" in bad else "csr_matrix"}, **how)
    with pytest.raises(InputError, match=words) as caught:
        shard(path).hold(np.arange(11))
    assert "\n" not in str(caught.value)


def test_targets_have_to_be_as_many(tmp_path: Path) -> None:
    path = written(tmp_path / "rows.h5", parts())
    with h5py.File(path, "r+") as file:
        del file["y"]
        file["y"] = np.zeros(ROWS - 1)
    with pytest.raises(InputError, match=r"y in .* has shape \(699,\): expected \(700,\), a target for each row of m/X"):
        shard(path)


def test_numbers_may_be_kept_in_another_type(tmp_path: Path) -> None:
    table = hdf5.inspect([written(tmp_path / "a.h5", parts(X / 7))], "m/X", "y")
    held = MemoryShard(kept := table.stored("float32"), partition := Partition(ROWS, FEATURES, table.density))
    held.hold(np.arange(partition.blocks))
    assert np.array_equal(dense(held), (X / 7).astype("f4"))
    assert kept.lossy
    assert kept.bytes(ROWS) < table.bytes(ROWS)
    with pytest.raises(InputError, match="--store bfloat16 is of dense rows, and those of m/X are sparse: expected float32"):
        table.stored("bfloat16")
