"""What a record is about: its data by name and shape; so that a page does not mix two problems that lie in one folder."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mpi_pgd.errors import printable
from mpi_pgd.report import units
from mpi_pgd.report.records import Record


@dataclass
class Problem:
    """Data that one or more records are about.

    Attributes:
        files: their names; empty if no record has them.
        shape: rows and features; empty if no record has them.
        names: of the records.
    """

    files: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    names: list[str] = field(default_factory=list)

    def title(self) -> str:
        """``diamonds.h5: 53,940 rows, 23 features``, as far as it is known."""
        shape = ", ".join(units.count(number, word) for number, word in zip(self.shape, ("row", "feature"), strict=False))
        return ": ".join(filter(None, (called(self.files), shape))) or "This machine"

    def admits(self, other: "Problem") -> bool:
        """Whether the other one may be the same: what both know is equal, and there is something that both know."""
        known = [(self.files, other.files), (self.shape, other.shape)]
        both = [(mine, theirs) for mine, theirs in known if mine and theirs]
        return all(mine == theirs for mine, theirs in both) and bool(both or not any(map(any, known)))


def called(files: tuple[str, ...]) -> str:
    """Data by the name of their first file."""
    if not files:
        return ""
    name = printable(Path(files[0]).name or files[0])
    return name if len(files) == 1 else f"{name} and {units.count(len(files) - 1, 'other file')}"


def problem(name: str, record: Record) -> Problem:
    """What one record is about."""
    about: Any = record if name == "run" else record.get("inputs" if name == "plan" else "data")
    about = about if isinstance(about, Mapping) else {}
    files = (record.get("config") or {}).get("data") if name == "run" else about.get("files")
    good = isinstance(files, list | tuple) and all(isinstance(file, str) for file in files)
    shape = tuple(about[key] for key in ("rows", "features") if isinstance(about.get(key), int))
    return Problem(tuple(files or ()) if good else (), shape if len(shape) == 2 else (), [name])


def problems(records: Mapping[str, Record]) -> list[Problem]:
    """The records by what they are about, in their order."""
    found: list[Problem] = []
    for name, record in records.items():
        new = problem(name, record)
        same = next((one for one in found if one.admits(new)), None)
        if same:
            same.files, same.shape = same.files or new.files, same.shape or new.shape
            same.names += new.names
        else:
            found.append(new)
    return found
