"""Flags of the actions that read rows: which are meant; and of those that write them to other files."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from mpi_pgd import config
from mpi_pgd.cli.arguments import Parser
from mpi_pgd.errors import InputError

if TYPE_CHECKING:
    from mpi_pgd.data.rewritten import Watch
    from mpi_pgd.data.table import Table

NAMES = ("x", "y", "weights", "offset", *config.TABLE)


def add_names(made: Parser) -> None:
    """Which data sets, or columns of a table, are meant."""
    for name in NAMES:
        made.add_setting(name)
    made.add_quiet()


def add_force(made: Parser) -> None:
    """Of those that write."""
    made.add_argument("--force", action="store_true", help="overwrite what is there")


def table_of(paths: Sequence[str], arguments: Any) -> "Table":
    """The checked description of files, one long table."""
    from mpi_pgd.data import hdf5
    from mpi_pgd.session.rows import heard

    given = {name: value for name in NAMES if (value := getattr(arguments, name)) is not None}
    chosen = heard(config.settings({**given, "data": paths, "quiet": arguments.quiet}, config.flag))
    return hdf5.inspect(chosen.data, chosen.x, chosen.y, chosen.weights, chosen.offset)


def table_of_one(path: str, arguments: Any) -> "Table":
    """The same of one file, whose names and attributes are kept. Refuses a glob of several."""
    from mpi_pgd.data import files

    found = files.find([path])
    if len(found) > 1:
        raise InputError(f"{path} stands for {len(found)} files: expected one, whose rows are written; give each by itself")
    return table_of(found, arguments)


def told(arguments: Any) -> "Watch":
    """Tells of each data set that is written."""
    from mpi_pgd.report.progress import steps

    def watch(items: Any) -> Iterable[Any]:
        return steps("data set", items, not arguments.quiet)

    return watch
