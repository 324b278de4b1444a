"""Client-server: rank 0 is the server, holds no rows and alone updates; sums come to it, queries go out from it."""

from typing import TYPE_CHECKING, Self

from mpi_pgd.comm.algorithms import LIBRARY_SERVED, LINEAR
from mpi_pgd.modes.facts import Facts

if TYPE_CHECKING:
    from mpi4py import MPI

    from mpi_pgd.engine.loop import Driver, Update
    from mpi_pgd.engine.partial import Partial
    from mpi_pgd.engine.query import Query

FACTS = Facts(
    name="client-server",
    text="rank 0 serves and the others compute",
    synonyms="cs server client ps parameter-server master-slave master-worker centralized centralised star",
    servers=1,
    collectives=("reduce", "broadcast"),
    messages=lambda partial, query, peaks: (partial, query),
    algorithms=(LIBRARY_SERVED, LINEAR),
    make=lambda team, algorithm: ClientServer(team.comm, algorithm),
)


class ClientServer:
    """Two collectives a round. With one rank the server is also the only worker."""

    def __init__(self, comm: "MPI.Intracomm", algorithm: str = FACTS.names[0]) -> None:
        self.comm = comm
        self.workers, self.worker = FACTS.workers(comm.size), FACTS.worker(comm.rank, comm.size)
        self.updates = FACTS.updates(comm.rank)
        self.reduce, self.broadcast = FACTS.opened(comm, algorithm)
        self.maximum = FACTS.maximum(comm)

    @property
    def whole(self) -> Self:
        """As ``engine.loop.Mode``."""
        return self

    def open(self, driver: "Driver", query: "Query") -> None:
        """The server writes the first query and broadcasts it."""
        if self.updates:
            driver.open(query)
        self.broadcast(query.buffer)

    def step(self, partial: "Partial", update: "Update", query: "Query") -> None:
        """Reduce to the server, which updates and broadcasts the next query."""
        self.reduce(partial.message, partial.reach)
        if self.updates:
            update()
        self.broadcast(query.buffer)
