"""``data make`` and ``data info``, both without ranks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mpi_pgd.cli.arguments import Parser, number
from mpi_pgd.config import OPTIONS
from mpi_pgd.errors import InputError

if TYPE_CHECKING:
    from mpi_pgd.data.table import Table


def main(words: Sequence[str]) -> int:
    """Make rows, or tell what is in files."""
    arguments = parser().read(words)
    if arguments.action == "make":
        _make(arguments)
    else:
        _info(arguments)
    return 0


def parser() -> Parser:
    """Of both actions."""
    made = Parser(
        "python -m mpi_pgd data make OUT.h5 --rows N --features P [--condition C] [--noise S] [--seed K] [--loss NAME]\n"
        "       python -m mpi_pgd data info FILE ... [--ranks N] [--x NAME] [--y NAME] [--weights NAME] [--offset NAME]",
        "Make synthetic rows with known weights, or say what is in a file and what each rank would hold.",
    )
    made.add_argument("action", choices=("make", "info"))
    made.add_argument("files", nargs="+", metavar="FILE")
    for name, default, text in (
        ("rows", None, "make: number of rows"),
        ("features", None, "make: number of features"),
        ("condition", "1", "make: condition number of the features' correlation"),
        ("noise", "0.1", "make: standard deviation of the noise in y"),
        ("seed", "0", "make: another seed, other rows"),
        ("loss", "squared", "make: the loss that the targets are drawn for, logistic, softmax, poisson or gamma"),
        ("classes", "3", "make: number of classes, with softmax"),
        ("weights", "", "data set with each row's weight: make it, or take it"),
        ("offset", "", "data set with what is added to each row's linear predictor: make it, or take it"),
        ("ranks", "4", "info: show what each of so many ranks would hold"),
        *((name, OPTIONS[name].default, f"info: {OPTIONS[name].metadata['text']}") for name in ("x", "y")),
    ):
        made.add_argument(f"--{name}", default=default, metavar=name.upper(), help=text)
    made.add_argument("--force", action="store_true", help="make: overwrite what is there")
    made.add_quiet()
    return made


def _make(arguments: Any) -> None:
    from mpi_pgd.data.make import make
    from mpi_pgd.report.progress import steps

    if len(arguments.files) > 1:
        raise InputError(f"data make was given {len(arguments.files)} files: expected one, the file to make")
    whole = {name: number(arguments, name, int) for name in ("rows", "features", "seed", "classes")}
    real = {name: number(arguments, name, float) for name in ("condition", "noise")}
    texts, told = {name: getattr(arguments, name) for name in ("loss", "weights", "offset")}, not arguments.quiet
    make(arguments.files[0], **whole, **real, **texts, force=arguments.force, watch=lambda slabs: steps("slab", slabs, told))


def _targets(table: "Table") -> str:
    """What is beside the features."""
    shape = f"({table.rows:,}, {table.targets:,}) " if table.targets > 1 else ""
    more = [f"{what}: {name}" for what, name in (("weights", table.weights), ("offset", table.offset)) if name]
    return "   ".join([f"{table.y}: {shape}{table.y_type}", *more])


def _info(arguments: Any) -> None:
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
