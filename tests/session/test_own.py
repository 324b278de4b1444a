"""A model of a user's own: trained to the same bits everywhere, resumed, and mistakes in one sentence."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from mpi4py import MPI

from mpi_pgd import InputError, fit, shaped
from mpi_pgd.engine import trees
from mpi_pgd.session.own import begun
from mpi_pgd.user import load
from tests.commands import refused
from tests.thorough import thorough

MODES = ("client-server", "peer-to-peer")
ROWS, FEATURES = 700, 4  # 11 blocks

MINE = """
import numpy as np

def linear(w, X, y):
    away = X.dot(w) - y
    return 0.5 * float(away @ away), X.T.dot(away)

def linear_init(features, targets):
    return np.zeros(features)

def curved(weights, X, y):
    hidden = np.tanh(X @ weights["in"])
    away = hidden @ weights["out"] + weights["shift"] - y
    back = np.outer(away, weights["out"]) * (1 - hidden**2)
    return 0.5 * float(away @ away), {"out": hidden.T @ away, "in": X.T @ back, "shift": float(away.sum())}

def curved_init(features, targets):
    draw = np.random.default_rng(4)
    return {"in": draw.normal(size=(features, 3)), "out": draw.normal(size=3), "shift": targets.least + 0.5}

def chance(w, X, y):
    return linear(w, X, y)

def chance_init(features, targets):
    return np.random.default_rng().normal(size=features)

def logcosh(y, eta):
    away = eta - y
    return np.logaddexp(away, -away) - np.log(2), np.tanh(away)

def narrow(y, eta):
    return eta[:-1], eta

def short(w, X, y):
    return 0.0, w[1:]

short_init = linear_init

def alone(w, X, y):
    return 0.0, w

def whole(w, X, y):
    return 0.0, w

def whole_init(features, targets):
    return np.arange(features)
