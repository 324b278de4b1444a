"""The program's commands, and what each of them does with the words that were typed."""

import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mpi_pgd.errors import InputError, nearest

if TYPE_CHECKING:
    from mpi4py import MPI


class Command(NamedTuple):
    """One of the program's commands: whether it runs on ranks, and what it does."""

    ranks: bool
    text: str


COMMANDS = {
    "fit": Command(True, "fit a model (what is done if no command is given)"),
    "compare": Command(True, "which mode and algorithm is better for this problem here, and why"),
    "scaling": Command(True, "the speedup curve over the number of ranks"),
    "network": Command(True, "latency and bandwidth of this network, for plan"),
    "plan": Command(False, "predicted rounds for 1 to 4096 workers, from what network measured"),
    "study": Command(True, "study straggler: what the slowest worker costs, against theory"),
    "doctor": Command(True, "what is wrong with this set-up, in seconds"),
    "slurm": Command(False, "a batch script for this problem, with the right srun; or submit it"),
    "report": Command(False, "a run bundle or a study as one HTML file, with pictures and tables"),
    "data": Command(False, "make synthetic rows, or say what is in a file"),
}


def unknown(words: Sequence[str]) -> None:
    """Of words without a known command: whether the first was meant for one.

    Raises:
        InputError: it looks like a command, and there is no file of that name.
    """
    word = words[0] if words else ""
    if re.fullmatch(r"[^\W\d][\w-]*", word) and word not in COMMANDS and not os.path.lexists(word):
        known = ", ".join(COMMANDS)
        raise InputError(
            f"there is no command {word}{nearest(word, [*COMMANDS, 'help'])}: expected one of {known}, or HDF5 files "
            f"(and there is no file {word})"
        )


def complain(error: object) -> None:
    """One line on standard error."""
    print(f"mpi_pgd: {error}", file=sys.stderr, flush=True)


def shared(comm: "MPI.Intracomm", read: Callable[[Sequence[str]], Any], words: Sequence[str]) -> Any:
    """What rank 0 reads from the words, JSON, on every rank. Collective.

    Raises:
        InputError: the words are wrong; on every rank.
    """
    from mpi_pgd.comm import world

    text = ""
    with world.agreement(comm):
        if comm.rank == 0:
            text = json.dumps(read(words))
    return json.loads(world.share(comm, text))
