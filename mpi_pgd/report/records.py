"""What lies in a folder: the files of a run and of studies, read and checked before anything is made of them."""

import csv
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from mpi_pgd.data.files import regular
from mpi_pgd.errors import InputError

FORMAT = 1  # of the study files; a change that a reader would notice raises it
PARTS = ("compute", "wait", "wire", "update", "input")  # of a round on one rank; they add up to it

Record = Mapping[str, Any]

# What has to be there. "?" after a key: it may be missing or null. A list holds the shape of each of its items.
_SPLIT = dict.fromkeys(PARTS, "number")
_ROUND = {
    "mode": "text",
    "algorithm": "text",
    "ranks": "whole",
    "workers": "whole",
    "seconds_per_round": "number",
    "low?": "number",
    "high?": "number",
    **_SPLIT,
    "bytes_per_round": "number",
    "server_share?": "number",
    "speedup?": "number",
    "efficiency?": "number",
    "predicted_seconds_per_round?": "number",
    "weights_sha256?": "text",
}
_PROVENANCE = {"machine?": {"hosts?": {}}, "versions?": {}, "command?": "text"}
_FIT = {
    "link": "text",
    "mode?": "text",
    "algorithm?": "text",
    **dict.fromkeys(("alpha", "beta"), "number"),
    **dict.fromkeys(("alpha_low?", "alpha_high?", "beta_low?", "beta_high?", "rms_residual?", "points?", "overhead?"), "number"),
}
_TOGETHER = {"ranks": "whole", "bytes_per_second": "number"}
_STUDIES: dict[str, dict[str, Any]] = {
    "compare": {"rows": [_ROUND], "verdict?": "text", "data?": {}, "baseline?": {}, "winner?": {}},
    "scaling": {
        "rows": [_ROUND | {"scaling": "text", "rows?": "number", "karp_flatt?": "number"}],
        "baselines?": [{"name": "text", "seconds_per_round?": "number", "seconds?": "number", "threads?": "whole"}],
        "best?": {},
        **{key: ["text"] for key in ("findings?", "notes?")},
        "data?": {},
        "jobs?": [{"folder": "text", "ranks": "whole"}],
    },
    "straggler": {
        "rows": [
            {"workers": "whole", "rounds?": "whole"}
            | dict.fromkeys(("mean", "measured_maximum", "theory"), "number")
            | {"seconds_per_round?": "number"}
        ]
    },
    "network": {
        "rows": [
            {"kind": "text", "link": "text", "mode?": "text", "algorithm?": "text", "ranks": "whole"}
            | dict.fromkeys(("bytes", "seconds", "low?", "high?", "fitted_seconds?"), "number above 0")
            | {"residual?": "number"}
        ],
        "fits?": [_FIT],
        "compute?": {"bytes_per_second?": "number", "together?": _TOGETHER, "jitter_seconds?": "number"},
    },
    "plan": {
        "rows": [
            {"mode": "text", "algorithm": "text", "ranks?": "whole", "workers": "whole", "seconds_per_round": "number above 0"}
            | dict.fromkeys(("compute?", "wait?", "latency?", "bandwidth?", "update?"), "number")
            | dict.fromkeys(("fit_seconds?", "core_hours?"), "number")
        ],
        "best?": {},
        "crossovers?": ["text"],
        "notes?": ["text"],
        "inputs?": {},
    },
    "doctor": {"rows": [{"check": "text", "level": "text", "finding": "text", "advice?": "text"}]},
}
_RANK = {"rank": "whole", "node": "text", **_SPLIT, "slowest_rounds?": "whole", "waited_for?": "number", "slowdown?": "number"}
_RUN: dict[str, Any] = {
    "status": "text",
    "mode": "text",
    "algorithm?": "text",
    **dict.fromkeys(("ranks", "workers", "rows", "features", "rounds"), "whole"),
    "objective?": "number",
    "gradient_norm?": "number",
    "r2?": "number",
    "weights_sha256": "text",
    "seconds": dict.fromkeys(("total", "load", "solve"), "number"),
    "bytes_per_round": "number",
    "seconds_per_round?": "number",
    "config?": {},
    "losses?": [
        {"ranks": ["whole"], "nodes": ["text"], "round": "whole", "rows_read": "whole"}
        | dict.fromkeys(("seconds", "cost"), "number")
    ],
    "costs": {
        "rounds": "whole",
        "ranks": [_RANK],
        "sentence?": "text",
        "slowdowns?": {"edges": ["number"], "counts": ["whole"]},
        "timeline?": [{"round": "whole", "rank": "whole", "start": "number", **_SPLIT}],
        "clock_drift?": "number",
    },
}
STUDIES = tuple(_STUDIES)


