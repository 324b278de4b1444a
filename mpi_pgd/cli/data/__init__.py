"""``data ACTION``, without ranks: an action is a file here and a line in ``ACTIONS``, with ``parser()`` and ``run(arguments)``."""

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mpi_pgd.errors import InputError, nearest

if TYPE_CHECKING:
    from mpi_pgd.cli.arguments import Parser

ACTIONS = {
    "make": "synthetic rows with known weights",
    "convert": "a table, such as CSV, into HDF5",
    "info": "what is in files, and what each rank would hold",
    "check": "what columns are like, and what may be wrong with them",
    "split": "the rows of a file in two, for training and for testing",
    "shuffle": "the rows of a file in another order",
}


def main(words: Sequence[str]) -> int:
    """Do what the first of the words says."""
    name = words[0] if words else "nothing"
    if name not in ACTIONS:
        raise InputError(f"data was given {name}{nearest(name, ACTIONS)}: expected one of {', '.join(ACTIONS)}")
    code: int = _action(name).run(parser(name).read(words[1:]))
    return code


def parser(action: str = "") -> "Parser":
    """The flags of an action; without one, which there are."""
    from mpi_pgd.cli.arguments import Parser

    if action:
        made: Parser = _action(action).parser()
        return made
    there = [f"  {name:<12}{text}" for name, text in ACTIONS.items()]
    return Parser(
        "python -m mpi_pgd data ACTION ...", "\n".join(["actions; each has a page of its own, help data ACTION:", *there])
    )


def _action(name: str) -> Any:
    return import_module(f"mpi_pgd.cli.data.{name}")
