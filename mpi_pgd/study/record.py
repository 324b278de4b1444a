"""What a study leaves: rows and, with them, on what and how they were measured."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mpi_pgd.errors import InputError
from mpi_pgd.report import bundle
from mpi_pgd.report.records import FORMAT
from mpi_pgd.session import provenance
from mpi_pgd.system import conflicts, output
from mpi_pgd.system.claims import Claim


def envelope(study: str, nodes: Sequence[str], /, *, rows: Sequence[Any], **more: Any) -> dict[str, Any]:
    """The record of a study on ranks whose nodes are ``nodes``."""
    return {
        "study": study,
        "format": FORMAT,
        **more,
        "rows": rows,
        "machine": provenance.machine(nodes),
        "command": provenance.command(len(nodes)),
        "versions": provenance.versions(),
    }


def claim(folder: str, study: str) -> Claim:
    """Make the folder, and see that ``FOLDER/STUDY.json`` can be written, by nobody else. Raises InputError: it can't."""
    return bundle.claim(folder, [f"{study}.json"])


def spare(folder: str, study: str, force: bool, rows: bundle.Source | None = None) -> None:
    """Refuse to write ``FOLDER/STUDY.json`` over anything but an earlier one, of the same rows if it is of some.

    Raises InputError: something would be lost, and the user has not said, by ``force``, that it may.
    """
    path = Path(folder, f"{study}.json")

    def judge(path: Path) -> str:
        found = output.says(path)
        if found.get("study") != study:
            return f"no study {study} has written"
        return bundle.other_rows(found, rows) if rows else ""

    if rows:
        conflicts.protect([(path, f"--out {folder}")], rows.files)
    conflicts.spare(f"--out {folder}", {path: judge}, force)


def write(claimed: Claim, record: Mapping[str, Any]) -> Path:
    """``FOLDER/STUDY.json``, whole or not at all; gives its name. Raises InputError: it can't be written."""
    path = claimed.folder / f"{record['study']}.json"
    try:
        claimed.replace({path.name: output.document(output.readable(record))})
    except (OSError, RuntimeError) as error:
        raise InputError(f"{path} can't be written ({output.reason(error)}), what was there is as it was: make room") from None
    return path
