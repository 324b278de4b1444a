"""``data info``."""

from typing import TYPE_CHECKING, Any

from mpi_pgd.cli.arguments import Parser, number
from mpi_pgd.config import OPTIONS

if TYPE_CHECKING:
    from mpi_pgd.data.table import Table


def parser() -> Parser:
    """Its flags."""
    made = Parser(
        "python -m mpi_pgd data info FILE ... [--ranks N] [--x NAME] [--y NAME] [--weights NAME] [--offset NAME]",
        "Say what is in files, and what each rank would hold.",
    )
    made.add_argument("files", nargs="+", metavar="FILE", help="files or globs, one long table")
    made.add_argument("--ranks", default="4", metavar="N", help="show what each of so many ranks would hold")
    for name in ("x", "y", "weights", "offset"):
        made.add_argument(f"--{name}", default=OPTIONS[name].default, metavar="NAME", help=OPTIONS[name].metadata["text"])
    made.add_quiet()
    return made


def run(arguments: Any) -> int:
    """Print it."""
    from mpi_pgd.data import files, hdf5
    from mpi_pgd.data.partition import Partition
    from mpi_pgd.modes import MODES
    from mpi_pgd.report.tables import holdings

    ranks = number(arguments, "ranks", int, least=1)
    table = hdf5.inspect(files.find(arguments.files), arguments.x, arguments.y, arguments.weights, arguments.offset)
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
