"""A fit judged in its end: by what ``evaluate`` says of the same rows, to the bit; and what it can't be judged on."""

import json
import logging
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from mpi4py import MPI

from mpi_pgd import InputError, fit
from tests.commands import command

ROWS, FEATURES = 1000, 4
NAMES = tuple(f"f{place}" for place in range(FEATURES))


@pytest.fixture
def data(comm: MPI.Intracomm, folder: Path) -> Path:
    if comm.rank == 0:
        draw = np.random.default_rng(2)
        for name, order in (("fit", [0, 1, 2, 3]), ("new", [2, 0, 3, 1]), ("third", [0, 1, 2, 3])):
            x = draw.standard_normal((ROWS, FEATURES))
            y = (draw.logistic(size=ROWS) < x @ np.arange(4.0)) + (name == "third") * 1.0
            with h5py.File(folder / f"{name}.h5", "w") as file:
                file["X"], file["y"], file["w"] = x[:, order], y, draw.random(ROWS)
                file["feature_names"] = np.array([NAMES[place] for place in order], dtype=h5py.string_dtype())
        with h5py.File(folder / "other.h5", "w") as file:
            file["X"], file["y"], file["w"] = np.ones((9, 3)), np.ones(9), np.ones(9)
    comm.Barrier()
    return folder


@pytest.mark.ranks(1, 3, others=(3,))
@pytest.mark.parametrize("mode", ["client-server", "peer-to-peer"])
def test_it_is_what_evaluate_says(comm: MPI.Intracomm, data: Path, mode: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Also for rows whose columns are in another order; and the weights are those of a fit that nobody judges."""
    chosen: dict[str, Any] = {"comm": comm, "loss": "logistic", "weights": "w", "l2": 0.01, "mode": mode}
    plain = fit(data / "fit.h5", **chosen)
    judged = fit(data / "fit.h5", validate=str(data / "new.h5"), out=str(data / "m"), **chosen)
    own, other = judged.record["evaluations"]
    assert plain.record["evaluations"] == []
    assert plain.record["weights_sha256"] == judged.record["weights_sha256"]
    for name, mine in (("fit", own), ("new", other)):
        capfd.readouterr()
        assert command(comm, "evaluate", data / "m", data / f"{name}.h5", "--json") == 0
        text = capfd.readouterr().out
        if comm.rank == 0:
            found = json.loads(text)["rows"][0]
            if name == "fit":  # of which no area is ranked
                found["metrics"]["auc"] = None
                for one in found["classes"]:
                    one["auc"] = None
            assert {**found, "name": ""} == {**json.loads(json.dumps(mine)), "name": ""}
    assert own["metrics"]["objective"] == pytest.approx(judged.record["objective"], rel=1e-12)


@pytest.mark.ranks(3, others=())
def test_who_is_not_judged(comm: MPI.Intracomm, data: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody on rows of other features, which is said before the first round; nor on other targets, which is a warning."""
    chosen: dict[str, Any] = {"comm": comm, "loss": "logistic", "l2": 0.01, "out": str(data / "m")}
    with pytest.raises(InputError, match=r"other\.h5 has 3 features, and the fit is of 4: expected the same"):
        fit(data / "fit.h5", validate=f"{data / 'new.h5'}, {data / 'other.h5'}", **chosen)
    with caplog.at_level(logging.WARNING, "mpi_pgd"):
        found = fit(data / "fit.h5", validate=str(data / "third.h5"), evaluate=False, **chosen)
    assert (found.record["status"], found.record["evaluations"]) == ("converged", [])
    if comm.rank == 0:
        assert "third.h5 could not be evaluated: the rows have the class 2, and the model knows 0 and 1" in caplog.text
    assert fit(data / "fit.h5", cache="none", force=True, **chosen).record["evaluations"] == []
