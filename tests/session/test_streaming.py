"""Rows that fit no memory: the same bits as in memory, whatever is asked of them; and a file that can't be read any more."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from mpi4py import MPI

from mpi_pgd import InputError, fit, mapreduce
from mpi_pgd.data import stream
from mpi_pgd.data.table import Table
from tests.thorough import plainly, thorough

ROWS, FEATURES = 3000, 4  # 47 blocks of 64 rows

MODEL = """
import numpy as np

def linear(w, X, y):
    away = X.dot(w) - y
    return 0.5 * float(away @ away), X.T.dot(away)

def linear_init(features, targets):
    return np.zeros(features)

def sums(X, y):
    return X.T @ y
"""


@pytest.fixture
def data(comm: MPI.Intracomm, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Compressed chunks that end where no block does, and slabs of three blocks."""
    monkeypatch.setattr(stream, "SLAB_BYTES", 64 * 4 * FEATURES * 3)
    if comm.rank == 0:
        draw = np.random.default_rng(4)
        x = draw.standard_normal((ROWS, FEATURES)).astype("f4")
        y = x @ np.array([1.0, 2.0, 0.0, -1.0]) + draw.standard_normal(ROWS)
        with h5py.File(folder / "rows.h5", "w") as file:
            file.create_dataset("X", data=x, chunks=(100, FEATURES), compression="gzip")
            file["y"], file["two"], file["w"] = y, np.where(y > 0.5, 3.0, 1.0) - 2.0, draw.integers(0, 4, ROWS)
        (folder / "own.py").write_text(MODEL)
    comm.Barrier()
    return str(folder / "rows.h5")


LOGISTIC = {"loss": "logistic", "y": "two"}
ASKED: dict[str, dict[str, Any]] = {
    "closed form": {},
    "panels": {**LOGISTIC, "solver": "newton", "class_weight": "balanced", "weights": "w"},
    "gradients": {**LOGISTIC, "solver": "nesterov", "rounds": 20, "mode": "client-server"},
    "batches": {**LOGISTIC, "solver": "sgd", "rounds": 30},
    "columns": {"loss": "huber", "l1": 0.01},
    "copies": {"mode": "client-server", "replicas": 2, "solver": "lbfgs", "loss": "poisson", "y": "w"},
    "moves": {"solver": "gd", "rounds": 30, "tol": 0.0, "balance": True, "delay": "1:3"},
}


@pytest.mark.ranks(3, others=())
@pytest.mark.parametrize("asked", plainly(["panels", "batches", "columns"], ASKED))
def test_what_streams_gives_the_same_bits(comm: MPI.Intracomm, data: str, asked: str) -> None:
    """Some of it in memory, where there is room beside what reading takes, and nothing."""
    whole = fit(data, comm=comm, quiet=True, cache="memory", **ASKED[asked])
    kept = whole.record["rows_kept"]
    assert kept["streamed_bytes"] == 0
    most = max(memory for _, memory, _ in kept["ranks"]) - 1
    for memory, cache in ((f"{most / 1024}K", "auto"), ("auto", "none")):
        found = fit(data, comm=comm, quiet=True, memory=memory, cache=cache, **ASKED[asked])
        assert found.record["weights_sha256"] == whole.record["weights_sha256"]
        assert found.record["rounds"] == whole.record["rounds"]
        where = found.record["rows_kept"]
        assert where["streamed_bytes"] > 0
        assert (where["memory_bytes"] > 0) == (cache == "auto")


@pytest.mark.ranks(2, others=())
def test_users_functions_see_rows_that_stream(comm: MPI.Intracomm, data: str, folder: Path) -> None:
    own, none = f"{folder / 'own.py'}:linear", {"comm": comm, "cache": "none"}
    first, second = (fit(data, model=own, rounds=20, quiet=True, **more) for more in ({"comm": comm}, none))
    assert first.record["weights_sha256"] == second.record["weights_sha256"]
    for reduce in ("sum", "collect"):
        first, second = (mapreduce(data, f"{folder / 'own.py'}:sums", reduce, **more) for more in ({"comm": comm}, none))
        np.testing.assert_array_equal(first, second)


@pytest.mark.ranks(1, 3, others=())
def test_what_does_not_fit_is_refused_where_it_may_not_stream(comm: MPI.Intracomm, data: str) -> None:
    with pytest.raises(InputError, match=r"the rows need .* of memory on a rank, where --memory gives 9\.76e-06 GiB"):
        fit(data, comm=comm, memory="10.24K", cache="memory")


def touched(path: str) -> None:
    os.utime(path, (1, 1))


def cut(path: str) -> None:
    os.truncate(path, 3000)


@pytest.mark.ranks(3, others=())
@pytest.mark.parametrize(("harm", "mode"), [(touched, "peer-to-peer"), thorough(cut, "client-server")])
def test_a_file_that_can_not_be_read_any_more_ends_all_ranks(
    comm: MPI.Intracomm, data: str, folder: Path, monkeypatch: pytest.MonkeyPatch, harm: Callable[[str], None], mode: str
) -> None:
    """With one sentence, in the middle of a round; once it is mended, the fit goes on to the same bits."""
    options: dict[str, Any] = {"comm": comm, "quiet": True, "mode": mode, "solver": "gd", "tol": 0.0, "cache": "none"}
    alone = fit(data, **options | {"rounds": 20})
    comm.Barrier()
    content, stamp = Path(data).read_bytes(), Path(data).stat()
    comm.Barrier()
    read, count = Table.read, 0

    def harmed(table: Table, *args: Any) -> None:
        nonlocal count
        count += 1
        if count == 200 and comm.rank == comm.size - 1:
            harm(data)
        read(table, *args)

    with monkeypatch.context() as patch:
        patch.setattr(Table, "read", harmed)
        with pytest.raises(InputError, match=r"rows\.h5") as caught:
            fit(data, **options | {"rounds": 100_000, "checkpoint": str(folder / "fit.ckpt")})
    assert comm.allgather(str(caught.value)) == [str(caught.value)] * comm.size
    if comm.rank == 0:
        Path(data).write_bytes(content)
        os.utime(data, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    comm.Barrier()
    found = fit(resume=str(folder / "fit.ckpt"), **options | {"rounds": 20})
    assert found.record["weights_sha256"] == alone.record["weights_sha256"]
