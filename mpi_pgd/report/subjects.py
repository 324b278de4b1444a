"""What a record is about: its data by name and shape; so that a page does not mix two problems that lie in one folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mpi_pgd.errors import printable
from mpi_pgd.report import units


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

    @classmethod
    def of(cls, name: str, about: Any, files: Any = None) -> "Problem":
        """What one record is about; ``about`` has its shape and, unless they are given, its files."""
        about = about if isinstance(about, Mapping) else {}
        files = files or about.get("files")
        good = isinstance(files, list | tuple) and all(isinstance(file, str) for file in files)
        shape = tuple(about[key] for key in ("rows", "features") if isinstance(about.get(key), int))
        return cls(tuple(files) if good else (), shape if len(shape) == 2 else (), [name])

    def title(self) -> str:
        """``diamonds.h5: 53,940 rows, 23 features``, as far as it is known."""
        shape = ", ".join(units.count(number, word) for number, word in zip(self.shape, ("row", "feature"), strict=False))
        return ": ".join(filter(None, (called(self.files), shape))) or "Other records"

    def admits(self, other: "Problem") -> bool:
        """Whether the other one is about these data: by name, or, if it has none, by shape."""
        shapes = not self.shape or not other.shape or self.shape == other.shape
        return shapes and (self.files == other.files or bool(not other.files and self.shape and other.shape))


def called(files: tuple[str, ...]) -> str:
    """Data by the name of their first file."""
    if not files:
        return ""
    name = printable(Path(files[0]).name or files[0])
    return name if len(files) == 1 else f"{name} and {units.count(len(files) - 1, 'other file')}"


def problems(every: Sequence[Problem]) -> list[Problem]:
    """The records by the data that they are about, each given alone; all together, unless they name two."""
    order = [name for one in every for name in one.names]
    found: list[Problem] = []
    other = Problem()
    for new in sorted(every, key=lambda one: not one.files):  # those without a name come to one that has it
        same = next((one for one in found if one.admits(new)), None)
        if same:
            same.shape = same.shape or new.shape
            same.names += new.names
        elif new.files:
            found.append(new)
        else:
            other.names += new.names
    if len(found) < 2:
        return [Problem(names=order)]
    for one in found:
        one.names.sort(key=order.index)
    return found + ([other] if other.names else [])
