"""Flags of the actions that read rows of one file and write them to others."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from mpi_pgd.cli.arguments import Parser
from mpi_pgd.config import OPTIONS

if TYPE_CHECKING:
    from mpi_pgd.data.rewritten import Watch
    from mpi_pgd.data.table import Table


def add_names(made: Parser) -> None:
    """Which data sets are meant, and what all of them share."""
    for name in ("x", "y", "weights", "offset"):
        made.add_argument(f"--{name}", default=OPTIONS[name].default, metavar="NAME", help=OPTIONS[name].metadata["text"])
    made.add_argument("--force", action="store_true", help="overwrite what is there")
    made.add_quiet()


def table_of(path: str, arguments: Any) -> "Table":
    """The checked description of one file."""
    from mpi_pgd.data import files, hdf5

    (found,) = files.find([path])[:1]
    return hdf5.inspect([found], arguments.x, arguments.y, arguments.weights, arguments.offset)


def told(arguments: Any) -> "Watch":
    """Tells of each data set that is written."""
    from mpi_pgd.report.progress import steps

    def watch(items: Any) -> Iterable[Any]:
        return steps("data set", items, not arguments.quiet)

    return watch
