"""How good the predictions of some rows are, in one number."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from mpi_pgd import kernel
from mpi_pgd.data.labels import Labels
from mpi_pgd.engine.arrays import Rows, Vector
from mpi_pgd.errors import InputError
from mpi_pgd.losses import Loss


def score(loss: Loss, eta: Vector, y: Rows, weights: Any, labels: Sequence[object]) -> float:
    """As ``Model.score`` says.

    Args:
        loss: of the model.
        eta: (k, rows), the linear predictors.
        y: (rows,) or (rows, k).
        weights: (rows,), or None.
        labels: what is class 0, 1, ...; () of a loss that knows no classes.

    Raises:
        InputError: targets or weights can't be used.
    """
    rows = eta.shape[1]
    given = np.ones(rows) if weights is None else _numbers(weights, "weights")
    if given.shape != (rows,) or not (given >= 0).all() or not given.any():
        raise InputError(
            f"weights were given of shape {given.shape}: expected one a row, ({rows},), none below 0, and one above it"
        )
    if labels:
        if y.shape != (rows,):
            raise InputError(f"y was given of shape {y.shape}: expected a label a row, ({rows},)")
        return kernel.dot(given, (sorted_by(eta, labels) == y).astype(np.float64)) / math.fsum(given)
    targets = _numbers(y, "y")
    targets = np.ascontiguousarray(targets[None] if targets.ndim == 1 else targets.T)
    if targets.shape != eta.shape:
        raise InputError(f"y was given of shape {y.shape}: expected {len(eta)} targets of each of {rows} rows")
    facts = Labels(len(eta))
    facts.note(targets)
    loss.labels(facts.facts())
    return _determined(targets, eta, given) if loss.centred else _explained(loss, targets[0], eta[0], given)


def sorted_by(eta: Vector, labels: Sequence[object]) -> Rows:
    """Each row's label (rows,): of two classes the second where eta is above 0, of more the first with the largest."""
    found: Rows = np.array(labels)[(eta[0] > 0).astype(np.intp) if len(eta) == 1 else eta.argmax(axis=0)]
    return found


def _numbers(values: Any, what: str) -> Vector:
    try:
        found = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{what} has something that is no number ({error}): expected numbers alone") from None
    if not np.isfinite(found).all():
        raise InputError(f"{what} has a value that is missing or not finite: fill it, or leave the row out")
    return found


def _determined(y: Vector, eta: Vector, weights: Vector) -> float:
    """R2, the mean of those of all targets."""
    each = []
    for targets, predicted in zip(y, eta, strict=True):
        away = targets - kernel.dot(weights, targets) / math.fsum(weights)
        whole = kernel.dot(weights, away * away)
        left = targets - predicted
        each.append(1.0 - kernel.dot(weights, left * left) / whole if whole > 0 else math.nan)
    return math.fsum(each) / len(each)


def _explained(loss: Loss, y: Vector, eta: Vector, weights: Vector) -> float:
    """The share of the null model's loss that is gone."""
    least, room = np.empty_like(y), np.empty((loss.rooms, len(y)))
    loss.floor(y, least, room)

    def mean(predictor: Vector) -> float:
        value = np.empty_like(y)
        loss(y, predictor, value, room)  # the slopes take the place of the predictors
        return kernel.dot(weights, value - least) / math.fsum(weights)

    middle = loss.start(np.array([kernel.dot(weights, y) / math.fsum(weights)]))
    found = loss.explained(mean(eta.copy()), mean(np.full_like(y, middle[0])))
    return math.nan if found is None else found
