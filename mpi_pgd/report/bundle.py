"""The run bundle: model.h5, history.csv, run.json, and trace.json if asked for, in one folder, replaced together or not at all."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mpi_pgd.data.table import Table
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.errors import InputError
from mpi_pgd.model import file
from mpi_pgd.report import trace
from mpi_pgd.system import conflicts, output
from mpi_pgd.system.claims import Claim
from mpi_pgd.system.output import Content

LOCK = ".mpi_pgd.lock"
FILES = (file.NAME, "history.csv", "trace.json", file.RECORD)  # the last one tells that all are there
HISTORY = "round,objective,gradient_norm,"  # how history.csv begins
Timeline = tuple[Sequence[str], int, Vector]  # see ``trace.write``


class Source(NamedTuple):
    """Where rows come from: all files behind them, absolute, and the names of the data sets."""

    files: tuple[str, ...]
    x: str
    y: str

    @classmethod
    def of(cls, table: Table) -> "Source":
        """Those of a table."""
        return cls(tuple(stamp.path for part in table.parts for stamp in part.files), table.x, table.y)


class Bundle(NamedTuple):
    """What is written.

    Attributes:
        record: what run.json holds.
        history: columns of equal length.
        coef, intercept: (p,) float64 and a number, in the user's units; (p, k) and (k,) of a model of k > 1 outputs.
        names: of the features, or none.
        recipe: how a table's columns became the features, as text; "" if they were none.
        timeline: what trace.json is to hold; without it, one of an earlier run goes.
    """

    record: Mapping[str, Any]
    history: Mapping[str, Sequence[float]]
    coef: Vector
    intercept: float | Vector
    names: Sequence[str]
    recipe: str = ""
    timeline: Timeline | None = None


def claim(folder: str, names: Sequence[str] = FILES, *, again: bool = False) -> Claim:
    """Make the folder, and see that it can be written, by nobody else: now, not after the work. Raises InputError: it can't."""
    return Claim(f"--out {folder}", Path(folder), names, LOCK, again=again)


def spare(folder: str, source: Source, force: bool) -> None:
    """Refuse to write a bundle into the folder over anything but an earlier one of the same rows.

    Raises InputError: something would be lost, and the user has not said, by ``force``, that all may be.
    """

    def table(path: Path) -> str:
        return "" if output.begins(path, trace.HEAD if path.suffix == ".json" else HISTORY) else file.UNKNOWN

    def run(path: Path) -> str:
        found = output.says(path)
        return other_rows(found, source) if {"status", "weights_sha256", "config"} <= set(found) else file.UNKNOWN

    judges = zip(FILES, (file.other, table, table, run), strict=True)
    conflicts.spare(f"--out {folder}", {Path(folder, name): judge for name, judge in judges}, force)


def other_rows(found: Mapping[str, Any], source: Source) -> str:
    """Why a record, of a fit or of a study, is of other rows than ``source``; nothing if it is not, or does not tell."""
    config, files = found.get("config"), found.get("files")
    if isinstance(files, list):
        names = [file.get("path") for file in files if isinstance(file, dict)]
        if names != output.readable(source.files):
            return f"is of other rows ({', '.join(map(str, names[:3]))}{', ...' * (len(names) > 3)})"
    if isinstance(config, dict) and [config.get("x"), config.get("y")] != output.readable(source[1:]):
        return f"is of other data sets ({config.get('x')} and {config.get('y')})"
    return ""


def write(claim: Claim, bundle: Bundle) -> None:
    """Write the bundle over what is there, which may be lost (see ``spare``).

    Raises InputError: the disk is full, or the folder has gone; what was there is as it was.
    """
    gone = {} if bundle.timeline else {"trace.json": None}
    try:
        claim.replace({**_contents(bundle), **gone})
    except (OSError, RuntimeError) as error:
        words = f"the run could not be written to {claim.folder} ({output.reason(error)}), what was there is as it was"
        raise InputError(f"{words}: make room") from None


def rehearse(folder: str, bundle: Bundle) -> None:
    """Write it and remove it again: what can't be written is known before the work. Raises InputError: there is no room."""
    try:
        output.rehearse({Path(folder, name): content for name, content in _contents(bundle).items()})
    except (OSError, RuntimeError) as error:
        raise InputError(f"--out {folder} can't be written ({output.reason(error)}): give a folder that can") from None


def _contents(bundle: Bundle) -> dict[str, Content]:
    history, timeline = bundle.history, bundle.timeline

    kept = file.Kept(bundle.coef, bundle.intercept, tuple(bundle.names), bundle.record, bundle.recipe)
    lines = [",".join(history), *(",".join(map(repr, row)) for row in zip(*history.values(), strict=True))]
    contents: dict[str, Content] = {file.NAME: file.content(kept), "history.csv": output.text("\n".join(lines) + "\n")}
    if timeline:
        contents["trace.json"] = lambda path: trace.write(path, *timeline)
    return {**contents, file.RECORD: output.document(bundle.record)}
