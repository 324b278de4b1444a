"""``data info``."""

from typing import TYPE_CHECKING, Any

from mpi_pgd.cli.arguments import Parser, number
from mpi_pgd.cli.data.rows import add_names, table_of
from mpi_pgd.config import ROWS

if TYPE_CHECKING:
    from mpi_pgd.data.table import Table


def parser() -> Parser:
    """Its flags."""
    made = Parser(
        "python -m mpi_pgd data info FILE ... [--ranks N] [options]",
        "Say what is in files, and what each rank would hold.",
    )
    made.add_argument("files", nargs="+", metavar="FILE", help=ROWS)
    made.add_argument("--ranks", default="4", metavar="N", help="show what each of so many ranks would hold")
    add_names(made)
    return made


def run(arguments: Any) -> int:
    """Print it."""
    from mpi_pgd.data.partition import Partition
    from mpi_pgd.modes import MODES
    from mpi_pgd.report.tables import holdings

    ranks = number(arguments, "ranks", int, least=1)
    table = table_of(arguments.files, arguments)
    partition = Partition(table.rows, table.features, table.density)
    print("\n".join(f"{part.path}: {part.rows:,} rows, {part.layout}" for part in table.parts))
    print(f"{table.x}: ({table.rows:,}, {table.features:,}) {table.x_type}   {_targets(table)}")
    print(f"features: {', '.join(table.names) or 'not named'}")
    print("\n".join(f"note: {words}" for words in table.warnings), end="\n" * bool(table.warnings))
    print(f"{partition.blocks:,} blocks of {partition.block_rows:,} rows")
    for name, mode in MODES.items():
        spans = [partition.span(partition.shard(mode.worker(rank, ranks), mode.workers(ranks))) for rank in range(ranks)]
        print(holdings(name, [(len(span), table.bytes(len(span))) for span in spans]))
    return 0


def _targets(table: "Table") -> str:
    """What is beside the features."""
    shape = f"({table.rows:,}, {table.targets:,}) " if table.targets > 1 else ""
    more = [f"{what}: {name}" for what, name in (("weights", table.weights), ("offset", table.offset)) if name]
    return "   ".join([f"{table.y}: {shape}{table.y_type}", *more])
