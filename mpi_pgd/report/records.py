"""What lies in a folder: the records of a run and of studies, read and checked before anything is made of them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mpi_pgd.errors import InputError
from mpi_pgd.report import run
from mpi_pgd.report.kinds import PROVENANCE, Kind
from mpi_pgd.report.shapes import Record, check, document

RUN = "run"
FORMAT = 1  # of the study files; a change that a reader would notice raises it


@dataclass(frozen=True)
class Records:
    """What one folder holds: the records by name, the run first, and of which kind each is."""

    folder: Path
    found: Mapping[str, Record]
    kinds: Mapping[str, Kind]


def read(folder: str, studies: Mapping[str, Kind]) -> Records:
    """Read and check what a run or a study left in a folder.

    Raises InputError: no such folder; nothing in it to report; a file that is damaged or of another version.
    """
    path = Path(folder)
    try:
        names = {item.name for item in path.iterdir()}
    except OSError as error:
        hint = "give the folder that it lies in" if path.is_file() else "give the folder that --out named"
        raise InputError(f"{folder} can't be read as a folder ({error.strerror}): {hint}") from None
    kinds: dict[str, Kind] = {}
    found: dict[str, Record] = {}
    if f"{RUN}.json" in names:
        kinds[RUN], found[RUN] = run.read(path / f"{RUN}.json", names)
    for name, kind in studies.items():
        if f"{name}.json" in names:
            kinds[name], found[name] = kind, study(path / f"{name}.json", kind)
    if not found:
        expected = ", ".join(f"{name}.json" for name in (RUN, *studies))
        raise InputError(f"{folder} holds no run and no study (none of {expected}): give the folder that --out named")
    return Records(path, found, kinds)


def study(path: Path, kind: Kind) -> Record:
    """Read and check a study's record. Raises InputError: it can't be read, or is damaged, of another version or another study."""
    record = document(path)
    if record.get("format") != FORMAT:
        found = f'"format" {json.dumps(record["format"])}' if "format" in record else 'no "format"'
        raise InputError(
            f"{path} was written by another version of mpi_pgd ({found}, expected {FORMAT}): make the study again with this one"
        )
    if record.get("study") != kind.name:
        raise InputError(f"{path} holds another study ({json.dumps(record.get('study'))}): was it renamed?")
    check(path, record, kind.shape | PROVENANCE)
    if not record["rows"] and not record.get("notes"):  # a network of one rank: the notes say why
        raise InputError(f"{path} holds no rows: make the study again")
    return record
