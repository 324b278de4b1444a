"""Where a run writes, looked at before anyone works."""

import os
from collections.abc import Callable
from pathlib import Path

from mpi_pgd.config import Settings
from mpi_pgd.data import files
from mpi_pgd.data.table import Table
from mpi_pgd.recovery import checkpoint
from mpi_pgd.report import bundle
from mpi_pgd.system import conflicts


def targets(chosen: Settings) -> list[tuple[Path, str]]:
    """Each file that a fit will write, and what the user gave for it."""
    found = [(Path(chosen.out, name), f"--out {chosen.out}") for name in bundle.FILES] if chosen.out else []
    return found + ([(Path(chosen.checkpoint), f"--checkpoint {chosen.checkpoint}")] if chosen.checkpoint else [])


def spare(chosen: Settings, table: Table, rehearsal: Callable[[], bundle.Bundle]) -> None:
    """See that what will be written can be, and that nothing is lost by it.

    Args:
        chosen: names the places.
        table: the rows.
        rehearsal: gives a bundle as it will be, but for its numbers.

    Raises:
        InputError: something would be lost, or can't be written.
    """
    goes_on = chosen.resume != "" and os.path.realpath(chosen.resume) == os.path.realpath(chosen.checkpoint)
    source = bundle.Source.of(table)
    holdouts = files.find(files.named(chosen.validate)) if chosen.validate else ()
    init = os.path.join(chosen.init, bundle.FILES[0]) if chosen.init else ""  # noqa: PTH118
    read = [name for name in (*holdouts, chosen.init, init, chosen.class_weight) if name]
    conflicts.protect(targets(chosen), [*source.files, *read, *([chosen.resume] if chosen.resume and not goes_on else [])])
    if chosen.checkpoint and not goes_on:
        checkpoint.spare(chosen.checkpoint, chosen.as_dict(), chosen.force)
    if chosen.out:
        bundle.spare(chosen.out, source, chosen.force)
        bundle.rehearse(chosen.out, rehearsal())
