"""The run bundle: model.h5, history.csv, run.json, and trace.json if asked for, in one folder, each whole or not at all."""

import contextlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mpi_pgd.arrays import Vector
from mpi_pgd.errors import InputError
from mpi_pgd.report import trace

Content = Callable[[Path], None]  # writes one file
Timeline = tuple[Sequence[str], int, Vector]  # see ``trace.write``


def prepare(folder: str) -> None:
    """Make the folder, and a file in it, now: not after the hours of work.

    Raises:
        InputError: that can't be done.
    """
    probe = Path(folder, f".{os.getpid()}.part")
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(f"--out {folder} can't be written ({error.strerror}): give a folder that can") from None


def write(
    folder: str,
    record: Mapping[str, Any],
    history: Mapping[str, Sequence[float]],
    coef: Vector,
    intercept: float,
    names: Sequence[str],
    timeline: Timeline | None = None,
) -> None:
    """Write the bundle: all files aside, then each to its name, so that what fails leaves an earlier bundle as it was.

    Args:
        folder: it exists (see ``prepare``).
        record: what run.json holds.
        history: columns of equal length.
        coef, intercept: (p,) float64 and a number, in the user's units.
        names: of the features, or none.
        timeline: what trace.json is to hold; without it, one of an earlier run is removed.

    Raises:
        InputError: the disk is full, or the folder has gone.
    """

    def model(path: Path) -> None:
        with h5py.File(path, "w") as file:
            file["coef"], file["intercept"] = coef, intercept
            if names:
                file["feature_names"] = np.array(names, dtype=h5py.string_dtype())
            for key, value in record["config"].items():
                file.attrs[key] = value if isinstance(value, str | int | float) else json.dumps(value)

    def table(path: Path) -> None:
        lines = [",".join(history), *(",".join(map(repr, row)) for row in zip(*history.values(), strict=True))]
        path.write_text("\n".join(lines) + "\n")

    def run(path: Path) -> None:
        path.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n")

    contents: dict[str, Content] = {"model.h5": model, "history.csv": table, "run.json": run}
    if timeline is not None:
        contents = {"trace.json": lambda path: trace.write(path, *timeline), **contents}
    replace(folder, contents)
    if timeline is None:
        Path(folder, "trace.json").unlink(missing_ok=True)


def replace(folder: str, contents: Mapping[str, Content]) -> None:
    """Write files aside, then give all of them their names.

    Raises:
        InputError: that can't be done; the files that were there are as they were.
    """
    parts = {name: Path(folder) / f".{name}.{os.getpid()}.part" for name in contents}
    try:
        for name, content in contents.items():
            content(parts[name])
        for name, part in parts.items():
            part.replace(Path(folder, name))
    except (OSError, RuntimeError) as error:  # a RuntimeError is how h5py's close hides a full disk
        number = getattr(error, "errno", None)
        reason = os.strerror(number) if number else " ".join(str(error).split())[:200]
        raise InputError(f"the run could not be written to {folder} ({reason}): make room, then fit again") from None
    finally:
        for part in parts.values():
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
