"""``study straggler``: the straggler effect against theory."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mpi_pgd.cli import studies
from mpi_pgd.cli.commands import shared

if TYPE_CHECKING:
    from mpi4py import MPI

    from mpi_pgd.cli.arguments import Parser

NAMES = ("straggler",)
MEAN = 0.002
ROUNDS = 400


def parser() -> "Parser":
    """Its flags."""
    made = studies.parser(
        "mpirun -n N python -m mpi_pgd study straggler [DATA ...] [options]",
        "Delay every worker by a random time each round (exponential, seeded) and hold the slowest one's delay against theory: the "
        "mean of the largest of m is H_m = 1 + 1/2 + ... + 1/m times the mean of one.",
        ROUNDS,
    )
    made.add_argument("--mean", default=str(MEAN), metavar="SECONDS", help=f"of a worker's delay (default: {MEAN})")
    return made


def main(comm: "MPI.Intracomm", words: Sequence[str], start: float) -> int:
    """Measure, print, write."""
    from mpi_pgd.study.straggler import straggler

    given = shared(comm, _read, words)
    return studies.run(comm, "straggler", given, start, lambda problem, ballot, told: straggler(problem, told["mean"], ballot))


def _read(words: Sequence[str]) -> dict[str, Any]:
    from mpi_pgd.cli.arguments import number
    from mpi_pgd.errors import InputError, nearest

    if not words or words[0] not in NAMES:
        given = words[0] if words else "nothing"
        raise InputError(f"study was given {given}{nearest(given, NAMES)}: expected one of {', '.join(NAMES)}")
    arguments = parser().read(words[1:])
    mean = number(arguments, "mean", float, least=0)
    if not 0 < mean < float("inf"):
        raise InputError(f"--mean was given {mean}: expected a number of seconds above 0")
    return studies.read(arguments, ROUNDS, mean=mean)
