"""scikit-learn's estimators of this program's fits: for its pipelines, searches and metrics, on one rank or on all of them.

This module alone imports scikit-learn: ``pip install mpi_pgd[sklearn]``.
"""

import warnings
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, make_dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from mpi_pgd import fit  # it alone may start MPI, and looks whether this is a rank before
from mpi_pgd.comm.world import agreement, alone
from mpi_pgd.drivers.status import Status
from mpi_pgd.engine.arrays import Rows, Vector
from mpi_pgd.errors import InputError
from mpi_pgd.losses import LOSSES, Loss, loss_of
from mpi_pgd.losses.targets import TargetFacts
from mpi_pgd.model.model import Model
from mpi_pgd.options import options_of
from mpi_pgd.penalties import PENALTIES
from mpi_pgd.solvers import SOLVERS

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.utils import Tags
    from sklearn.utils.metaestimators import available_if
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted, column_or_1d, validate_data
except ImportError as error:
    raise ImportError(f"mpi_pgd.estimators needs scikit-learn 1.6 or later ({error}): pip install mpi_pgd[sklearn]") from None

AUTO = "auto"
GOOD = (Status.CONVERGED, Status.PRECISION)
# The families' own settings are parameters by their names, and so is what is new there.
_MEMBERS = options_of([*LOSSES.values(), *PENALTIES.values(), *SOLVERS.values()])
_Options: Any = make_dataclass(
    "_Options",
    [(name, item.type, field(default=item.default)) for name, item in _MEMBERS.items()],
    eq=False,
    repr=False,
    kw_only=True,
)


@dataclass(eq=False, repr=False, kw_only=True)
class _Glm(_Options, BaseEstimator):  # type: ignore[misc]
    """What both kinds have: see them."""

    loss: str = "squared"
    lower: Any = None
    upper: Any = None
    fit_intercept: bool = True
    standardize: bool = True
    solver: str = "auto"
    tol: float = 1e-12
    max_rounds: int = 10_000
    comm: Any = None

    def _law(self, loss: str) -> Loss:
        """The loss of that name, with its options."""
        if loss not in LOSSES and ":" not in loss:
            raise InputError(f"loss was given {loss!r}: expected one of {', '.join(LOSSES)}, or a function as FILE.py:function")
        return loss_of(SimpleNamespace(**{name: getattr(self, name) for name in _MEMBERS}, loss=loss))

    @property
    def _shared(self) -> bool:
        """Whether several ranks have the rows."""
        return self.comm is not None and self.comm.size > 1

    def _checked(self, check: Callable[[], Any]) -> Any:
        """What ``check`` gives of this rank's rows; what it refuses, all ranks do. Collective."""
        if not self._shared:
            return check()
        with agreement(self.comm):
            try:
                return check()
            except (TypeError, ValueError) as error:
                raise InputError(f"rank {self.comm.rank}: {error}") from None

    def _rows(self, X: Any, y: Any, sample_weight: Any, **checks: Any) -> tuple[Any, Rows, Vector | None]:
        """This rank's rows, checked; with several ranks it may have none."""
        if self._shared and (X is None or np.shape(X)[:1] == (0,)):
            return np.empty((0, 0)), np.empty(0), None if sample_weight is None else np.empty(0)
        X, y = validate_data(self, X, y, accept_sparse="csr", **checks)
        weights = None if sample_weight is None else _check_sample_weight(sample_weight, X, dtype=np.float64)
        return X, y, weights

    def _fit(self, X: Any, y: Rows, weights: Vector | None, loss: str) -> None:
        given = {name: getattr(self, name) for name in (*_MEMBERS, "standardize", "solver", "tol")}
        bounds = {name: value for name in ("lower", "upper") if (value := getattr(self, name)) is not None}
        comm = alone() if self.comm is None else self.comm
        options = {**given, **bounds, "loss": loss, "intercept": self.fit_intercept, "rounds": self.max_rounds}
        found = fit(X, y, comm=comm, weights=weights, **options)
        names = getattr(self, "feature_names_in_", None)
        if self._shared:  # also where there were no rows to tell them
            names = next((each for each in comm.allgather(names) if each is not None), None)
            self.n_features_in_ = len(found.coef)
        if names is not None:
            self.feature_names_in_ = names
        self.result_ = replace(found, feature_names=() if names is None else tuple(names))
        self.n_iter_: int = found.record["rounds"]
        if found.status not in GOOD:
            warnings.warn(f"the fit ended otherwise than converged: {found.status}", ConvergenceWarning, stacklevel=3)

    @property
    def _model(self) -> Model:
        check_is_fitted(self)
        return self.result_

    def _given(self, X: Any) -> Any:
        check_is_fitted(self)
        return validate_data(self, X, accept_sparse="csr", reset=False)

    def __sklearn_clone__(self) -> "_Glm":
        """As any other, but for the communicator, which can't be copied."""
        given = self.get_params(deep=False)
        return type(self)(**{name: value if name == "comm" else deepcopy(value) for name, value in given.items()})

    def __getstate__(self) -> Any:
        """As of any other, but where ranks share it: elsewhere it would be fitted to the rows of one of them, in silence."""
        if self._shared:
            raise InputError(
                "an estimator with comm can't go to another process, as n_jobs has it do, or into a file: leave one out; "
                "result_.save keeps the model"
            )
        return super().__getstate__()

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


