"""scikit-learn's estimators: its own checks, its pipelines and searches, and one model on however many ranks."""

import pickle
import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mpi4py import MPI
from scipy import sparse
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator, check_sample_weight_equivalence_on_dense_data

from mpi_pgd import InputError, fit
from mpi_pgd.estimators import GLMClassifier, GLMRegressor

MANY = "with more features than rows, and no penalty, many weights fit alike: those that are found depend on how the rows are given"
EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": MANY,
    "check_sample_weight_equivalence_on_sparse_data": MANY,
}
DRAW = np.random.default_rng(7)
X = DRAW.normal([0.0, 1.0, 5.0], size=(90, 3))
Y = X @ [1.0, -2.0, 0.5] + DRAW.normal(size=90)
COUNTS = DRAW.poisson(np.exp(0.3 * X[:, 0] + 0.2))
WORDS = np.array(["low", "middle", "top"])[np.digitize(Y, [-1.0, 1.0])]


@pytest.mark.ranks(1, others=())
@pytest.mark.parametrize("estimator", [GLMRegressor(), GLMClassifier()], ids=["regressor", "classifier"])
def test_scikit_learns_own_checks(comm: MPI.Intracomm, estimator: Any) -> None:
    found = check_estimator(estimator, expected_failed_checks=EXPECTED, on_fail=None, on_skip=None)
    kinds = {kind: [each["check_name"] for each in found if each["status"] == kind] for kind in ("failed", "skipped", "xfail")}
    assert [f"{each['check_name']}: {each['exception']!r}" for each in found if each["status"] == "failed"] == []
    assert set(kinds["xfail"]) == EXPECTED.keys()
    assert kinds["skipped"] == ["check_array_api_input"]  # it wants a variable of scipy's


@pytest.mark.ranks(1, others=())
def test_weights_are_rows_given_so_often(comm: MPI.Intracomm) -> None:
    """With a penalty the optimum is unique, but for a number that is added to the linear predictors of all classes."""
    check_sample_weight_equivalence_on_dense_data("GLMRegressor", GLMRegressor(l2=0.1))
    times = np.arange(len(X)) % 4
    weighted = GLMClassifier(l2=0.1).fit(X, WORDS, times)
    repeated = GLMClassifier(l2=0.1).fit(np.repeat(X, times, axis=0), np.repeat(WORDS, times))
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-5)


@pytest.mark.ranks(1, 3, others=(3,))
@pytest.mark.parametrize(
    ("estimator", "y"),
    [
        (GLMRegressor(), Y),
        (GLMRegressor(loss="poisson", l1=0.01), COUNTS),
        (GLMClassifier(), WORDS),
        (GLMClassifier(), WORDS == "low"),
    ],
    ids=["squared", "poisson", "softmax", "logistic"],
)
def test_the_same_bits_on_any_ranks(comm: MPI.Intracomm, estimator: Any, y: Any) -> None:
    weights = np.linspace(0.5, 2.0, len(X))
    alone = clone(estimator).fit(X, y, weights)
    ends = [0, 50, 50, 90] if comm.size == 3 else [0, 90]  # rank 1 of 3 has none
    mine = slice(ends[comm.rank], ends[comm.rank + 1])
    shared = clone(estimator).set_params(comm=comm).fit(X[mine], y[mine], weights[mine])
    assert shared.result_.record["weights_sha256"] == alone.result_.record["weights_sha256"]
    assert (shared.predict(X) == alone.predict(X)).all()
    assert clone(shared).comm is comm


@pytest.mark.ranks(3, others=())
def test_what_one_rank_refuses_all_do(comm: MPI.Intracomm) -> None:
    rows = X.copy()
    if comm.rank == 1:
        rows[3, 1] = np.nan
    with pytest.raises(InputError, match="rank 1: Input X contains NaN"):
        GLMRegressor(comm=comm).fit(rows, Y)
    with pytest.raises(InputError, match="an estimator with comm can't go to another process"):
        pickle.dumps(GLMRegressor(comm=comm))


