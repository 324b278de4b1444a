"""What lies beside run.json, read back: history.csv, trace.json and model.h5."""

import csv
from pathlib import Path

from mpi_pgd.data.files import regular
from mpi_pgd.errors import InputError
from mpi_pgd.model.coefficients import Coefficients
from mpi_pgd.report.shapes import Record, damaged, document


def history(path: Path) -> dict[str, list[float]]:
    """The columns of history.csv, of equal lengths. Raises InputError: it can't be read, or is damaged."""
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


def model(path: Path, run: Record) -> Coefficients:
    """The content of model.h5, for people. Raises InputError: it is damaged, or of another run."""
    from mpi_pgd.model import file  # not above: help needs no h5py

    found = file.read(str(path))
    if file.digest(found.coef, found.intercept) != run["weights_sha256"]:
        raise InputError(f"{path} holds other weights than run.json tells of: give the folder of one run, or run the fit again")
    return Coefficients.of(found.coef, found.intercept, found.feature_names, run.get("words") or run.get("classes", ()))


def events(path: Path) -> int:
    """How many are in trace.json. Raises InputError: it is damaged."""
    events = document(path).get("traceEvents")
    if not isinstance(events, list):
        damaged(path, "traceEvents", "a list")
    return len(events)