@dataclass(frozen=True)
class Model:
    """What a run fitted: the content of model.h5."""

    coef: Sequence[float]
    intercept: float
    names: Sequence[str]

    def name(self, column: int) -> str:
        """Of a feature; x and its number from 0, if it has none."""
        return self.names[column] if self.names else f"x{column}"

    def largest(self) -> list[int]:
        """The columns, those of the largest coefficients first."""
        return sorted(range(len(self.coef)), key=lambda column: -abs(self.coef[column]))


@dataclass(frozen=True)
class Records:
    """What one folder holds.

    Attributes:
        folder: where it lies.
        run: run.json, or None.
        history: history.csv by column, equal lengths; empty without one.
        trace: events in trace.json, or None.
        studies: the study files by name, in the order of ``STUDIES``.
        model: model.h5, or None.
    """

    folder: Path
    run: Record | None = None
    history: Mapping[str, Sequence[float]] = field(default_factory=dict)
    trace: int | None = None
    studies: Mapping[str, Record] = field(default_factory=dict)
    model: Model | None = None

    def all(self) -> dict[str, Record]:
        """The run and the studies, by name."""
        return ({"run": self.run} if self.run else {}) | dict(self.studies)


def read(folder: str) -> Records:
    """Read and check what a run or a study left in a folder.

    Raises:
        InputError: no such folder; nothing in it to report; a file that is damaged or of another version.
    """
    path = Path(folder)
    try:
        names = {item.name for item in path.iterdir()}
    except OSError as error:
        hint = "give the folder that it lies in" if path.is_file() else "give the folder that --out named"
        raise InputError(f"{folder} can't be read as a folder ({error.strerror}): {hint}") from None
    studies = {name: _study(path / f"{name}.json", name) for name in STUDIES if f"{name}.json" in names}
    run = _run(path / "run.json") if "run.json" in names else None
    if run is None and not studies:
        expected = ", ".join(f"{name}.json" for name in ("run", *STUDIES))
        raise InputError(f"{folder} holds no run and no study (none of {expected}): give the folder that --out named")
    history = _history(path / "history.csv") if run and "history.csv" in names else {}
    trace = _trace(path / "trace.json") if run and "trace.json" in names else None
    model = _model(path / "model.h5", run) if run and "model.h5" in names else None
    return Records(path, run, history, trace, studies, model)


def _study(path: Path, name: str) -> Record:
    record = _json(path)
    if record.get("format") != FORMAT:
        found = f'"format" {json.dumps(record["format"])}' if "format" in record else 'no "format"'
        raise InputError(
            f"{path} was written by another version of mpi_pgd ({found}, expected {FORMAT}): make the study again with this one"
        )
    if record.get("study") != name:
        raise InputError(f"{path} holds another study ({json.dumps(record.get('study'))}): was it renamed?")
    check(path, record, _STUDIES[name] | _PROVENANCE, "")
    if not record["rows"] and not record.get("notes"):  # a network of one rank: the notes say why
        raise InputError(f"{path} holds no rows: make the study again")
    return record