@pytest.mark.ranks(1, others=())
def test_it_is_what_scikit_learn_finds(comm: MPI.Intracomm) -> None:
    rows = len(X)
    for ours, theirs, y in (
        (GLMRegressor(l2=2.0 / rows, standardize=False), Ridge(alpha=2.0, tol=1e-12), Y),
        (GLMRegressor(loss="poisson", l2=0.1, standardize=False), PoissonRegressor(alpha=0.1, tol=1e-10, max_iter=9999), COUNTS),
        (GLMClassifier(l2=1 / rows, standardize=False), LogisticRegression(C=1.0, tol=1e-10, max_iter=9999), WORDS),
        (GLMClassifier(l2=1 / rows, standardize=False), LogisticRegression(C=1.0, tol=1e-10, max_iter=9999), WORDS == "top"),
    ):
        ours.fit(X, y)
        theirs.fit(X, y)
        assert ours.coef_.shape == theirs.coef_.shape
        np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-4, atol=1e-6)
        several = len(np.atleast_1d(ours.intercept_)) > 1  # the same number may be added to all
        middle = np.mean(ours.intercept_) - np.mean(theirs.intercept_) if several else 0.0
        np.testing.assert_allclose(ours.intercept_ - middle, theirs.intercept_, rtol=1e-3, atol=1e-5)
        assert ours.score(X, y) == pytest.approx(theirs.score(X, y), rel=1e-6)


@pytest.mark.ranks(1, others=())
def test_pipelines_searches_frames_and_files(comm: MPI.Intracomm) -> None:
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    pipeline = make_pipeline(StandardScaler(), GLMClassifier(l2=0.01))
    search = GridSearchCV(pipeline, {"glmclassifier__l2": [0.01, 10.0]}, cv=3, n_jobs=2)  # processes that a rank starts
    search.fit(X, WORDS)
    assert search.best_params_ == {"glmclassifier__l2": 0.01}
    assert search.score(X, WORDS) > 0.6
    fitted = GLMRegressor(upper=1.0, lower=np.array([0.0, -np.inf, 0.0])).fit(frame, Y)
    assert list(fitted.feature_names_in_) == list(fitted.result_.feature_names) == ["a", "b", "c"]
    assert fitted.coef_[1] < 0 <= fitted.coef_.max() <= 1.0
    assert (pickle.loads(pickle.dumps(fitted)).predict(frame) == fitted.predict(frame)).all()
    thin = sparse.csr_array(np.where(X > 1.0, X, 0.0))
    assert GLMRegressor().fit(thin, Y).predict(thin).shape == Y.shape
    several = GLMRegressor().fit(X, np.column_stack([Y, -Y]))
    assert several.coef_.shape == (2, 3)
    assert fit(X, Y, comm=comm).record["weights_sha256"] == GLMRegressor().fit(X, Y).result_.record["weights_sha256"]


@pytest.mark.ranks(1, others=())
def test_what_does_not_fit_is_said(comm: MPI.Intracomm) -> None:
    assert is_regressor(GLMRegressor())
    assert is_classifier(GLMClassifier())
    with pytest.raises(InputError, match="loss was given 'sqared': expected one of squared"):
        GLMRegressor(loss="sqared").fit(X, Y)
    with pytest.raises(InputError, match="y has one class alone"):
        GLMClassifier().fit(X, np.ones(len(X)))
    with pytest.raises(InputError, match="expected none below 0"):
        GLMRegressor(loss="poisson").fit(X, Y)
    assert not hasattr(GLMClassifier(loss="squared-hinge"), "predict_proba")
    with pytest.warns(ConvergenceWarning, match="rounds exhausted"):
        GLMRegressor(loss="poisson", max_rounds=1).fit(X, COUNTS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GLMClassifier(l2=0.1).fit(X, WORDS == "low")


def test_without_scikit_learn_it_says_what_to_install() -> None:
    words = "import sys; sys.modules['sklearn.base'] = None; import mpi_pgd.estimators"
    result = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=False, timeout=60)
    assert result.stderr.splitlines()[-1].startswith("ImportError: mpi_pgd.estimators needs scikit-learn 1.6 or later (")
    assert result.stderr.strip().endswith("pip install mpi_pgd[sklearn]")
