"""Stochastic gradient descent through the whole program: the algorithm to the letter, the same bits however it is computed."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from mpi4py import MPI

from mpi_pgd import fit
from mpi_pgd.engine.batches import UNIT, span, units
from mpi_pgd.recovery.checkpoint import read

MODES = ("client-server", "peer-to-peer")
ROWS, FEATURES, BATCH = 1013, 5, 100  # 16 blocks; 64 units, of which the last has 5 rows; 10 batches, of 6 units or 7
MODEL = """
import numpy as np

def linear(w, X, y):
    away = X.dot(w) - y
    return 0.5 * float(away @ away), X.T.dot(away)

def linear_init(features, targets):
    return np.zeros(features)
"""


def numbers() -> dict[str, np.ndarray]:
    draw = np.random.default_rng(8)
    x = draw.normal(size=(ROWS, FEATURES)).astype("f4")
    eta = x @ np.linspace(-1, 1, FEATURES)
    return {
        "X": x,
        "y": eta + draw.normal(size=ROWS),
        "both": np.column_stack([eta, 1 - eta]) + draw.normal(size=(ROWS, 2)),
        "yes": (draw.random(ROWS) < 1 / (1 + np.exp(-eta))).astype(float),
        "kind": np.digitize(eta + draw.logistic(size=ROWS), [-1.0, 1.0]).astype(float),
        "count": draw.poisson(np.exp(eta / 2)).astype(float),
        "weight": draw.integers(0, 3, ROWS).astype(float),
        "shift": draw.normal(size=ROWS) / 4,
    }


@pytest.fixture
def data(comm: MPI.Intracomm, folder: Path) -> str:
    path = folder / "rows.h5"
    if comm.rank == 0:
        with h5py.File(path, "w") as file:
            for name, values in numbers().items():
                file[name] = values
        (folder / "mine.py").write_text(MODEL)
    comm.Barrier()
    return str(path)


def sgd(data: str, comm: MPI.Intracomm, **options: Any) -> Any:
    return fit(data, comm=comm, **{"solver": "sgd", "batch": BATCH, "seed": 3, "rounds": 26, "tol": 0.0, "quiet": True, **options})


def batch(step: int) -> np.ndarray:
    """The rows of a step, counted over the epochs."""
    total, batches = -(-ROWS // UNIT), 10
    start, stop = span(step % batches, batches, total)
    rows = units(3, step // batches, start, stop, total).astype(int)[:, None] * UNIT + np.arange(UNIT)
    return rows[rows < ROWS]


@pytest.mark.ranks(1, 3, others=())
def test_it_is_the_algorithm_to_the_letter(comm: MPI.Intracomm, data: str) -> None:
    """Of logistic regression with weights, an offset and l2; it ends in an epoch, where all rows judge the last weights."""
    of, l2, first = numbers(), 0.1, 0.25
    x, y, weight, shift = of["X"].astype(float), of["yes"], of["weight"], of["shift"]

    def objective(w: np.ndarray, rows: np.ndarray) -> float:
        eta = x[rows] @ w + shift[rows]
        return float(np.average(np.logaddexp(0, eta) - y[rows] * eta, weights=weight[rows]) + l2 / 2 * w @ w)

    everyone = np.arange(ROWS)
    w, iterates = np.zeros(FEATURES), []
    lines = [objective(w, everyone)]
    for step in range(15):
        rows = batch(step)
        lines.append(objective(w, rows))
        slopes = weight[rows] * (1 / (1 + np.exp(-x[rows] @ w - shift[rows])) - y[rows])
        w = w - first / np.sqrt(1 + step / 10) * (x[rows].T @ slopes / weight[rows].sum() + l2 * w)
        iterates.append(w)
        if step == 9:
            lines.append(objective(np.mean(iterates, axis=0), everyone))
    lines.append(objective(w, everyone))
    options = {"y": "yes", "loss": "logistic", "weights": "weight", "offset": "shift", "l2": l2, "step": first}
    result = sgd(data, comm, rounds=17, schedule="inverse-sqrt", intercept=False, standardize=False, **options)
    np.testing.assert_allclose(result.history["objective"], lines[1:], rtol=1e-12)
    assert (result.status, result.record["rounds"]) == ("rounds exhausted", 17)
    np.testing.assert_allclose(result.coef, w if lines[-1] < lines[11] else np.mean(iterates[:10], axis=0), rtol=1e-12)
    assert result.record["objective"] == pytest.approx(min(lines[0], lines[11], lines[-1]), rel=1e-12)


LAW: list[dict[str, Any]] = [
    {"weights": "weight", "offset": "shift", "schedule": "inverse"},
    {"y": "both"},
    {"y": "yes", "loss": "logistic", "l1": 0.01, "class_weight": "balanced"},
    {"y": "kind", "loss": "softmax", "l2": 0.01},
    {"y": "count", "loss": "poisson", "upper": 0.2, "offset": "shift", "weights": "weight"},
    {"model": "linear"},
]


def told(result: Any) -> tuple[Any, ...]:
    return result.record["weights_sha256"], result.record["objective"], result.history["objective"], result.history["gradient_norm"]


@pytest.mark.ranks(2, 3, others=(5,), rarely=(2,))
@pytest.mark.parametrize("options", LAW, ids=str)
def test_one_fingerprint(comm: MPI.Intracomm, data: str, options: dict[str, Any]) -> None:
    if "model" in options:
        options = {"model": f"{Path(data).parent}/mine.py:{options['model']}"}
    alone = comm.bcast(told(sgd(data, MPI.COMM_SELF, **options)) if comm.rank == 0 else None)
    for mode in MODES:
        result = sgd(data, comm, mode=mode, **options)
        assert told(result) == alone
    assert result.record["objective"] < 0.95 * result.history["objective"][0]


@pytest.mark.ranks(5, others=())
def test_replicas_give_the_same(comm: MPI.Intracomm, data: str) -> None:
    late = {"mode": MODES[0], "replicas": 2, "delay": "exponential:0.001"}
    assert told(sgd(data, comm, **late)) == told(sgd(data, MPI.COMM_SELF))


@pytest.mark.ranks(1, 3, others=())
@pytest.mark.parametrize(("stop", "mode"), [(7, 0), (11, 1), (12, 0)])  # in an epoch, at its end, and at the next one's start
def test_a_fit_goes_on_to_the_same_bits(comm: MPI.Intracomm, data: str, stop: int, mode: int) -> None:
    options = {"y": "yes", "loss": "logistic", "schedule": "inverse", "weights": "weight"}
    path = str(Path(data).with_name("fit.ckpt"))
    whole = sgd(data, comm, **options)
    sgd(data, comm, mode=MODES[mode], checkpoint=path, **{**options, "rounds": stop})
    comm.Barrier()
    assert read(path).rounds == stop
    comm.Barrier()
    assert told(fit(resume=path, rounds=26, mode=MODES[1 - mode], comm=comm)) == told(whole)


@pytest.mark.ranks(2, others=())
def test_a_batch_of_all_rows_is_gradient_descent(comm: MPI.Intracomm, data: str) -> None:
    options = {"y": "yes", "loss": "logistic", "step": 0.5, "weights": "weight"}
    one = sgd(data, comm, batch=10 * ROWS, **options)
    other = sgd(data, comm, **{**options, "solver": "gd", "rounds": 13})
    np.testing.assert_allclose(one.coef, other.coef, rtol=1e-12)
    np.testing.assert_allclose(one.history["objective"][1::2], other.history["objective"], rtol=1e-12)


@pytest.mark.ranks(1, libraries=["mpich"])
@pytest.mark.parametrize(
    "options", [{}, {"y": "yes", "loss": "logistic", "weights": "weight", "offset": "shift", "l2": 1e-3}], ids=str
)
def test_it_comes_near_the_optimum(comm: MPI.Intracomm, data: str, options: dict[str, Any]) -> None:
    """Within a thousandth of what there is to be gained."""
    found = sgd(data, comm, schedule="inverse", rounds=1100, **options)
    best = sgd(data, comm, **{**options, "solver": "newton", "tol": 1e-12})
    gain = found.history["objective"][0] - best.record["objective"]
    assert 0 <= found.record["objective"] - best.record["objective"] < 1e-3 * gain


@pytest.mark.ranks(1, libraries=["mpich"])
def test_what_runs_away_gives_the_best_weights(comm: MPI.Intracomm, data: str) -> None:
    found = sgd(data, comm, step=1e3, rounds=2000)
    assert (found.status, found.coef.tolist()) == ("diverged", [0.0] * FEATURES)
    ended = sgd(data, comm, step=1e3, rounds=15)
    assert (ended.status, ended.coef.tolist(), ended.record["objective"]) == (
        "rounds exhausted",
        [0.0] * FEATURES,
        found.record["objective"],
    )
