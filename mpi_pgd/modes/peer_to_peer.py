"""Peer-to-peer: no server; all ranks hold rows, sum the partials among them, and each updates from the same bits."""

from typing import TYPE_CHECKING, Self

from mpi_pgd.comm.algorithms import LIBRARY_ALLREDUCE, RABENSEIFNER, RECURSIVE_DOUBLING, RING
from mpi_pgd.modes.facts import Facts

if TYPE_CHECKING:
    from mpi4py import MPI

    from mpi_pgd.engine.loop import Driver, Update
    from mpi_pgd.engine.partial import Partial
    from mpi_pgd.engine.query import Query

FACTS = Facts(
    name="peer-to-peer",
    text="all are peers",
    synonyms="p2p peer peers peer2peer decentralized decentralised allreduce all-reduce ring",
    servers=0,
    collectives=("allreduce",),
    messages=lambda partial, query, peaks: (partial,),
    algorithms=(LIBRARY_ALLREDUCE, RING, RECURSIVE_DOUBLING, RABENSEIFNER),
    make=lambda team, algorithm: PeerToPeer(team.comm, algorithm),
)


class PeerToPeer:
    """One collective a round."""

    def __init__(self, comm: "MPI.Intracomm", algorithm: str = FACTS.names[0]) -> None:
        self.comm = comm
        self.workers, self.worker = FACTS.workers(comm.size), FACTS.worker(comm.rank, comm.size)
        (self.allreduce,) = FACTS.opened(comm, algorithm)
        self.maximum = FACTS.maximum(comm)

    @property
    def whole(self) -> Self:
        """As ``engine.loop.Mode``."""
        return self

    def open(self, driver: "Driver", query: "Query") -> None:
        """Every peer writes the same first query."""
        driver.open(query)

    def step(self, partial: "Partial", update: "Update", query: "Query") -> None:
        """Allreduce, then every peer updates."""
        self.allreduce(partial.message, partial.reach)
        update()
