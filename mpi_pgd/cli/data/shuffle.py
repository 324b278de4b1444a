"""``data shuffle``."""

from typing import Any

from mpi_pgd.cli.arguments import Parser, number
from mpi_pgd.cli.data.rows import add_force, add_names, table_of_one, told
from mpi_pgd.errors import InputError


def parser() -> Parser:
    """Its flags."""
    made = Parser(
        "python -m mpi_pgd data shuffle FILE OUT.h5 [--seed K]",
        "Put the rows of a file into an order that their number and the seed decide.",
    )
    made.add_argument("files", nargs="+", metavar="FILE", help="the file with the rows, and the one to make")
    made.add_argument("--seed", default="0", metavar="K", help="another seed, another order")
    add_names(made)
    add_force(made)
    return made


def run(arguments: Any) -> int:
    """Write the file."""
    from mpi_pgd.data.shuffle import shuffle

    if len(arguments.files) != 2:
        raise InputError(f"data shuffle was given {len(arguments.files)} files: expected two, FILE and OUT.h5")
    file, out = arguments.files
    seed, table = number(arguments, "seed", int, least=0), table_of_one(file, arguments)
    shuffle(table, out, seed, arguments.force, told(arguments))
    print(f"{out}: {table.rows:,} rows")
    return 0
