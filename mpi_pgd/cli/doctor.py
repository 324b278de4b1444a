"""``doctor``: what is wrong with the set-up."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mpi_pgd.cli.commands import shared

if TYPE_CHECKING:
    from mpi4py import MPI

    from mpi_pgd.cli.arguments import Parser

ALONE = True  # a world that is not what it should be is for the doctor to tell
DEAF = True  # a signal ends it at once


def parser() -> "Parser":
    """Its flags."""
    from mpi_pgd.cli.arguments import Parser
    from mpi_pgd.cli.studies import add_out

    made = Parser(
        "mpirun -n N python -m mpi_pgd doctor [DATA ...] [--x NAME] [--y NAME] [--out DIR]",
        "Look at the world, the cores, the memory, the files, the clocks and the network, in seconds, before the hours are spent.\n"
        "Each finding says what to do.",
    )
    made.add_settings(("x", "y", "quiet"))
    add_out(made, "the fit's output folder; gets doctor.json")
    return made


def main(comm: "MPI.Intracomm", words: Sequence[str], start: float) -> int:
    """Examine, and print on rank 0 (of the first world, if there are many of one rank)."""
    from mpi_pgd.comm.world import agreement, nodes
    from mpi_pgd.study.doctor import examine, text, usable
    from mpi_pgd.study.record import claim, envelope, spare, write

    given = shared(comm, _read, words)
    usable(comm, given["data"])
    findings = examine(comm, given["data"], given["out"], given["x"], given["y"], shown=comm.rank == 0 and not given["quiet"])
    names = nodes(comm)
    with agreement(comm):
        if comm.rank == 0 and os.environ.get("SLURM_PROCID", "0") == "0":
            if not given["quiet"]:
                print(text(findings), flush=True)
            if given["out"]:
                with claim(given["out"], "doctor") as claimed:
                    spare(given["out"], "doctor", given["force"])
                    rows = [item._asdict() for item in findings]
                    write(claimed, envelope("doctor", names, rows, data={"files": given["data"]}))
    return 0


def _read(words: Sequence[str]) -> dict[str, Any]:
    from mpi_pgd.cli.arguments import settings

    arguments = parser().read(words)
    return settings(arguments).as_dict() | {"out": arguments.out}