def _run(path: Path) -> Record:
    record = _json(path)
    if "costs" not in record:
        raise InputError(f'{path} was written by another version of mpi_pgd (no "costs" in it): run the fit again with this one')
    check(path, record, _RUN | _PROVENANCE, "")
    if not record["costs"]["ranks"]:
        _damaged(path, "costs.ranks", "at least one rank")
    slowdowns = record["costs"].get("slowdowns")
    if slowdowns and len(slowdowns["edges"]) - len(slowdowns["counts"]) not in (0, 1):
        _damaged(path, "costs.slowdowns", "one edge more than counts")
    return record


def _json(path: Path) -> Record:
    regular(path)
    try:
        value = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair can't be written again
    except OSError as error:
        raise InputError(f"{path} can't be read ({error.strerror}): give a folder whose files can") from None
    except (ValueError, RecursionError) as error:  # undecodable bytes, too
        raise InputError(f"{path} is damaged, it is not JSON ({error}): make it again") from None
    if not isinstance(value, dict):
        _damaged(path, "the file", "an object")
    return value


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _history(path: Path) -> dict[str, list[float]]:
    regular(path)
    try:
        lines = list(csv.reader(path.read_text(encoding="utf-8").splitlines(), strict=True))
        head, rows = lines[0], [[float(cell) for cell in line] for line in lines[1:]]
        columns = {name: [row[place] for row in rows] for place, name in enumerate(head)}
        missing = [name for name in ("round", "objective", "gradient_norm") if name not in columns]
    except OSError as error:
        raise InputError(f"{path} can't be read ({error.strerror}): give a folder whose files can") from None
    except (ValueError, IndexError, csv.Error) as error:
        raise InputError(f"{path} is damaged, it is not a table of numbers ({error}): run the fit again") from None
    if missing:
        raise InputError(f"{path} is damaged, it has no column {missing[0]}: run the fit again")
    return columns


def _model(path: Path, run: Record) -> Model:
    import h5py  # only a run needs it
    import numpy as np

    try:
        with h5py.File(path, "r", locking="best-effort") as file:
            coef, intercept = np.asarray(file["coef"][()], "<f8"), float(file["intercept"][()])
            names = [word.decode(errors="replace") for word in file["feature_names"][()]] if "feature_names" in file else []
    except (OSError, LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise InputError(f"{path} is damaged, it can't be read ({' '.join(str(error).split())}): run the fit again") from None
    if hashlib.sha256(np.append(coef, intercept).astype("<f8").tobytes()).hexdigest() != run["weights_sha256"]:
        raise InputError(f"{path} holds other weights than run.json tells of: give the folder of one run, or run the fit again")
    return Model(coef.tolist(), intercept, names if len(names) == len(coef) else [])


def _trace(path: Path) -> int:
    events = _json(path).get("traceEvents")
    if not isinstance(events, list):
        _damaged(path, "traceEvents", "a list")
    return len(events)


def check(path: Path, value: Any, shape: Any, where: str) -> None:
    """Raise InputError unless ``value``, at ``where`` in the file, has the shape (see ``_SPLIT`` and below)."""
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            _damaged(path, where, "an object")
        for key, inner in shape.items():
            name = key.removesuffix("?")
            if name != key and value.get(name) is None:
                continue
            check(path, value.get(name), inner, f"{where}.{name}".lstrip("."))
    elif isinstance(shape, list):
        if not isinstance(value, list):
            _damaged(path, where, "a list")
        for place, item in enumerate(value):
            check(path, item, shape[0], f"{where}[{place}]")
    elif not _fits(value, shape):
        _damaged(path, where, f"a {shape}" if shape != "whole" else "a whole number")


def _fits(value: Any, shape: str) -> bool:
    if shape == "text":
        return isinstance(value, str)
    kinds = int if shape == "whole" else (int, float)
    if not isinstance(value, kinds) or isinstance(value, bool) or not abs(value) <= sys.float_info.max:  # nor is NaN
        return False
    return value > 0 or shape != "number above 0"  # axes are logarithmic


def _damaged(path: Path, where: str, expected: str) -> NoReturn:
    raise InputError(f"{path} is damaged, {where} is not {expected}: make it again")
