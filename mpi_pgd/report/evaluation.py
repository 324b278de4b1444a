"""How good a model is on some rows, as tables: of metrics, outputs, classes, who was taken for whom, and how probable it was."""

from collections.abc import Sequence
from typing import Any

from mpi_pgd.report import units
from mpi_pgd.report.export import MOST, Column, Table
from mpi_pgd.report.shapes import Record, Shape, fields

METRICS = {
    "objective": "Objective: mean loss and penalty",
    "mean_loss": "Mean loss, above the least that there can be",
    "null_loss": "That of a model without features",
    "deviance_explained": "Deviance explained",
    "r2": "R²",
    "rmse": "Root mean square error",
    "mae": "Mean absolute error",
    "bias": "Mean of prediction less target",
    "accuracy": "Accuracy",
    "auc": "Area under the ROC curve",
    "log_loss": "Log loss",
    "brier": "Brier score",
}
_CELLS: Shape = {**fields(number="low high"), "counts": [["whole"]]}
SHAPE: Shape = {
    **fields(text="name kind", whole="rows", number="weight"),
    "metrics": {f"{name}?": "number" for name in METRICS},
    "outputs": [fields(text="name", number="r2? rmse mae bias")],
    "classes": [fields(text="name", number="weight predicted precision? recall? f1? auc?")],
    "confusion?": [["whole"]],
    "calibration?": {**fields(number="low high"), "weight": ["number"], "predicted": ["number"], "found": ["number"]},
    "truth?": _CELLS,
    "residuals?": {**fields(number="low high"), "counts": ["whole"]},
    "spread?": {"counts": [["whole"]]},
}
OWN = "rows of the fit"  # the name of those
KEYS = "abcdefghijklmnopqrstuvwxyz"  # of the columns that are evaluations


def tables(name: str, every: Sequence[Record]) -> list[Table]:
    """Of evaluations of one model; ``name`` begins the names of the files."""
    found = [_metrics(name, every)] if every else []
    for place, one in enumerate(every):
        called, of = f"{place + 1}" if len(every) > 1 else "", f", {one['name']}" if len(every) > 1 else ""
        ending = f"-{called}" * bool(called)
        if len(one["outputs"]) > 1:
            found.append(_table(f"{name}-outputs{ending}", f"Each target{of}", _OUTPUTS, one["outputs"]))
        if one["classes"]:
            found.append(_table(f"{name}-classes{ending}", f"Each class{of}", _CLASSES, one["classes"]))
            found.append(_confusion(f"{name}-confusion{ending}", of, one))
        if one.get("calibration"):
            found.append(_calibration(f"{name}-calibration{ending}", of, one))
    return found


_FIGURES = {"r2": "R²", "rmse": "RMSE", "mae": "MAE", "bias": "Bias"}
_OUTPUTS = (Column("name", "Target"), *(Column(key, head, "precise") for key, head in _FIGURES.items()))
_CLASSES = (
    Column("name", "Class"),
    Column("weight", "Weight", "number"),
    Column("predicted", "Predicted", "number"),
    *(Column(key, key.capitalize(), "precise") for key in ("precision", "recall", "f1")),
    Column("auc", "AUC", "precise"),
)


def _table(name: str, title: str, columns: Sequence[Column], rows: Sequence[Record]) -> Table:
    return Table(name, title, columns, rows, folded=len(rows) > MOST)


def _metrics(name: str, every: Sequence[Record]) -> Table:
    shown = dict(zip(KEYS, every, strict=False))
    columns = (
        Column("metric", "Metric"),
        *(Column(key, f"{one['name']} ({units.count(one['rows'], 'row')})", "precise") for key, one in shown.items()),
    )
    rows: list[dict[str, Any]] = [
        {"metric": head, **{key: one["metrics"].get(metric) for key, one in shown.items()}}
        for metric, head in METRICS.items()
        if any(one["metrics"].get(metric) is not None for one in shown.values())
    ]
    return Table(f"{name}-metrics", "How good the model is", columns, rows)


def _confusion(name: str, of: str, one: Record) -> Table:
    names = [each["name"] for each in one["classes"]]
    columns = (Column("class", "Class"), *(Column(f"as_{place}", f"as {other}", "count") for place, other in enumerate(names)))
    rows = [
        {"class": own, **{f"as_{place}": count for place, count in enumerate(line)}}
        for own, line in zip(names, one["confusion"], strict=True)
    ]
    return Table(name, f"Rows of each class, by the class that was predicted{of}", columns, rows, folded=len(names) > MOST // 3)


def _calibration(name: str, of: str, one: Record) -> Table:
    columns = (
        Column("weight", "Weight", "number"),
        Column("predicted", "Predicted, mean", "precise"),
        Column("found", "Found, mean", "precise"),
    )
    return Table(name, f"Calibration: groups of rows by what was predicted{of}", columns, groups(one), folded=True)


def groups(one: Record) -> list[dict[str, float]]:
    """Those of a calibration that have rows, with their means."""
    of = one["calibration"]
    return [
        {"weight": weight, "predicted": predicted / weight, "found": found / weight}
        for weight, predicted, found in zip(of["weight"], of["predicted"], of["found"], strict=True)
        if weight > 0
    ]


def sentence(one: Record) -> str:
    """The figure that says most of one evaluation."""
    for metric, words in (
        ("accuracy", "{:.4g} of the rows are given their class"),
        ("r2", "R² is {:.4g}"),
        ("deviance_explained", "{:.4g} of the deviance is explained"),
        ("mean_loss", "the mean loss is {:.4g}"),
    ):
        value = one["metrics"].get(metric)
        if value is not None:
            area = one["metrics"].get("auc")
            more = f", and the area under the ROC curve is {area:.4g}" if metric == "accuracy" and area is not None else ""
            return f"{words.format(value)}{more}".replace("-", "\N{MINUS SIGN}")
    return "these rows tell nothing of the model"


_BRIEF = {"r2": "R2", "rmse": "RMSE", "accuracy": "accuracy", "auc": "AUC", "log_loss": "log loss"}


def brief(one: Record) -> str:
    """In a line of a terminal."""
    known = {words: one["metrics"].get(metric) for metric, words in _BRIEF.items()}
    if one["metrics"].get("r2") is None:
        known["D2"] = one["metrics"].get("deviance_explained")
    known["mean loss"] = one["metrics"]["mean_loss"]
    figures = [f"{words} {value:.6g}" for words, value in known.items() if value is not None]
    return f"{one['name']}: {units.count(one['rows'], 'row')}   {'   '.join(figures)}"
