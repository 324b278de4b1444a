"""``compare``: which mode is better here."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mpi_pgd.cli import studies
from mpi_pgd.cli.commands import shared

if TYPE_CHECKING:
    from mpi4py import MPI

    from mpi_pgd.cli.arguments import Parser


def parser() -> "Parser":
    """Its flags."""
    made = studies.parser(
        "mpirun -n N python -m mpi_pgd compare [DATA ...] [options]",
        "Descend the same problem with every mode and algorithm, turn by turn, to the same bits, and tell which is better and why.",
    )
    made.add_argument("--repeats", default=str(studies.REPEATS), metavar="K", help="turns of each (default: 5)")
    made.add_setting("delay")
    return made


def main(comm: "MPI.Intracomm", words: Sequence[str], start: float) -> int:
    """Compare, print, write."""
    from mpi_pgd.study.compare import compare

    given = shared(comm, read, words)
    return studies.run(comm, "compare", given, start, lambda problem, ballot, told: compare(problem, told["repeats"], ballot))


def read(words: Sequence[str]) -> dict[str, Any]:
    """What was typed, for all ranks."""
    from mpi_pgd.cli.arguments import number

    arguments = parser().read(words)
    return studies.read(arguments, repeats=number(arguments, "repeats", int, least=1))
