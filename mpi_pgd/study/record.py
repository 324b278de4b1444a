"""What a study leaves: rows and, with them, on what and how they were measured."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mpi_pgd import provenance
from mpi_pgd.report import bundle

FORMAT = 1


def envelope(study: str, nodes: Sequence[str], rows: Sequence[Any], **more: Any) -> dict[str, Any]:
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


def write(folder: str, record: Mapping[str, Any]) -> None:
    """``FOLDER/STUDY.json``, whole or not at all.

    Raises:
        InputError: it can't be written.
    """

    def content(path: Path) -> None:
        path.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n")

    bundle.replace(folder, {f"{record['study']}.json": content})
