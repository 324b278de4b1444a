"""A kind of record: what has to be in it, and what the report says and shows of it."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from mpi_pgd.report import units
from mpi_pgd.report.export import Table
from mpi_pgd.report.shapes import Record, Shape
from mpi_pgd.report.subjects import Problem, called
from mpi_pgd.report.theme import Picture

PROVENANCE: Shape = {"machine?": {"hosts?": {}}, "versions?": {}, "command?": "text"}  # of every record


class Kind:
    """One kind of record; a run, or a study.

    Attributes:
        name: of its file, without .json; that of the class in small letters.
        title: of its section.
        shape: of the record (see ``shapes``).
        lead: of the records of a folder, the sentence of the lowest stands above all.
        formulas: those behind its figures, by their names in formulas.html.
        fingerprints: whether its rows tell the weights that they came to.
    """

    title: ClassVar[str]
    shape: ClassVar[Shape]
    lead: ClassVar[int] = 2
    formulas: ClassVar[tuple[str, ...]] = ()
    fingerprints: ClassVar[bool] = False

    def __init__(self) -> None:
        self.name = type(self).__name__.lower()

    def sentence(self, record: Record) -> str:
        """What somebody in a hurry reads."""
        raise NotImplementedError

    def tables(self, record: Record) -> list[Table]:
        """Its tables."""
        raise NotImplementedError

    def pictures(self, record: Record) -> list[Picture]:
        """Its pictures."""
        return []

    def facts(self, record: Record) -> list[tuple[str, str]]:
        """Figures that are no table."""
        return []

    def remarks(self, record: Record) -> list[str]:
        """Further sentences, one a line."""
        found = [line for key in ("findings", "crossovers", "notes") for line in record.get(key) or []]
        found += [f"unreliable, as {line}" for line in record.get("doubts") or []]
        return [line for line in found if line != self.sentence(record)]

    def problem(self, record: Record) -> Problem:
        """The data that it is about."""
        return Problem.of(self.name, record.get("data"))

    def subject(self, record: Record) -> str:
        """The data in words that a sentence begins with, if they are known."""
        data = called(self.problem(record).files)
        return data and f"On {data}"

    def headline(self, record: Record) -> str:
        """The sentence, with the name of the data."""
        sentence, subject = self.sentence(record), self.subject(record)
        return f"{subject}: {sentence[:1].upper()}{sentence[1:]}" if subject and sentence else sentence


def mark(record: Record) -> str:
    """What a study that was not measured says beside its figures."""
    return next((word for word in ("predicted", "simulated") if record.get(word)), "")


def label(record: Record, predicted: bool = False) -> str:
    """What stands beside figures: that they are not measured, or some of them not; that they are unreliable."""
    word = mark(record) or ("measured and predicted" if predicted else "")
    return ", ".join(filter(None, (word, "unreliable" if record.get("doubts") else "")))


def way(row: Record) -> str:
    """A mode, with its algorithm."""
    algorithm = row.get("algorithm")
    return f"{row['mode']} ({algorithm})" if algorithm else str(row["mode"])


def flat(values: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    """Settings as the study names them, nested ones by their path."""
    found: list[tuple[str, str]] = []
    for key, value in values.items():
        path = f"{above}{key.replace('_', ' ')}"
        if isinstance(value, dict):
            found += flat(value, f"{path}, ")
        elif value is not None:
            found.append((path, plain(value)))
    return found


def plain(value: Any) -> str:
    """A setting as text."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:,}" if isinstance(value, int) else units.digits(value)
    return json.dumps(value)
