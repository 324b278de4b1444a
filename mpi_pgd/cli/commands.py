"""The program's commands, and what each of them does with the words that were typed."""

import os
import re
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mpi_pgd.errors import InputError, nearest
from mpi_pgd.study import STUDIES, Command

if TYPE_CHECKING:
    from mpi_pgd.cli.arguments import Parser


def _typed(word: str) -> Command:
    """The command of a study, or of all that are typed after the same word."""
    some = {name: command for name, command in STUDIES.items() if command.under == word}
    if not some:
        return STUDIES[word]
    return next(iter(some.values()))._replace(text=f"help {word} says what each is of: {', '.join(some)}")


STUDYING = tuple(dict.fromkeys(command.under or name for name, command in STUDIES.items()))
COMMANDS = {
    "fit": Command("fit a model (what is done if no command is given)"),
    "predict": Command("what a fitted model says of rows, as a file"),
    **{word: _typed(word) for word in STUDYING},
    "mapreduce": Command("a function of yours on every block of rows, and its results reduced", deaf=True),
    "slurm": Command("a batch script for this problem, with the right srun; or submit it", False),
    "report": Command("a run bundle or a study as one HTML file, with pictures and tables", False),
    "data": Command("make rows, and look at them; help data says what there is", False),
}


def module(name: str) -> Any:
    """That of a command; all studies have one."""
    return import_module(f"mpi_pgd.cli.{'study' if name in STUDYING or name in STUDIES else name}")


def parser(name: str, words: Sequence[str] = ()) -> "Parser":
    """The flags of a command, or of a study that is typed after one; of the action that the first of the ``words`` names."""
    action = [word for word in words[:1] if word in getattr(module(name), "ACTIONS", ())]
    made: Parser = module(name).parser(*[name] * (name in STUDYING or name in STUDIES), *action)
    return made


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