@dataclass(eq=False, repr=False, kw_only=True)
class GLMRegressor(RegressorMixin, _Glm):  # type: ignore[misc]
    """A linear model of numbers: least squares, counts, amounts, robust losses, by name.

    It is fitted to the same bits as by ``mpi_pgd.fit``, and with ``comm`` collectively: every rank of it calls ``fit`` with the
    rows that it has, in the order of the ranks, and gets the same model. ``predict`` and ``score`` are each rank's own.

    Args:
        loss: that of the setting, for numbers; or a function of yours, ``FILE.py:function``.
        l1, l2: the penalties' strengths, on the scaled features; ``joint`` groups a feature's weights of several targets.
        lower, upper: bounds of the weights, in the features' units: a number, or (p,).
        fit_intercept: whether there is to be one.
        standardize, solver, tol: as of the settings.
        max_rounds: at most so many rounds.
        huber_delta, tweedie_power, theta: of the losses that have such; ``momentum``, ``batch``, ``schedule``, ``seed`` of solvers.
        comm: the ranks that take part; by default this one alone.

    Attributes:
        result_: what ``mpi_pgd.fit`` gave: predictions, certificate, history, record.
        coef_: (p,), in the features' units; (k, p) of k targets.
        intercept_: a number; (k,).
        n_iter_: the rounds.
        n_features_in_, feature_names_in_: as of any estimator.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "GLMRegressor":
        """Fit it to rows X (rows, p), an array, a frame or a sparse matrix, with y (rows,) or (rows, k), and weights (rows,).

        Raises:
            InputError: a ``ValueError``: settings or targets can't be used; with several ranks on all alike.
        """
        rows, targets, weights = self._checked(lambda: self._rows(X, y, sample_weight, y_numeric=True, multi_output=True))
        self._fit(rows, targets, weights, self.loss)
        found = self.result_
        self.coef_, self.intercept_ = found.coef.T if found.coef.ndim == 2 else found.coef, found.intercept
        return self

    def predict(self, X: Any) -> Rows:
        """The mean of each row's target, (rows,) or (rows, k)."""
        return self._model.predict(self._given(X))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R2 of least squares; of other losses the share of the null model's that is gone, as the deviance explained, D2."""
        if self._law(self.loss).centred:
            return float(super().score(X, y, sample_weight))
        return self._model.score(self._given(X), column_or_1d(y), sample_weight)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        with_one = TargetFacts(1.0, 2.0, True, (), 1)
        law = self._law(self.loss)
        tags.target_tags.multi_output = _takes(law, with_one._replace(columns=2))
        tags.target_tags.positive_only = not _takes(law, with_one._replace(least=-1.0))
        return tags


def _takes(law: Loss, facts: TargetFacts) -> bool:
    try:
        law.labels(facts)
    except InputError:
        return False
    return True


def _knows_chances(self: "GLMClassifier") -> bool:
    return self.loss == AUTO or self._law(self.loss).probabilities(np.zeros((1, 1))) is not None


@dataclass(eq=False, repr=False, kw_only=True)
class GLMClassifier(ClassifierMixin, _Glm):  # type: ignore[misc]
    """A linear model of classes: logistic and multinomial regression, or a support vector machine, by name.

    It is fitted as ``GLMRegressor`` is, whose parameters and attributes it has but for these.

    Args:
        loss: ``auto``, the logistic one of two classes, the multinomial one of more; or one for classes by its name.

    Attributes:
        classes_: (k,), of all ranks' rows, ascending.
        coef_: (1, p) of two classes, (k, p) of more, or of ``softmax``.
        intercept_: (1,), (k,).
    """

    loss: str = AUTO

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "GLMClassifier":
        """Fit it to rows X (rows, p), with labels y (rows,) of any kind, and weights (rows,).

        Raises:
            InputError: as of ``GLMRegressor``.
        """

        def checked() -> tuple[Any, Rows, Vector | None]:
            rows, labels, weights = self._rows(X, y, sample_weight)
            labels = column_or_1d(labels, warn=True)
            if len(labels):
                check_classification_targets(labels)
            return rows, labels, weights

        rows, labels, weights = self._checked(checked)
        found = np.unique(labels)
        if self.comm is not None:
            found = np.unique(np.concatenate([each for each in self.comm.allgather(found) if len(each)]))
        if len(found) < 2:
            raise InputError(f"y has one class alone, {found[0]!r}: expected two classes or more")
        self.classes_ = found
        numbers = np.searchsorted(found, labels if len(labels) else found[:0]).astype(np.float64)
        self._fit(rows, numbers, weights, self._chosen(len(found)))
        model = self.result_
        self.coef_ = np.atleast_2d(model.coef.T)
        self.intercept_ = np.atleast_1d(model.intercept)
        return self

    def _chosen(self, classes: int) -> str:
        """The name of the loss: by default the first that takes so many classes."""
        if self.loss != AUTO:
            return self.loss
        facts = TargetFacts(0.0, classes - 1.0, True, tuple(map(float, range(classes))), 1)
        return next(name for name in LOSSES if (law := self._law(name)).sorts and _takes(law, facts))

    def predict(self, X: Any) -> Rows:
        """The likeliest class of each row, (rows,)."""
        numbers = self._model.predict(self._given(X)).astype(np.intp)
        found: Rows = self.classes_[numbers]
        return found

    def decision_function(self, X: Any) -> Vector:
        """The linear predictors: of two classes (rows,), else (rows, k)."""
        return self._model.decision_function(self._given(X))

    @available_if(_knows_chances)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Vector:
        """Each class's probability, (rows, k)."""
        return self._model.predict_proba(self._given(X))

    @available_if(_knows_chances)  # type: ignore[untyped-decorator]
    def predict_log_proba(self, X: Any) -> Vector:
        """Its logarithm."""
        with np.errstate(divide="ignore"):
            found: Vector = np.log(self.predict_proba(X))
        return found
