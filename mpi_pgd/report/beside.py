"""What lies beside run.json, read back: history.csv, trace.json and model.h5."""

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from mpi_pgd.data.files import regular
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.errors import InputError
from mpi_pgd.report.shapes import Record, damaged, document


@dataclass(frozen=True)
class Model:
    """What a run fitted: the content of model.h5, for people.

    Attributes:
        coef: those of all features, and for each of all outputs.
        intercept: one for each output.
        names: of the features, if they have any.
        outputs: their names; one that has none if there is but one.
    """

    coef: Sequence[float]
    intercept: Sequence[float]
    names: Sequence[str]
    outputs: Sequence[str] = ("",)

    @classmethod
    def of(cls, coef: Vector, intercept: float | Vector, names: Sequence[str], outputs: Sequence[str] = ()) -> "Model":
        """From coef (p,) or (p, k), and one or k intercepts; outputs have numbers if they have no names."""
        several = coef.shape[1] if coef.ndim == 2 else 1
        called = outputs if len(outputs) == several else [str(number) for number in range(several)]
        return cls(np.ravel(coef).tolist(), np.ravel(intercept).tolist(), names, called if several > 1 else ("",))

    def name(self, place: int) -> str:
        """Of a coefficient: its feature, x and its number from 0 if that has no name, and its output."""
        feature, output = divmod(place, len(self.outputs))
        called = self.names[feature] if self.names else f"x{feature}"
        return f"{called} of {self.outputs[output]}" if len(self.outputs) > 1 else called

    def intercepts(self, digits: int) -> str:
        """As text."""
        told = [f"{value:.{digits}g}" for value in self.intercept]
        return (
            told[0] if len(told) == 1 else ", ".join(f"{value} of {name}" for value, name in zip(told, self.outputs, strict=True))
        )

    def largest(self) -> list[int]:
        """The places of the coefficients, the largest first."""
        order: list[int] = np.argsort(-np.nan_to_num(np.abs(self.coef), nan=np.inf), kind="stable").tolist()
        return order


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


def model(path: Path, run: Record) -> Model:
    """The content of model.h5. Raises InputError: it is damaged, or of another run."""
    try:
        with h5py.File(path, "r", locking="best-effort") as file:
            coef, intercept = np.asarray(file["coef"][()], "<f8"), np.asarray(file["intercept"][()], "<f8")
            names = [word.decode(errors="replace") for word in file["feature_names"][()]] if "feature_names" in file else []
    except (OSError, LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise InputError(f"{path} is damaged, it can't be read ({' '.join(str(error).split())}): run the fit again") from None
    if hashlib.sha256(np.append(coef, intercept).astype("<f8").tobytes()).hexdigest() != run["weights_sha256"]:
        raise InputError(f"{path} holds other weights than run.json tells of: give the folder of one run, or run the fit again")
    return Model.of(coef, intercept, names if len(names) == len(coef) else [], run.get("classes", ()))


def events(path: Path) -> int:
    """How many are in trace.json. Raises InputError: it is damaged."""
    events = document(path).get("traceEvents")
    if not isinstance(events, list):
        damaged(path, "traceEvents", "a list")
    return len(events)
