"""Sums and counts of how good a model is, made into figures."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mpi_pgd.drivers.predictor import Predictor
from mpi_pgd.drivers.scores import RANGES, Bins, CountTask, Grids, ScoreTask, losses
from mpi_pgd.engine.arrays import Vector

CELLS, BARS, GROUPS = 40, 41, 10  # of predictions and targets; of residuals; of a calibration
WIDE = 4.0  # deviations to each side of a mean that cells are spread over
CLASSES, NUMBERS, LOSS = "classes", "numbers", "loss"  # what is predicted; or nothing that is known, and there is a loss alone

Parts = Mapping[str, Vector]


def kind(model: Predictor, first: ScoreTask) -> str:
    """What is predicted."""
    if model.classes:
        return CLASSES
    return NUMBERS if first.means else LOSS


def told(
    model: Predictor,
    names: Sequence[str],
    first: ScoreTask,
    sums: Parts,
    second: CountTask | None,
    counts: Parts,
    penalty: float | None,
    areas: Sequence[float | None],
) -> dict[str, Any]:
    """All that is known, as JSON has it.

    Args:
        model: of which it is.
        names: of its outputs, or classes.
        first, sums: how the sums were made, and what they are.
        second, counts: likewise; where there is only a loss there are none.
        penalty: in the objective; None if it is not known.
        areas: under the curve of each class, of two of the second one; none if they were not asked for.
    """
    weight = float(sums["weight"])
    return {
        "weight": weight,
        "kind": kind(model, first),
        "metrics": metrics(model, first, sums, counts, penalty, areas),
        "outputs": outputs(names, sums, counts, weight) if first.means else [],
        "classes": classes(names, sums, counts, areas) if model.classes else [],
        **(counted(model, second, counts, second.grids) if second else {}),
    }


def null(model: Predictor, sums: Parts) -> tuple[Vector, Vector]:
    """The targets' means (k,), and the linear predictors (k,) of a model that knows no features."""
    weight = float(sums["weight"])
    if model.classes:
        shares = sums["shares"] / weight
        return np.zeros(len(model.w)), model.loss.start(shares if len(shares) > 2 else shares[1:])
    centre = sums["target"] / weight
    return centre, model.loss.start(centre - sums["offset"] / weight if model.loss.centred else centre)


def bounds(model: Predictor, null: Vector, centre: Vector, extremes: Vector, most: float) -> dict[str, float]:
    """On the sums of ``CountTask`` over a block whose weights add up to ``most``: hints, as offsets are not in them."""
    least, largest = (float(each) for each in (-extremes[3], extremes[2]))
    ends = np.arange(len(model.classes), dtype=np.float64) if model.classes else np.array([least, largest])
    y = ends if model.classes or len(null) == 1 else np.tile(ends, (len(null), 1))
    eta = np.repeat(null[:, np.newaxis], len(ends), axis=1)
    size, apart = 1.0, 0.0
    if not model.classes:
        size = max(1.0, float(np.abs(extremes[:4]).max()))
        apart = max(float(np.abs(centre - each).max()) for each in ends)
    value = float(np.abs(losses(model, y, eta)).max())
    return {name: most * found for name, found in (("null", value), ("total", apart * apart), ("bins", size), ("hits", 1.0))}


def grids(model: Predictor, first: ScoreTask, sums: Parts) -> Grids | None:
    """Cells from the sums: about the means, as far as there is anything."""
    if model.classes:
        unit = Bins(0.0, 1.0, GROUPS)
        return Grids(unit, unit, unit) if first.likely else None
    if len(model.w) > 1:
        return None
    weight = float(sums["weight"])
    found = dict(zip(RANGES, first.extremes.reshape(-1, 2).tolist(), strict=True))
    predicted, residual = float(sums["predicted"][0]) / weight, float(sums["residual"][0]) / weight
    spread = math.sqrt(max(float(sums["spread"][0]) / weight - predicted * predicted, 0.0))
    left = math.sqrt(max(float(sums["squares"][0]) / weight - residual * residual, 0.0))
    both = math.sqrt(spread * spread + left * left)
    most, least = (max(found["predicted"][side], found["target"][side]) for side in (0, 1))
    return Grids(
        _bins(predicted, both, -least, most, CELLS),
        _bins(residual, left, -found["residual"][1], found["residual"][0], BARS),
        _bins(predicted, spread, -found["predicted"][1], found["predicted"][0], GROUPS),
    )


