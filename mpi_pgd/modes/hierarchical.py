"""Hierarchical: peers, where the ranks of a node add in memory that they share, and one of each node passes messages."""

from dataclasses import replace
from typing import TYPE_CHECKING, Self

from mpi_pgd.comm.algorithms import SERVED
from mpi_pgd.modes import client_server, peer_to_peer
from mpi_pgd.modes.facts import Facts, Team

if TYPE_CHECKING:
    from mpi4py import MPI

    from mpi_pgd.comm.nodewise import NodeWise
    from mpi_pgd.engine.loop import Driver, Update
    from mpi_pgd.engine.partial import Partial
    from mpi_pgd.engine.query import Query


def _nodewise(comm: "MPI.Intracomm", algorithm: str, per_node: int) -> "NodeWise":
    from mpi_pgd.comm.collectives import collectives
    from mpi_pgd.comm.nodewise import NodeWise
    from mpi_pgd.comm.window import node

    chosen = FACTS.algorithm(algorithm)
    schedules = () if chosen.library else chosen.schedules
    return NodeWise(node(comm, per_node), lambda leaders: collectives(leaders, FACTS.collectives, schedules)[0])


def _leaders(algorithm: str) -> tuple[str, str]:
    """With a server, sums go out as they come in."""
    return (client_server if algorithm == SERVED.name else peer_to_peer).FACTS.name, algorithm


ALGORITHMS = (*peer_to_peer.FACTS.algorithms, SERVED)
COLOURS = ("teal", "pine", "jade", "mist", "slate")
FACTS = Facts(
    name="hierarchical",
    text="peers of a node add in memory that they share, and one of them passes messages",
    synonyms="hierarchy two-level shared shared-memory smp node-aware hybrid",
    servers=0,
    collectives=peer_to_peer.FACTS.collectives,
    messages=peer_to_peer.FACTS.messages,
    algorithms=tuple(replace(each, colour=colour) for each, colour in zip(ALGORITHMS, COLOURS, strict=True)),
    make=lambda team, algorithm: Hierarchical(team, algorithm),
    nodewise=_nodewise,
    leaders=_leaders,
)


class Hierarchical:
    """One collective a round."""

    def __init__(self, team: Team, algorithm: str = FACTS.names[0]) -> None:
        self.comm = comm = team.comm
        self.workers, self.worker = FACTS.workers(comm.size), FACTS.worker(comm.rank, comm.size)
        self.sum, self.maximum = _nodewise(comm, algorithm, team.per_node), FACTS.maximum(comm)

    @property
    def whole(self) -> Self:
        """As ``engine.loop.Mode``."""
        return self

    def open(self, driver: "Driver", query: "Query") -> None:
        """Every peer writes the same first query."""
        driver.open(query)

    def step(self, partial: "Partial", update: "Update", query: "Query") -> None:
        """Sum by nodes, then every peer updates. A long partial that is new first moves to the memory that the node shares."""
        if not self.sum.settled(partial.buffer):
            partial.move(self.sum.vector(len(partial.buffer)))
        self.sum(partial.buffer)
        update()
