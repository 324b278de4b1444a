"""Columns that explain each other are told by name, once, with what is left of the weights; the same on any number of ranks."""

import logging
from pathlib import Path

import h5py
import numpy as np
import pytest
from mpi4py import MPI

from mpi_pgd import fit

DRAW = np.random.default_rng(3)
X = DRAW.normal(size=(500, 4))
Y = X @ [1.0, 2.0, 3.0, 4.0] + DRAW.normal(size=500)
NEARLY = X[:, 1] + 1e-9 * DRAW.normal(size=500)


@pytest.mark.ranks(1, 3, others=())
def test_collinear_columns_are_told(comm: MPI.Intracomm, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    if comm.rank == 0:
        for name, more in (("sound", X[:, 0] * X[:, 1]), ("twin", X[:, 1] * 2), ("near", NEARLY)):
            with h5py.File(folder / f"{name}.h5", "w") as file:
                file["X"], file["y"] = np.column_stack([X, more]), Y
                file["feature_names"] = np.array([*"abcde"], h5py.string_dtype())
    comm.Barrier()
    told = {
        "sound": "",
        "twin": "columns b and e are collinear: the weights are not unique, only the fit is; drop one or add --l2",
        "near": "columns b and e are nearly collinear",
    }
    for name, words in told.items():
        with caplog.at_level(logging.WARNING, "mpi_pgd"):
            caplog.clear()
            record = fit(folder / f"{name}.h5", comm=comm, quiet=True).record
        found = record["diagnosis"]
        assert (found["columns"], found["unique"]) == ([] if name == "sound" else [1, 4], name != "twin")
        assert found["caution"].startswith(words)
        assert (found["caution"] == "") == (name == "sound")
        assert [line.getMessage() for line in caplog.records] == [found["caution"]] * (comm.rank == 0 and bool(words))
        assert record["certificate"]["kind"] == "solved"
        assert found["digits"] < 5 if words else found["digits"] > 12
        assert found["reached"] > 14
    assert fit(folder / "twin.h5", comm=comm, quiet=True, solver="nesterov", rounds=5).record["diagnosis"] is None
    stopped = fit(folder / "twin.h5", comm=comm, quiet=True, rounds=1).record
    assert (stopped["diagnosis"], stopped["certificate"]["kind"]) == (None, "gradient norm")
