"""How good models are on rows in files: scikit-learn's figures, one record for any ranks and modes, mistakes in one sentence."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from mpi4py import MPI

import mpi_pgd
from mpi_pgd.session import areas
from tests.commands import command, refused

ROWS, FEATURES = 1500, 4  # 24 blocks
DRAW = np.random.default_rng(9)
X = np.round(DRAW.standard_normal((ROWS, FEATURES)), 1)  # few values: scores are alike
ETA = X @ np.array([1.0, -2.0, 0.5, 0.0])
WEIGHTS = np.where(DRAW.random(ROWS) < 0.1, 0.0, DRAW.random(ROWS) * 3)
NOISE = DRAW.logistic(size=ROWS)
TARGETS = {
    "squared": 1e6 + ETA + NOISE,  # far from 0 beside what they vary by
    "logistic": np.where(NOISE < ETA, 1.0, -1.0),
    "softmax": np.digitize(ETA + NOISE, [-2, 2]) + 5.0,
    "poisson": DRAW.poisson(np.exp(ETA / 4)).astype(float),
    "squared-hinge": (NOISE < ETA).astype(float),
}
CASES = [*((loss, "w") for loss in TARGETS), ("logistic", ""), ("squared", "")]


@pytest.fixture
def model(comm: MPI.Intracomm, folder: Path, request: pytest.FixtureRequest) -> mpi_pgd.Model:
    """Fitted to half of the rows, in a folder m beside a file of all of them."""
    loss = request.param
    if comm.rank == 0:
        for name, rows in (("all", slice(None)), ("half", slice(ROWS // 2))):
            with h5py.File(folder / f"{name}.h5", "w") as file:
                file["X"], file["y"], file["w"] = X[rows], TARGETS[loss][rows], WEIGHTS[rows]
                file["bad"], file["two"] = np.arange(len(X[rows])) % 7 + 0.5, np.c_[X[rows, 0], X[rows, 0]]
                file["zero"] = np.zeros(len(X[rows]))
    comm.Barrier()
    return mpi_pgd.fit(folder / "half.h5", comm=comm, loss=loss, l2=0.01, out=str(folder / "m"))


def expected(loss: str, model: mpi_pgd.Model, weights: np.ndarray | None) -> dict[str, float]:
    from sklearn import metrics  # here: it takes seconds, and one rank is enough

    y, predicted, more = TARGETS[loss], model.predict(X), {"sample_weight": weights}
    if loss == "squared":
        r2 = metrics.r2_score(y, predicted, **more)
        return {"r2": r2, "deviance_explained": r2} | numbers(y, predicted, more)
    if loss == "poisson":
        deviance = metrics.mean_poisson_deviance(y, predicted, **more) / 2
        explained = metrics.d2_tweedie_score(y, predicted, power=1, **more)
        return {"mean_loss": deviance, "deviance_explained": explained} | numbers(y, predicted, more)
    found = {"accuracy": metrics.accuracy_score(y, predicted, **more)}
    if loss == "squared-hinge":
        return found | {"auc": metrics.roc_auc_score(y, model.decision_function(X), **more)}
    likely = model.predict_proba(X)
    each = [metrics.roc_auc_score(y == label, likely[:, place], **more) for place, label in enumerate(model.classes)]
    found["auc"] = metrics.roc_auc_score(y, model.decision_function(X), **more) if loss == "logistic" else np.mean(each)
    found["brier"] = metrics.brier_score_loss(y, likely if loss == "softmax" else likely[:, 1], **more)
    return found | {
        "log_loss": metrics.log_loss(y, likely, **more),
        "deviance_explained": metrics.d2_log_loss_score(y, likely, **more),
    }


def numbers(y: np.ndarray, predicted: np.ndarray, more: dict[str, Any]) -> dict[str, float]:
    from sklearn import metrics

    return {
        "rmse": metrics.root_mean_squared_error(y, predicted, **more),
        "mae": metrics.mean_absolute_error(y, predicted, **more),
        "bias": np.average(predicted - y, weights=more["sample_weight"]),
    }


def evaluated(comm: MPI.Intracomm, folder: Path, capfd: pytest.CaptureFixture[str], *words: object) -> dict[str, Any]:
    """The row of the record, on every rank."""
    capfd.readouterr()
    assert command(comm, "evaluate", folder / "m", folder / "all.h5", "--json", *words) == 0
    text = capfd.readouterr().out
    found: dict[str, Any] = comm.bcast(json.loads(text)["rows"][0] if comm.rank == 0 else None)
    return found


@pytest.mark.ranks(1, 3, others=(3,))
@pytest.mark.parametrize(("model", "weights"), CASES, indirect=["model"])
def test_figures_are_those_of_scikit_learn(
    comm: MPI.Intracomm, folder: Path, model: mpi_pgd.Model, weights: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """To 1e-10, weights and ties included, and to the bit in both modes."""
    words = ["--weights", weights] if weights else []
    found = evaluated(comm, folder, capfd, *words)
    assert evaluated(comm, folder, capfd, *words, "--mode", "peer-to-peer") == found
    if comm.rank or not find_spec("sklearn"):  # with one of the libraries it is there, which is enough
        return
    from sklearn import metrics

    loss, given = model.loss, WEIGHTS if weights else None
    for name, value in expected(loss, model, given).items():
        assert found["metrics"][name] == pytest.approx(value, rel=1e-10, abs=1e-9 * (name == "bias")), name
    y = TARGETS[loss]
    if model.classes:
        labels, predicted = np.array(model.classes), model.predict(X)
        assert found["confusion"] == metrics.confusion_matrix(y, predicted).tolist()
        each = metrics.precision_recall_fscore_support(y, predicted, labels=labels, sample_weight=given)[:3]
        for name, values in zip(("precision", "recall", "f1"), each, strict=True):
            assert [one[name] for one in found["classes"]] == pytest.approx(values.tolist(), rel=1e-10)
    else:
        assert np.sum(found["truth"]["counts"]) == np.sum(found["residuals"]["counts"]) == np.sum(found["spread"]["counts"]) == ROWS
    if found["calibration"]:
        total = np.sum(WEIGHTS) if weights else ROWS
        assert np.sum(found["calibration"]["weight"]) == pytest.approx(total, rel=1e-12)
        if not model.classes:
            mean = np.sum(found["calibration"]["found"]) / total
            assert mean == pytest.approx(np.average(y, weights=given), rel=1e-12)


@pytest.mark.ranks(1, 3, others=())
@pytest.mark.parametrize("model", ["softmax"], indirect=True)
def test_scores_that_have_no_room_are_ranked_range_by_range(
    comm: MPI.Intracomm, folder: Path, model: mpi_pgd.Model, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = evaluated(comm, folder, capfd, "--weights", "w")
    monkeypatch.setattr(areas, "HELD", 100 * areas.EACH)
    monkeypatch.setattr(areas, "FINE", 48)
    assert evaluated(comm, folder, capfd, "--weights", "w") == whole


@pytest.mark.ranks(1, 3, others=())
@pytest.mark.parametrize("model", ["squared"], indirect=True)
def test_on_the_rows_of_the_fit_it_says_what_the_fit_said(
    comm: MPI.Intracomm, folder: Path, model: mpi_pgd.Model, capfd: pytest.CaptureFixture[str]
) -> None:
    if comm.rank == 0:
        (folder / "all.h5").unlink()
        (folder / "all.h5").symlink_to(folder / "half.h5")
    comm.Barrier()
    found = evaluated(comm, folder, capfd, "--out", folder / "o")["metrics"]
    assert found["objective"] == pytest.approx(model.record["objective"], rel=1e-12)
    assert found["r2"] == pytest.approx(model.record["r2"], rel=1e-10)
    if comm.rank == 0:
        from mpi_pgd.report import records
        from mpi_pgd.study import every

        assert records.read(str(folder / "o"), every()).found["evaluate"]["rows"][0]["metrics"] == found


@pytest.mark.ranks(1, 3, others=())
@pytest.mark.parametrize("model", ["softmax"], indirect=True)
def test_mistakes_are_one_sentence(
    comm: MPI.Intracomm, folder: Path, model: mpi_pgd.Model, capfd: pytest.CaptureFixture[str]
) -> None:
    for words, told in (
        (["--y", "bad"], ["the rows have the classes 0.5, 1.5, 2.5", "and the model knows 5, 6 and 7: expected these alone"]),
        (["--y", "two"], ["the rows have 2 targets each, and the model is of 1: expected as many"]),
        (["--y", "none"], ["has no data set none", "name the right one with --y"]),
        (["--x", "two"], ["two in", "has 2 features, and", "is of 4: expected the same"]),
        (["--weights", "zero"], ["all rows have the weight 0"]),
    ):
        refused(comm, ["evaluate", folder / "m", folder / "all.h5", *words], told, capfd)
    refused(comm, ["evaluate", folder / "m"], ["evaluate was given 1 names: expected MODEL DATA"], capfd)
