"""Whole fits: the same weights with each instruction set."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from mpi4py import MPI

from mpi_pgd import fit
from mpi_pgd.kernel import NAME, NUMPY

if NAME == NUMPY:
    pytest.skip("no compiled kernel here", allow_module_level=True)
from mpi_pgd.kernel import native

pytestmark = pytest.mark.ranks(2, others=())

ROWS, FEATURES = 600, 13


@pytest.mark.parametrize(
    "options",
    [
        {"loss": "squared"},
        {"loss": "logistic", "solver": "newton"},
        {"loss": "logistic", "solver": "lbfgs"},
        {"loss": "logistic", "l1": 0.01},
        {"loss": "softmax", "l2": 0.01},
    ],
    ids=lambda options: "-".join(map(str, options.values())),
)
def test_weights(comm: MPI.Intracomm, folder: Path, options: dict[str, object]) -> None:
    draw = np.random.default_rng(3)
    x = draw.normal(size=(ROWS, FEATURES)) @ draw.normal(size=(FEATURES, FEATURES))
    if comm.rank == 0:
        with h5py.File(folder / "rows.h5", "w") as file:
            file["X"], file["y"] = x, np.floor(np.clip(x[:, 0] + 2 * draw.normal(size=ROWS), 0, 1.9))
    comm.Barrier()
    found = {}
    try:
        for name in native.names():
            native.use(name)
            found[name] = fit(folder / "rows.h5", comm=comm, tol=1e-9, **options)
    finally:
        native.use(native.names()[0])
    assert all(one.status == "converged" for one in found.values())
    assert len({one.record["weights_sha256"] for one in found.values()}) == 1, found
