"""Client-server: rank 0 is the server, holds no rows and alone applies the rule; sums come to it, orders go out from it."""

from typing import TYPE_CHECKING

from mpi_pgd.comm.algorithms import LIBRARY_SERVED, LINEAR
from mpi_pgd.modes.facts import Facts

if TYPE_CHECKING:
    from mpi4py import MPI

    from mpi_pgd.engine.loop import Order, Rule
    from mpi_pgd.engine.sums import Partial

FACTS = Facts(
    name="client-server",
    text="rank 0 serves and the others compute",
    synonyms="cs server client ps parameter-server master-slave master-worker centralized centralised star",
    servers=1,
    collectives=("reduce", "broadcast"),
    messages=lambda partial, order, peaks: (partial, order),
    algorithms=(LIBRARY_SERVED, LINEAR),
    make=lambda team, algorithm: ClientServer(team.comm, algorithm),
)


class ClientServer:
    """Two collectives a round. With one rank the server is also the only worker."""

    round = None

    def __init__(self, comm: "MPI.Intracomm", algorithm: str = FACTS.names[0]) -> None:
        self.comm = comm
        self.workers, self.worker = FACTS.workers(comm.size), FACTS.worker(comm.rank, comm.size)
        self.updates = FACTS.updates(comm.rank)
        self.reduce, self.broadcast = FACTS.opened(comm, algorithm)
        self.maximum = FACTS.maximum(comm)

    def open(self, rule: "Rule", order: "Order") -> None:
        """The server writes the first order and broadcasts it."""
        if self.updates:
            rule.open(order)
        self.broadcast(order.buffer)

    def step(self, partial: "Partial", rule: "Rule", order: "Order") -> None:
        """Reduce to the server, which applies the rule and broadcasts the next order."""
        self.reduce(partial.buffer)
        if self.updates:
            rule(partial, order)
        self.broadcast(order.buffer)
