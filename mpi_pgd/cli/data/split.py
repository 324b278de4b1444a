"""``data split``."""

from typing import Any

from mpi_pgd.cli.arguments import Parser, number
from mpi_pgd.cli.data.rows import add_force, add_names, table_of_one, told
from mpi_pgd.errors import InputError


def parser() -> Parser:
    """Its flags."""
    made = Parser(
        "python -m mpi_pgd data split FILE TRAIN.h5 TEST.h5 [--test 0.2] [--by NAME] [--seed K]",
        "Put each row of a file on one of two sides, where it stays when rows are added.",
    )
    made.add_argument("files", nargs="+", metavar="FILE", help="the file with the rows, and the two to make")
    made.add_argument("--test", default="0.2", metavar="SHARE", help="about which share of the rows is tested with (default: 0.2)")
    made.add_argument("--by", default="", metavar="NAME", help="a feature or a data set: its value decides, not the row's number")
    made.add_argument("--seed", default="0", metavar="K", help="another seed, other sides")
    add_names(made)
    add_force(made)
    return made


def run(arguments: Any) -> int:
    """Write both files, and say how many rows each has."""
    from mpi_pgd.data.split import split

    if len(arguments.files) != 3:
        raise InputError(f"data split was given {len(arguments.files)} files: expected three, FILE, TRAIN.h5 and TEST.h5")
    share, seed = number(arguments, "test", float), number(arguments, "seed", int, least=0)
    if not 0 < share < 1:
        raise InputError(f"--test was given {arguments.test!r}: expected a share between 0 and 1, as 0.2")
    file, train, test = arguments.files
    table = table_of_one(file, arguments)
    counts = split(table, train, test, share, arguments.by, seed, arguments.force, told(arguments))
    for path, rows in zip((train, test), counts, strict=True):
        print(f"{path}: {rows:,} rows")
    return 0
