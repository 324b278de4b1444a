"""``data convert``."""

from typing import Any

from mpi_pgd import config
from mpi_pgd.cli.arguments import Parser
from mpi_pgd.errors import InputError, printable
from mpi_pgd.system.log import LOG


def parser() -> Parser:
    """Its flags."""
    made = Parser(
        "python -m mpi_pgd data convert IN ... OUT.h5 --target COLUMN [options]",
        "Write a table, such as CSV, as rows in HDF5, with what other tables need to become such rows.",
    )
    made.add_argument("files", nargs="+", metavar="IN ... OUT.h5", help="files of the table, and the file to write")
    for name in config.TABLE:
        made.add_setting(name)
    made.add_argument("--weights", metavar="COLUMN", default="", help="the column with each row's weight")
    made.add_argument("--offset", metavar="COLUMN", default="", help="the column with what is added to each row's linear predictor")
    made.add_argument("--force", action="store_true", help="overwrite what is there")
    made.add_quiet()
    return made


def run(arguments: Any) -> int:
    """Convert."""
    from mpi_pgd.recovery.signals import SignalFlag
    from mpi_pgd.session.tables import watch_of
    from mpi_pgd.tables.convert import convert

    *paths, out = arguments.files
    if not paths:
        raise InputError(f"data convert was given {printable(out)} alone: expected a table, and then the HDF5 file to write")
    given = {name: value for name in config.TABLE if (value := getattr(arguments, name)) is not None}
    chosen = config.settings(given, config.flag)
    with SignalFlag() as flag:
        watch = watch_of(lambda: flag.came, not arguments.quiet)
        made = convert(paths, out, chosen, arguments.weights, arguments.offset, arguments.force, watch=watch)
    for words in made.notes:
        LOG.warning(words)
    if not arguments.quiet:
        print(f"{out}: {made.summary}")
    return 0
