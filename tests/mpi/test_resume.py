"""``fit`` from Python with checkpoints, on any number of ranks."""

import json
import logging
from pathlib import Path

import h5py
import numpy as np
import pytest
from mpi4py import MPI

from mpi_pgd import InputError, fit
from mpi_pgd.data.make import make
from mpi_pgd.drivers.fit import History
from mpi_pgd.observers.snapshot import RankState
from mpi_pgd.recovery.checkpoint import read
from mpi_pgd.recovery.resume import About, Writer
from tests.thorough import thorough

MODES = ("client-server", "peer-to-peer")


@pytest.fixture
def data(comm: MPI.Intracomm, folder: Path) -> str:
    path = folder / "rows.h5"
    if comm.rank == 0:
        make(path, 3000, 5, condition=30.0, noise=0.0, seed=3)
    comm.Barrier()
    return str(path)


@pytest.mark.parametrize(("solver", "turn"), [thorough("gd", 0), ("momentum", 1), ("nesterov", 2)])
def test_a_fit_goes_on_where_another_ended(comm: MPI.Intracomm, data: str, solver: str, turn: int) -> None:
    """From one mode to the other."""
    path, mode = str(Path(data).with_name("fit.ckpt")), MODES[(turn + comm.size // 2) % 2]
    whole = fit(data, rounds=70, tol=0.0, mode=mode, solver=solver, comm=comm)
    first = fit(data, rounds=30, tol=0.0, mode=mode, solver=solver, checkpoint=path, comm=comm)
    assert first.record["rounds"] == 30
    comm.Barrier()
    assert read(path).rounds == 30
    comm.Barrier()
    second = fit(resume=path, rounds=70, mode=MODES[mode == MODES[0]], comm=comm)
    assert second.status == "rounds exhausted"
    assert second.coef.tobytes() == whole.coef.tobytes()
    assert second.intercept == whole.intercept
    assert second.history["objective"] == whole.history["objective"]
    assert second.history["gradient_norm"] == whole.history["gradient_norm"]
    assert second.history["seconds"][:29] == first.history["seconds"][:29]  # the last evaluation is made again
    assert (np.diff(second.history["seconds"]) >= 0).all()
    assert second.record["config"]["data"] == [data]
    comm.Barrier()
    assert read(path).rounds == 70


def test_columns_that_changed_places_are_seen(comm: MPI.Intracomm, folder: Path) -> None:
    """With the same means, variances, and gradient's norm, whatever the order: all sums are of small whole numbers."""
    one, other, path = (str(folder / name) for name in ("one.h5", "other.h5", "fit.ckpt"))
    if comm.rank == 0:
        x = np.repeat([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]], 256, axis=0)
        for name, features in ((one, x), (other, x[:, ::-1])):
            with h5py.File(name, "w") as file:
                file["X"], file["y"] = features, 2 * x[:, 0] + x[:, 1]
    comm.Barrier()
    fit(one, rounds=1, step=0.125, tol=0.0, checkpoint=path, comm=comm)
    with pytest.raises(InputError, match="the checkpoint is of other rows"):
        fit(other, rounds=3, resume=path, comm=comm)
    assert fit(one, rounds=3, resume=path, comm=comm).record["rounds"] == 3


def test_every_rank_hears_that_it_can_not_be_resumed(comm: MPI.Intracomm, data: str) -> None:
    path = str(Path(data).with_name("fit.ckpt"))
    fit(data, rounds=5, tol=0.0, checkpoint=path, comm=comm)
    with pytest.raises(InputError, match=r"--l2 is 2, the checkpoint has 0"):
        fit(data, rounds=9, resume=path, l2=2.0, comm=comm)
    with pytest.raises(InputError, match="can't be read"):
        fit(data, resume=path + ".gone", comm=comm)
    with pytest.raises(InputError, match="would overwrite"):
        fit(data, checkpoint=data, comm=comm)
    # And nobody is left waiting:
    assert fit(data, rounds=9, resume=path, tol=0.0, comm=comm).record["rounds"] == 9


def broken(*_: object) -> str:
    raise ZeroDivisionError("injected")


@pytest.mark.ranks(2, others=())
@pytest.mark.parametrize(("before", "after"), [(0.0, 1e-9), (1e-9, 0.0)])
def test_a_fit_goes_on_by_its_solver_whatever_the_tolerance(comm: MPI.Intracomm, data: str, before: float, after: float) -> None:
    """A solver that is chosen may depend on it."""
    path = str(Path(data).with_name("tol.ckpt"))
    fits = [fit(data, rounds=1, tol=before, checkpoint=path, comm=comm)]
    fits += [fit(resume=path, rounds=rounds, tol=after, comm=comm) for rounds in (2, 3)]
    assert len({found.record["solver"] for found in fits}) == 1
    assert fits[-1].record["rounds"] == 3


@pytest.mark.ranks(1, others=())
@pytest.mark.parametrize(
    "failing", ["mpi_pgd.session.record.digest", "mpi_pgd.report.bundle.write", "mpi_pgd.session.job.Job.ready"]
)
def test_what_fails_at_the_end_costs_no_rounds(
    comm: MPI.Intracomm,
    data: str,
    failing: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path, out = tmp_path / "fit.ckpt", str(tmp_path / "out")
    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.INFO, "mpi_pgd")
    whole = fit(data, rounds=9, tol=0.0, comm=comm)
    fit(data, rounds=3, tol=0.0, comm=comm, checkpoint=str(path))
    monkeypatch.setattr(failing, broken)
    with pytest.raises(ZeroDivisionError):
        fit(resume=str(path), rounds=9, comm=comm, out=out, every="3000s", quiet=False)
    reached = 3 if failing.endswith("ready") else 9
    assert read(path).rounds == reached
    assert (f"the checkpoint {path} has round 9; go on with --resume {path}" in caplog.text) == (reached == 9)
    with pytest.raises(ZeroDivisionError):
        fit(data, rounds=9, tol=0.0, comm=comm, out=out)
    files = list(tmp_path.glob("mpi_pgd-fit-*.json"))
    assert len(files) == (reached == 9)
    for file in files:
        assert json.loads(file.read_text())["coef"] == whole.coef.tolist()
        assert f"they are in {file}" in caplog.text


@pytest.mark.ranks(1, others=())
def test_a_signal_before_the_first_snapshot_saves_that_nothing_was_done(comm: MPI.Intracomm, tmp_path: Path) -> None:
    """The watcher's thread may write at any time after the setup is known."""
    held = RankState(History(0.0))
    held.prepared(np.ones(13))
    writer = Writer(str(tmp_path / "fit.ckpt"), held, {}, dict, lambda: None, lambda _: None)
    assert writer() == "there is no checkpoint yet"
    writer.ready(About({"rows": 3000, "features": 5}, ""))
    assert writer().endswith("has round 0")
    found = read(writer.path)
    assert (found.rounds, len(found.setup), len(found.state)) == (0, 0, 0)