"""


@pytest.fixture
def data(comm: MPI.Intracomm, folder: Path) -> Path:
    if comm.rank == 0:
        draw = np.random.default_rng(3)
        x = draw.normal(size=(ROWS, FEATURES))
        with h5py.File(folder / "d.h5", "w") as file:
            file["X"], file["y"] = x, np.tanh(x @ np.ones(FEATURES)) + 0.1 * draw.normal(size=ROWS)
        (folder / "mine.py").write_text(MINE)
    comm.Barrier()
    return folder


def trained(comm: MPI.Intracomm, data: Path, name: str, **options: Any) -> Any:
    return fit(data / "d.h5", model=f"{data / 'mine.py'}:{name}", comm=comm, **{"tol": 0.0, "rounds": 12, **options})


@pytest.mark.parametrize("solver", ["gd", thorough("nesterov"), "bb", thorough("lbfgs"), "auto"])
def test_the_same_bits_everywhere(comm: MPI.Intracomm, data: Path, solver: str) -> None:
    here = [trained(comm, data, "curved", solver=solver, l2=0.01, mode=mode) for mode in MODES]
    alone = trained(MPI.COMM_SELF, data, "curved", solver=solver, l2=0.01) if comm.rank == 0 else None
    sha = comm.bcast(alone and alone.record["weights_sha256"])
    assert [result.record["weights_sha256"] for result in here] == [sha, sha]
    assert {result.coef.tobytes() for result in here} == {comm.bcast(here[0].coef.tobytes())}
    assert here[0].history["objective"][-1] < here[0].history["objective"][0]
    assert (here[0].feature_names, here[0].intercept, here[0].r2) == ((), 0.0, None)


@pytest.mark.ranks(1, 3, others=())
@pytest.mark.parametrize("mode", MODES)
def test_least_squares_written_so_have_the_bits_of_gd(comm: MPI.Intracomm, data: Path, mode: str) -> None:
    options = {"solver": "gd", "step": 0.2, "rounds": 9, "tol": 0.0, "l2": 0.1, "mode": mode}
    mine = trained(comm, data, "linear", **options)
    theirs = fit(data / "d.h5", comm=comm, intercept=False, standardize=False, **options)
    assert np.array_equal(mine.coef, theirs.coef)
    np.testing.assert_allclose(mine.history["objective"], theirs.history["objective"], rtol=1e-14)


@pytest.mark.ranks(1, 3, others=())
@pytest.mark.parametrize("mode", MODES)
def test_the_minimum_with_l2_on_all_weights(comm: MPI.Intracomm, data: Path, mode: str) -> None:
    with h5py.File(data / "d.h5") as file:
        x, y = file["X"][:], file["y"][:]
    w = np.linalg.solve(x.T @ x / ROWS + 0.3 * np.eye(FEATURES), x.T @ y / ROWS)
    result = trained(comm, data, "linear", solver="lbfgs", l2=0.3, tol=1e-10, mode=mode)
    assert result.status == "converged"
    np.testing.assert_allclose(result.coef, w, rtol=1e-8)
    value = np.sum((x @ w - y) ** 2) / 2 / ROWS + 0.15 * np.sum(w**2)
    assert result.record["objective"] == pytest.approx(value, rel=1e-12)


@pytest.mark.ranks(3, others=())
@pytest.mark.parametrize("mode", MODES)
def test_weights_in_their_shapes(comm: MPI.Intracomm, data: Path, mode: str) -> None:
    """And what is reported is of these."""
    function, init = (load(f"{data / 'mine.py'}:{name}") for name in ("curved", "curved_init"))
    with h5py.File(data / "d.h5") as file:
        x, y = file["X"][:], file["y"][:]
    result = trained(comm, data, "curved", l2=0.01, mode=mode)
    like = init(FEATURES, type("Targets", (), {"least": float(y.min())}))
    assert begun(like)[1][-1] == y.min() + 0.5
    weights = shaped(result.coef, like)
    assert weights["in"].shape == (FEATURES, 3)
    assert isinstance(weights["shift"], float)
    loss, gradient = function(weights, x, y)
    assert result.record["objective"] == pytest.approx(loss / ROWS + 0.005 * float(result.coef @ result.coef), rel=1e-12)
    slopes = np.empty(len(result.coef))
    trees.write(gradient, trees.form(like), slopes)
    norm = np.linalg.norm(slopes / ROWS + 0.01 * result.coef)
    assert result.record["gradient_norm"] == pytest.approx(norm, rel=1e-9)
    with pytest.raises(InputError, match=r"expected \(16,\) for"):
        shaped(result.coef[1:], like)


@pytest.mark.ranks(1, 3, others=())
def test_a_start_by_chance_is_the_same_on_all_ranks(comm: MPI.Intracomm, data: Path) -> None:
    first, second = (trained(comm, data, "chance", rounds=1, mode="peer-to-peer").coef for _ in range(2))
    assert len(set(comm.allgather(first.tobytes()))) == 1
    assert not np.array_equal(first, second)


@pytest.mark.ranks(1, 3, others=())
@pytest.mark.parametrize("solver", ["nesterov", "lbfgs"])
def test_resumed_to_the_same_bits(comm: MPI.Intracomm, data: Path, solver: str) -> None:
    whole = trained(comm, data, "curved", solver=solver)
    trained(comm, data, "curved", solver=solver, rounds=5, checkpoint=data / "c.ckpt")
    comm.Barrier()
    assert np.array_equal(fit(resume=data / "c.ckpt", rounds=12, comm=comm).coef, whole.coef)


@pytest.mark.ranks(2, others=())
def test_mistakes(comm: MPI.Intracomm, data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    mine = data / "mine.py"
    for words, told in (
        ([f"{mine}:linar"], ["has no function linar (did you mean linear?)"]),
        ([f"{data / 'none.py'}:f"], ["can't read", "No such file"]),
        ([f"{mine}:alone"], ["mine.py has no function alone_init: expected it, or init, beside alone"]),
        ([f"{mine}:whole"], ["the model's init gave an array of whole numbers of shape (4,): expected finite floats"]),
        ([f"{mine}:short"], ["gave an array of numbers of shape (3,) in place of an array of numbers of shape (4,)"]),
        ([f"{mine}:linear", "--loss", "huber"], ["--loss is of linear models, and --model was given"]),
        ([f"{mine}:linear", "--lower", "0"], ["--lower is of linear models, and --model was given"]),
        ([f"{mine}:linear", "--solver", "newton"], ["--solver newton wants second derivatives, which --model does not give"]),
    ):
        refused(comm, [data / "d.h5", "--quiet", "--out", data / "out", "--model", *words], told, capfd)


@pytest.mark.parametrize("weights", [np.array([1.0, np.nan]), np.zeros(0), [3, 1.0], {}])
def test_no_start(weights: Any) -> None:
    with pytest.raises(InputError, match=r"the model's init gave .*: expected finite floats, and one of them at least"):
        begun(weights)


@pytest.mark.ranks(1, 2, 3, 5, others=())
def test_a_loss_of_ones_own_gives_the_same_bits_everywhere(comm: MPI.Intracomm, data: Path) -> None:
    """And the minimum: where the gradient of the mean loss, made here from its definition, is nothing."""
    text = f"{data / 'mine.py'}:logcosh"
    results = [fit(data / "d.h5", loss=text, mode=mode, comm=comm, quiet=True) for mode in MODES]
    alone = fit(data / "d.h5", loss=text, comm=MPI.COMM_SELF, quiet=True)
    assert {found.record["weights_sha256"] for found in results} == {alone.record["weights_sha256"]}
    with h5py.File(data / "d.h5") as file:
        x, y = file["X"][()], file["y"][()]
    slopes = np.tanh(x @ alone.coef + alone.intercept - y)
    assert np.abs(np.append(x.T @ slopes, slopes.sum())).max() <= 1e-9 * ROWS


@pytest.mark.ranks(2, others=())
def test_a_loss_that_is_none_is_one_sentence(comm: MPI.Intracomm, data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for name, told in (("narrow", "gave losses of shape (63,)"), ("none", "has no function none")):
        refused(comm, [data / "d.h5", "--loss", f"{data / 'mine.py'}:{name}"], [told], capfd)
