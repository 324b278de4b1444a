"""Rows kept in another type than that of their files: the same bits as of a file that has such numbers, whoever computes them."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from mpi4py import MPI

from mpi_pgd import InputError, fit
from mpi_pgd.data import hdf5
from mpi_pgd.data.memory import MemoryShard
from mpi_pgd.data.partition import Partition
from mpi_pgd.engine.arrays import Rows
from mpi_pgd.engine.narrow import narrowed, type_of, widened
from tests.thorough import thorough

ROWS, FEATURES = 1500, 5
KINDS = ("f8", "f2", "i1", "u2", "?")
LAYOUTS: dict[str, dict[str, Any]] = {
    "contiguous": {},
    "chunks": {"chunks": (100, FEATURES)},
    "lzf": {"chunks": (100, 2), "compression": "lzf"},
    "big-endian": {"dtype": ">f8"},
    "packed": {"dtype": "i4"},
}
ASKED: dict[str, Any] = {"solver": "nesterov", "rounds": 12, "tol": 0.0, "quiet": True}


def values(kind: str = "f8") -> Rows:
    x = np.random.default_rng(5).standard_normal((ROWS, FEATURES)) * 30
    return (np.abs(x) if kind == "u2" else x > 0 if kind == "?" else x).astype(kind)


def write(path: Path, x: Rows, **how: Any) -> str:
    with h5py.File(path, "w") as file:
        file.create_dataset("X", data=x, **how)
        file["y"] = np.sin(np.arange(len(x)))
    return str(path)


def as_stored(x: Rows, store: str) -> Rows:
    """As float64."""
    return x.astype("f8") if store == "as-is" else widened(narrowed(x, type_of(store))).astype("f8")


@pytest.mark.ranks(3, others=())
@pytest.mark.parametrize(
    ("kind", "store"),
    [("f8", "float32"), ("f8", "bfloat16"), *(thorough(kind, "as-is") for kind in KINDS[1:]), ("i1", "float64")],
)
def test_the_law(comm: MPI.Intracomm, folder: Path, kind: str, store: str) -> None:
    """In every place and mode the bits of a file of float64 numbers that are the stored ones."""
    if comm.rank == 0:
        write(folder / "stored.h5", values(kind))
        write(folder / "wide.h5", as_stored(values(kind), store))
    comm.Barrier()
    for solver in ("nesterov", "newton", "sgd")[: 3 if store == "bfloat16" else 1]:
        asked = ASKED | {"solver": solver}
        expected = fit(str(folder / "wide.h5"), comm=comm, **asked).record["weights_sha256"]
        for more in ({"mode": "client-server"}, {"mode": "peer-to-peer", "cache": "none"}, {"share_rows": True}):
            record = fit(str(folder / "stored.h5"), comm=comm, store=store, **asked, **more).record
            assert (record["weights_sha256"], record["config"]["store"]) == (expected, store)
        alone = fit(str(folder / "stored.h5"), comm=MPI.COMM_SELF, store=store, **asked, mode="peer-to-peer")
        assert alone.record["weights_sha256"] == expected


@pytest.mark.parametrize("store", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_layout_of_a_file_changes_no_bit(tmp_path: Path, layout: str, store: str) -> None:
    x = values() * 1e6 if layout == "packed" else values()
    path = write(tmp_path / "rows.h5", x, **LAYOUTS[layout])
    expected = x
    if layout == "packed":
        expected = x.astype("i4").astype("f8") * 0.1
        with h5py.File(path, "r+") as file:
            file["X"].attrs["scale_factor"] = 0.1
    table = hdf5.inspect([path], "X", "y").stored(store)
    shard = MemoryShard(table, partition := Partition(table.rows, table.features))
    shard.hold(np.arange(partition.blocks))
    held = np.concatenate([np.array(widened(block.x)) for block in shard.stored(shard.held)])
    assert np.array_equal(held, as_stored(expected, store))
    assert shard.taken == table.bytes(ROWS) == ROWS * (FEATURES * type_of(store).itemsize + 8)
    assert np.array_equal(shard.peaks[:FEATURES], np.abs(held.astype("f8")).max(axis=0))


@pytest.mark.parametrize(("store", "number"), [("float32", 1e39), ("bfloat16", 3.4e38)])
def test_what_is_too_large_is_named(tmp_path: Path, store: str, number: float) -> None:
    x = values()
    x[70, 3] = -number
    table, partition = hdf5.inspect([write(tmp_path / "rows.h5", x)], "X", "y"), Partition(ROWS, FEATURES)
    why = f"row 70, column 3 of X, as --store {store} has it, is -inf: every value must be a finite number"
    with np.errstate(over="ignore"), pytest.raises(InputError, match=why):
        MemoryShard(table.stored(store), partition).hold(np.arange(2))
    MemoryShard(table, partition).hold(np.arange(2))


@pytest.mark.ranks(1, others=())
def test_a_checkpoint_of_other_numbers_is_refused(comm: MPI.Intracomm, folder: Path) -> None:
    path, checkpoint = write(folder / "rows.h5", values()), str(folder / "state")
    whole = fit(path, store="bfloat16", comm=comm, **ASKED)
    fit(path, store="bfloat16", comm=comm, **ASKED | {"rounds": 5}, checkpoint=checkpoint)
    assert fit(path, resume=checkpoint, rounds=12, comm=comm).record["weights_sha256"] == whole.record["weights_sha256"]
    with pytest.raises(InputError, match="store is float32, the checkpoint has bfloat16"):
        fit(path, resume=checkpoint, store="float32", comm=comm)


@pytest.mark.ranks(1, others=())
@pytest.mark.parametrize("kind", ["f8", "f4"])
def test_a_resume_may_widen_rows(comm: MPI.Intracomm, folder: Path, kind: str) -> None:
    """No bit depends on it."""
    path, checkpoint = write(folder / "rows.h5", values(kind)), str(folder / "state")
    whole = fit(path, comm=comm, **ASKED).record["weights_sha256"]
    for stores in (("float64", "as-is"), ("as-is", "float64")):
        fit(path, store=stores[0], comm=comm, **ASKED | {"rounds": 5}, checkpoint=checkpoint, force=True)
        assert fit(path, resume=checkpoint, store=stores[1], rounds=12, comm=comm).record["weights_sha256"] == whole
