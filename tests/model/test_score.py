"""Scores are those that scikit-learn has for predictions of the kind."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from mpi4py import MPI
from sklearn import metrics

from mpi_pgd import InputError, Model, fit
from mpi_pgd.losses import LOSSES
from tests.model.test_file import rows
from tests.model.test_model import LABELS, model, table

POWERS = {"poisson": 1, "gamma": 2, "inverse-gaussian": 3, "tweedie": 1.5}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
def test_scores_are_those_of_scikit_learn(loss: str, weighted: bool) -> None:
    fitted, x, draw = model(loss, 3 if loss == "softmax" else 1), table(200), np.random.default_rng(1)
    weights = draw.integers(0, 4, 200).astype(float) if weighted else None
    found = fitted.predict(x)
    if loss in LABELS:
        y = np.where(draw.random(200) < 0.3, LABELS[loss][0], found)
        expected = metrics.accuracy_score(y, found, sample_weight=weights)
    elif loss in POWERS:
        y = found * draw.gamma(2.0, 0.5, 200)
        expected = metrics.d2_tweedie_score(y, found, sample_weight=weights, power=POWERS[loss])
    elif loss == "squared":
        y = found + draw.normal(size=200)
        expected = metrics.r2_score(y, found, sample_weight=weights)
    else:
        y = found if loss != "huber" else found + 3.0
        assert (fitted.score(x, y, weights) == 1.0) == (loss != "huber")
        return
    assert fitted.score(x, y, weights) == pytest.approx(expected, rel=1e-12)


def test_of_several_targets_it_is_their_mean() -> None:
    fitted, x = model(outputs=2), table()
    y = fitted.predict(x) + np.random.default_rng(2).normal(size=(40, 2)) * [1.0, 3.0]
    assert fitted.score(x, y) == pytest.approx(metrics.r2_score(y, fitted.predict(x)), rel=1e-12)


@pytest.mark.ranks(1, others=())
def test_of_the_rows_of_the_fit_it_is_what_the_fit_explains(comm: MPI.Intracomm, folder: Path) -> None:
    path = rows(comm, folder / "rows.h5")
    for loss, y in (("squared", "y"), ("huber", "y"), ("poisson", "counts")):
        result = fit(path, y=y, loss=loss, comm=comm)
        with h5py.File(path) as stored:
            assert result.score(stored["X"], stored[y]) == pytest.approx(result.r2, rel=1e-9)


def test_targets_that_are_alike_have_no_score() -> None:
    assert np.isnan(model().score(table(), np.ones(40)))


@pytest.mark.parametrize(
    ("loss", "y", "weights", "said"),
    [
        ("squared", np.ones(3), None, r"y was given of shape \(3,\): expected 1 targets of each of 40 rows"),
        ("squared", np.full(40, np.nan), None, "y has a value that is missing"),
        ("squared", ["x"] * 40, None, "y has something that is no number"),
        ("poisson", -np.ones(40), None, "the poisson loss was given targets that are all -1: expected none below 0"),
        ("logistic", np.ones((40, 2)), None, r"y was given of shape \(40, 2\): expected a label a row"),
        ("squared", np.arange(40), -np.ones(40), "weights were given of shape"),
        ("squared", np.arange(40), np.ones(4), r"weights were given of shape \(4,\): expected one a row, \(40,\)"),
    ],
)
def test_targets_that_are_none(loss: str, y: object, weights: object, said: str) -> None:
    with pytest.raises(InputError, match=said):
        model(loss).score(table(), y, weights)


def test_a_loss_of_a_users_predicts_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = "def loss(y, eta):\n    return (eta - y) ** 2, 2 * (eta - y)\n"
    (tmp_path / "own.py").write_text(lines)
    (tmp_path / "told.py").write_text(lines + "loss.mean = lambda eta: 3 * eta\n")
    own, told = (Model(np.ones(3), record={"config": {"loss": f"{name}.py:loss"}}) for name in ("own", "told"))
    eta = own.decision_function(table())
    assert (told.predict(table()) == 3 * eta).all()
    assert told.score(table(), eta) == 1.0
    with pytest.raises(InputError, match=r"own.py:loss does not say what a target's mean is: give it an attribute mean\(eta\)"):
        own.predict(table())
    model_of_own = Model(np.ones(3), record={"config": {"model": "net.py:loss"}})
    with pytest.raises(InputError, match=r"the model net.py:loss is one of your own"):
        model_of_own.decision_function(table())
    with pytest.raises(InputError, match="of the loss ordinal, which this version does not know"):
        Model(np.ones(3), record={"config": {"loss": "ordinal"}}).predict(table())
