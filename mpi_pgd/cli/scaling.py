"""``scaling``: the speedup curve."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mpi_pgd import config
from mpi_pgd.cli import studies
from mpi_pgd.cli.commands import shared
from mpi_pgd.modes import WAYS

if TYPE_CHECKING:
    from mpi4py import MPI

    from mpi_pgd.cli.arguments import Parser

WAY = config.Settings.algorithm
REPEATS = 3


def parser() -> "Parser":
    """Its flags."""
    made = studies.parser(
        "mpirun -n N python -m mpi_pgd scaling [DATA ...] [options]",
        "Descend the same problem on the first 1, 2, 4 ... N ranks, in both modes, strong and weak, beside the honest baselines.",
    )
    made.add_argument("--repeats", default=str(REPEATS), metavar="K", help=f"turns of each (default: {REPEATS})")
    made.add_argument("--algorithms", default=WAY, metavar="NAME,...", help=f"in the modes that have them (default: {WAY})")
    made.add_argument("--ranks", default="", metavar="M,...", help="numbers of ranks (default: 1, 2, 4 ... and all)")
    made.add_argument("--largest", default="0", metavar="RANKS", help="so many would share all rows in weak scaling (default: all)")
    return made


def main(comm: "MPI.Intracomm", words: Sequence[str], start: float) -> int:
    """Measure, print, write."""
    from mpi_pgd.comm.world import agreement
    from mpi_pgd.study.scaling import counts, scaling, sharing

    given = shared(comm, read, words)
    with agreement(comm):
        ranks = counts(comm.size, given["ranks"])
        largest = sharing(comm.size, given["largest"])
    return studies.run(
        comm,
        "scaling",
        given,
        start,
        lambda problem, ballot, told: scaling(problem, told["repeats"], ballot, told["algorithms"], ranks, largest),
    )


def read(words: Sequence[str]) -> dict[str, Any]:
    """What was typed, for all ranks."""
    from mpi_pgd.cli.arguments import number

    arguments = parser().read(words)
    known = list(dict.fromkeys(name for _, name in WAYS))
    ranks = [_whole(word) for word in arguments.ranks.split(",") if word]
    algorithms = studies.names(arguments.algorithms, known, "--algorithms")
    repeats, largest = number(arguments, "repeats", int, least=1), number(arguments, "largest", int, least=0)
    return studies.read(arguments, repeats=repeats, algorithms=algorithms, ranks=ranks, largest=largest)


def _whole(word: str) -> int:
    from mpi_pgd.errors import InputError

    if not word.strip().isdigit():
        raise InputError(f"--ranks was given {word!r}: expected whole numbers with commas between them")
    return int(word)
