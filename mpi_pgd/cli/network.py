"""``network``: latency and bandwidth, for ``plan``."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mpi_pgd.cli import studies
from mpi_pgd.cli.commands import shared

if TYPE_CHECKING:
    from mpi4py import MPI

    from mpi_pgd.cli.arguments import Parser

DEAF = True  # a signal ends it at once
LARGEST = 64 << 20


def parser() -> "Parser":
    """Its flags."""
    from mpi_pgd.cli.arguments import Parser

    made = Parser(
        "mpirun -n N python -m mpi_pgd network [--out DIR] [--largest BYTES]",
        "Measure latency and bandwidth within a node and between nodes: ping-pongs and every collective of both modes, on 2, 3,\n"
        "4, 8 ... N ranks, from 8 bytes on; and how fast a rank maps rows. Takes some 20 seconds within a node. DIR/network.json\n"
        "is what plan reads.",
    )
    studies.add_out(made, "folder for network.json")
    made.add_argument("--largest", default=str(LARGEST), metavar="BYTES", help="message (default: 64 MiB)")
    made.add_quiet()
    return made


def main(comm: "MPI.Intracomm", words: Sequence[str], start: float) -> int:
    """Measure, print, write."""
    from mpi_pgd.comm.world import agreement, nodes
    from mpi_pgd.session.inspect import warn
    from mpi_pgd.session.run import one_thread
    from mpi_pgd.study import network
    from mpi_pgd.study.record import envelope, spare

    given = shared(comm, _read, words)
    with studies.claimed(comm, "network", given["out"]) as claim:
        with agreement(comm):
            if claim:
                spare(given["out"], "network", given["force"])
        names = nodes(comm)
        warn(comm, names)
        with one_thread():
            found = network.measure(comm, largest=given["largest"], shown=comm.rank == 0 and not given["quiet"])
        record = {**found, **envelope("network", names, found["rows"])} if found else None
        return studies.finish(comm, record, claim, given["quiet"])


def _read(words: Sequence[str]) -> dict[str, Any]:
    from mpi_pgd.cli.arguments import number

    arguments = parser().read(words)
    given = {name: getattr(arguments, name) for name in ("out", "force", "quiet")}
    return given | {"largest": number(arguments, "largest", int, least=64)}
