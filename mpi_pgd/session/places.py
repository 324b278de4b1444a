"""Where a run writes: claimed at the start, looked at before anyone works, and held until the run has ended."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from mpi_pgd.config import Settings
from mpi_pgd.data.hdf5 import Table
from mpi_pgd.recovery import checkpoint
from mpi_pgd.report import bundle
from mpi_pgd.system import output
from mpi_pgd.system.claims import Claim


class Places:
    """Those of a run, for the rank that writes.

    Args:
        stack: ends the claims.

    Attributes:
        out, checkpoint: the claims; None without such a place, and on ranks that have not to write.
    """

    def __init__(self, stack: ExitStack) -> None:
        self.stack = stack
        self.out: Claim | None = None
        self.checkpoint: Claim | None = None

    def claim(self, chosen: Settings, *, again: bool) -> None:
        """Have nobody else write there; once.

        Args:
            chosen: names the places.
            again: another rank of this run, which was lost, may have claimed them.

        Raises:
            InputError: they can't be written, or another run does.
        """
        if chosen.checkpoint and not self.checkpoint:
            self.checkpoint = self.stack.enter_context(checkpoint.claim(chosen.checkpoint, again=again))
        if chosen.out and not self.out:
            self.out = self.stack.enter_context(bundle.claim(chosen.out, again=again))

    def check(self) -> None:
        """Before a checkpoint is written.

        Raises:
            InputError: another run has taken its file over.
        """
        if self.checkpoint:
            self.checkpoint.check()


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
    output.protect(targets(chosen), [*source.files, *([chosen.resume] if chosen.resume and not goes_on else [])])
    if chosen.checkpoint and not goes_on:
        checkpoint.spare(chosen.checkpoint, chosen.as_dict(), chosen.force)
    if chosen.out:
        bundle.spare(chosen.out, source, chosen.force)
        bundle.rehearse(chosen.out, rehearsal())