def _bins(middle: float, deviation: float, least: float, most: float, number: int) -> Bins:
    low, high = max(least, middle - WIDE * deviation), min(most, middle + WIDE * deviation)
    if not high > low:
        low, high = middle - max(abs(middle), 1.0) / 2, middle + max(abs(middle), 1.0) / 2
    return Bins(low, high, number)


def metrics(
    model: Predictor, first: ScoreTask, sums: Parts, counts: Parts, penalty: float | None, areas: Sequence[float | None]
) -> dict[str, float | None]:
    """By name; None is what these rows leave open."""
    weight, floor = float(sums["weight"]), float(sums["floor"])
    mean = (float(sums["loss"]) - floor) / weight
    null = (float(counts["null"]) - floor) / weight if counts else None
    found: dict[str, float | None] = {
        "objective": None if penalty is None else mean + penalty,
        "mean_loss": mean,
        "null_loss": null,
        "deviance_explained": None if null is None else model.loss.explained(mean, null),
    }
    if first.means:
        every = outputs(("",) * len(model.w), sums, counts, weight)
        found |= {name: _mean([one[name] for one in every]) for name in ("r2", "rmse", "mae", "bias")}
    if model.classes:
        found["accuracy"] = float(sums["right"]) / weight
        found["auc"] = _mean(areas) if areas else None
    if first.likely:
        found["log_loss"] = float(sums["loss"]) / weight
        found["brier"] = float(sums["brier"]) / weight / (2 if len(model.classes) == 2 else 1)
    return found


def _mean(values: Sequence[float | None]) -> float | None:
    """None if one of them is."""
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if len(known) == len(values) else None


def outputs(names: Sequence[str], sums: Parts, counts: Parts, weight: float) -> list[dict[str, Any]]:
    """Of each output that is a mean."""
    found = []
    for place, name in enumerate(names):
        left, total = float(sums["squares"][place]), float(counts["total"][place])
        found.append(
            {
                "name": name,
                "r2": 1.0 - left / total if total > 0 else None,
                "rmse": math.sqrt(left / weight),
                "mae": float(sums["sizes"][place]) / weight,
                "bias": -float(sums["residual"][place]) / weight,
            }
        )
    return found


def classes(names: Sequence[str], sums: Parts, counts: Parts, areas: Sequence[float | None]) -> list[dict[str, Any]]:
    """Of each class; what would be 0 over 0 is None."""
    of = [None, *areas] if areas and len(names) == 2 else areas
    found = []
    for place, name in enumerate(names):
        own, told, right = (float(each[place]) for each in (sums["shares"], *counts["hits"]))
        found.append(
            {
                "name": name,
                "weight": own,
                "predicted": told,
                "precision": right / told if told else None,
                "recall": right / own if own else None,
                "f1": 2 * right / (own + told) if own + told else None,
                "auc": of[place] if of else None,
            }
        )
    return found


def counted(model: Predictor, second: CountTask, counts: Parts, grids: Grids | None) -> dict[str, Any]:
    """What was counted, and where."""
    found: dict[str, Any] = {"confusion": second.truth.tolist() if model.classes else None}
    found |= dict.fromkeys(("calibration", "truth", "residuals", "spread"))
    if not grids:
        return found
    lines = counts["bins"].tolist()
    found["calibration"] = {**_told(grids.calibration), "weight": lines[0], "predicted": lines[1], "found": lines[2]}
    if not model.classes:
        found["truth"] = {**_told(grids.value), "counts": second.truth.tolist()}
        found["residuals"] = {**_told(grids.residual), "counts": second.residuals.tolist()}
        found["spread"] = {"counts": second.spread.tolist()}
    return found


def _told(bins: Bins) -> dict[str, float]:
    return {"low": bins.low, "high": bins.high}
