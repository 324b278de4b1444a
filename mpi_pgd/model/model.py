"""A fitted model, as ``fit`` returns it and ``load`` reads it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from mpi_pgd.data.names import Names
from mpi_pgd.data.words import Words
from mpi_pgd.engine.arrays import Rows, Vector
from mpi_pgd.errors import InputError
from mpi_pgd.losses import LOSSES, Loss, loss_of
from mpi_pgd.model import file
from mpi_pgd.model.coefficients import Coefficients
from mpi_pgd.model.rows import predictors
from mpi_pgd.model.score import score, sorted_by
from mpi_pgd.options import options_of


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """A linear model: eta = X coef + intercept, of which its loss makes predictions.

    Where X (rows, p) is asked for it may be an array or an h5py data set of any real numbers, nested lists, a data frame, whose
    columns are picked by name if the model has names, or made into features as those of the table that it was fitted to; or a
    sparse matrix of scipy's. Chunks of it are looked at one after the other; those of a file are read when they are. A row's
    prediction has the same bits whatever rows are beside it.

    Attributes:
        coef: (p,) float64, in the features' own units; (p, k) of a model of k > 1 outputs.
        intercept: 0 if none was fitted; (k,) likewise.
        feature_names: (p,), or () if there are none.
        record: what run.json holds of the fit; ``{"config": {...}}`` at least.
        recipe: how a table's columns become features, as text; "" if there is none.
    """

    coef: Vector
    intercept: float | Vector = 0.0
    feature_names: Names = ()
    record: Mapping[str, Any] = field(default_factory=dict)
    recipe: str = ""

    @property
    def config(self) -> Mapping[str, Any]:
        """The settings of the fit, as far as they are known."""
        found: Mapping[str, Any] = self.record.get("config", {})
        return found

    @property
    def loss(self) -> str:
        """Its name; that of a function, if it is one of a user's."""
        return str(self.config.get("loss", "squared"))

    @property
    def classes(self) -> tuple[float, ...] | Words:
        """The classes in order, words or truth values if the targets of the fit were such, else the targets themselves.

        () if the loss knows none, or a file of an earlier version does not tell.
        """
        return tuple(self.record.get("words") or self.codes)

    @property
    def codes(self) -> tuple[float, ...]:
        """The numbers that are class 0, 1, ... in the rows of the fit; () likewise."""
        return tuple(self.record.get("classes", ()))

    @property
    def status(self) -> str:
        """Why the fit ended; "" if that is not known."""
        return str(self.record.get("status", ""))

    @property
    def r2(self) -> float | None:
        """The share of the targets' variance, or of the null model's loss, that the model explains in the rows of the fit."""
        return self.record.get("r2")

    @property
    def law(self) -> Loss:
        """The loss itself, with its options.

        Raises:
            InputError: there is no such loss, or the file of a user's is not there.
        """
        if self.loss not in LOSSES and ":" not in self.loss:
            raise InputError(f"the model is of the loss {self.loss}, which this version does not know: install a later one")
        defaults = {name: item.default for name, item in options_of(LOSSES.values()).items()}
        return loss_of(SimpleNamespace(**{**defaults, **self.config, "loss": self.loss}))

    def decision_function(self, X: Any, offset: Any = None) -> Vector:
        """The linear predictor eta = X coef + intercept + offset of each row: (rows,), or (rows, k) of k > 1 outputs.

        Args:
            X: see above.
            offset: (rows,), what is added to each row's; by default nothing, whatever the fit was given.

        Raises:
            InputError: X has other features, or a value that is missing or not finite.
        """
        return self._turned(self._eta(X, offset))

    def predict(self, X: Any, offset: Any = None) -> Rows:
        """The mean of each row's target, in its units: (rows,), or (rows, k); of classes one of ``classes`` for each.

        Raises:
            InputError: as ``decision_function``; or what eta means is not known, of a loss of a user's that has no ``mean``.
        """
        eta = self._eta(X, offset)
        if self._sorts:
            return sorted_by(eta, self._labels(len(eta)))
        mean = self.law.mean(eta if len(eta) > 1 else eta[0])
        if mean is None:
            raise InputError(
                f"{self.loss} does not say what a target's mean is: give it an attribute mean(eta), or take decision_function"
            )
        return self._turned(mean) if mean.ndim == 2 else mean

    def predict_proba(self, X: Any, offset: Any = None) -> Vector:
        """Each class's probability, (rows, classes), in the order of ``classes``.

        Raises:
            InputError: as ``decision_function``; or the loss has no probabilities.
        """
        eta = self._eta(X, offset)
        found = self.law.probabilities(eta if len(eta) > 1 else eta[0])
        if found is None:
            raise InputError(f"the loss {self.loss} has no probabilities: take predict or decision_function")
        return np.ascontiguousarray(found.T)

    def score(self, X: Any, y: Any, weights: Any = None, offset: Any = None) -> float:
        """How good the predictions of some rows are: 1 is best.

        Of classes the accuracy, the share of rows whose label is found. Of least squares R2, of several targets the mean of
        theirs. Of other losses the share of the null model's loss, above its floor, that is gone: the deviance explained, D2. The
        null model has the intercept alone that suits the mean of these targets.

        Args:
            X: (rows, p), see above.
            y: (rows,), or (rows, k) of k targets; of classes these, or the numbers that they have in the rows of the fit.
            weights: (rows,), how much each row counts; by default all once.
            offset: as of ``predict``.

        Returns:
            A number; NaN where all targets are alike.
        """
        eta = self._eta(X, offset)
        y, known = np.asarray(y), self._labels(len(eta)) if self._sorts else ()
        return score(self.law, eta, y, weights, self.codes if known and y.dtype.kind in "fiu" else known)

    def summary(self) -> str:
        """How the fit ended, how good it is, and all coefficients: lines of text."""
        from mpi_pgd.report.tables import fitted

        return fitted(self._kind, self.record, self.coefficients, every=True)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a file, or as model.h5 into a folder, whole or not at all; ``mpi_pgd.load`` reads it.

        Raises:
            InputError: that can't be done, or there is something there that is no model.
        """
        file.write(path, file.Kept(self.coef, self.intercept, self.feature_names, self.record, self.recipe))

    @property
    def coefficients(self) -> Coefficients:
        """One after the other, with their names."""
        return Coefficients.of(self.coef, self.intercept, self.feature_names, self.classes)

    def __repr__(self) -> str:
        from mpi_pgd.report.tables import fitted

        return fitted(self._kind, self.record, self.coefficients)

    def _repr_html_(self) -> str:
        from mpi_pgd.report.tables import fitted_html

        return fitted_html(self._kind, self.record, self.coefficients)

    @property
    def _kind(self) -> str:
        return f"mpi_pgd.{type(self).__name__}"

    @property
    def _sorts(self) -> bool:
        """Whether it predicts classes."""
        return self.law.sorts

    def _labels(self, outputs: int) -> tuple[float, ...] | Words:
        if len(self.classes) != max(2, outputs):
            raise InputError(
                "the model does not say which targets its classes are, as it was written by an earlier version: "
                "fit it again, or take predict_proba or decision_function"
            )
        return self.classes

    def _eta(self, X: Any, offset: Any) -> Vector:
        """(k, rows)."""
        if self.config.get("model"):
            raise InputError(f"the model {self.config['model']} is one of your own: it alone knows what to make of its weights")
        coef = self.coef.reshape(len(self.coef), -1).T
        eta = predictors(X, np.ascontiguousarray(coef), self.feature_names, self.recipe)
        eta += np.reshape(self.intercept, (-1, 1))
        if offset is not None:
            given = np.asarray(offset, dtype=np.float64)
            if given.shape != eta.shape[1:]:
                raise InputError(f"offset was given of shape {given.shape}: expected one a row, {eta.shape[1:]}")
            eta += given
        return eta

    def _turned(self, found: Vector) -> Vector:
        return found[0] if len(found) == 1 else np.ascontiguousarray(found.T)


def load(path: str | os.PathLike[str]) -> Model:
    """The model that ``fit --out DIR``, or ``save``, has written: the folder, or its model.h5. Any version's up to this one.

    Raises:
        InputError: there is none, it is damaged, or none of this program's; or a later version wrote it.
    """
    return Model(*file.read(file.place(path)))
