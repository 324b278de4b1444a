"""Fits of sparse rows: the answer of the same dense ones, and one fingerprint whoever computes it, wherever the rows are."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from mpi4py import MPI

from mpi_pgd import InputError, fit, mapreduce
from mpi_pgd.data import stream
from mpi_pgd.modes import ALGORITHMS

ROWS, FEATURES = 2500, 23  # 40 blocks
MODES = tuple(ALGORITHMS)


@pytest.fixture
def data(comm: MPI.Intracomm, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(stream, "SLAB_BYTES", 1 << 14)
    if comm.rank == 0:
        draw = np.random.default_rng(4)
        x = np.round(4 * draw.standard_normal((ROWS, FEATURES))) * (draw.random((ROWS, FEATURES)) < 0.2)
        x[:, 3] = 30 + draw.standard_normal(ROWS)
        eta = x @ draw.normal(size=FEATURES) / 4 - x[:, 3] / 10
        rows, columns = np.nonzero(x)
        with h5py.File(folder / "rows.h5", "w") as file:
            group = file.create_group("X")
            group["data"], group["indices"], group.attrs["shape"] = x[rows, columns].astype("f4"), columns, x.shape
            group["indptr"] = np.searchsorted(rows, np.arange(ROWS + 1))
            file["D"], file["y"], file["k"] = x.astype("f4"), eta + draw.standard_normal(ROWS), draw.integers(0, 3, ROWS)
            file["b"], file["c"] = (eta + draw.logistic(size=ROWS) > 0) * 1.0, draw.poisson(np.exp(np.clip(eta, -5, 3)))
            file["w"], file["o"] = draw.integers(0, 3, ROWS), draw.standard_normal(ROWS) / 4
        (folder / "own.py").write_text("def sums(X, y):\n    return X.T @ y\n")
    comm.Barrier()
    return str(folder / "rows.h5")


BOTH = {"weights": "w", "offset": "o"}
ASKED: dict[str, dict[str, Any]] = {
    "closed form": {"y": "y"},
    "closed form, weighted": {"y": "y", "l2": 0.1, **BOTH},
    "working set": {"y": "y", "l1": 0.03, "loss": "huber", **BOTH},
    "newton": {"y": "b", "loss": "logistic", "solver": "newton", **BOTH},
    "sampled": {"y": "c", "loss": "poisson", **BOTH},
    "gradients": {"y": "c", "loss": "negative-binomial", "solver": "nesterov", "rounds": 300},
    "outputs": {"y": "k", "loss": "softmax", "l2": 0.01},
    "batches": {"y": "b", "loss": "squared-hinge", "l2": 0.1, "solver": "sgd", "rounds": 40},
}


@pytest.mark.ranks(1, others=(3,))
@pytest.mark.parametrize("asked", ASKED)
def test_fits_are_those_of_dense_rows(comm: MPI.Intracomm, data: str, asked: str) -> None:
    few, dense = (fit(data, x=x, comm=comm, quiet=True, **ASKED[asked]) for x in ("X", "D"))
    assert few.record["status"] == dense.record["status"]
    np.testing.assert_allclose(few.coef, dense.coef, rtol=1e-9, atol=1e-9)
    intercepts = np.array([few.intercept, dense.intercept])
    if intercepts.ndim > 1:  # what all have in common changes no loss
        intercepts -= intercepts.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(*intercepts, rtol=1e-9, atol=1e-9)


@pytest.mark.ranks(4, others=())
def test_one_fingerprint(comm: MPI.Intracomm, data: str) -> None:
    """In each mode, in memory or streaming, once a node, with blocks that move."""
    asked: dict[str, Any] = {"y": "b", "loss": "logistic", "solver": "lbfgs", "comm": comm, "quiet": True}
    alone = fit(data, **asked | {"comm": MPI.COMM_SELF}).record["weights_sha256"]
    ways: list[dict[str, Any]] = [{"mode": mode} for mode in MODES]
    ways += [{"cache": "none"}, {"memory": "10K"}, {"share_rows": True, "replicas": 2}, {"balance": True, "delay": "1:3"}]
    for way in ways:
        assert fit(data, **asked, **way).record["weights_sha256"] == alone, way


@pytest.mark.ranks(2, others=())
def test_functions_of_users_take_dense_rows(comm: MPI.Intracomm, data: str, folder: Path) -> None:
    with pytest.raises(InputError, match="X has sparse rows, and functions of your own take dense ones"):
        mapreduce(data, f"{folder / 'own.py'}:sums", comm=comm, y="b")
