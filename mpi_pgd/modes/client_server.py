"""Client-server: rank 0 is the server, holds no rows and alone applies the rule; sums come to it, orders go out from it."""

from mpi4py import MPI

from mpi_pgd.comm.collectives import Algorithm, by_hand, library_broadcast, library_reduce
from mpi_pgd.comm.schedules import linear_broadcast, linear_reduce
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.loop import Order, Rule
from mpi_pgd.engine.sums import Partial

ALGORITHMS: dict[str, tuple[Algorithm, Algorithm]] = {
    "library": (library_reduce, library_broadcast),
    "linear": (by_hand(linear_reduce), by_hand(linear_broadcast)),
}


class ClientServer:
    """Two collectives a round. With one rank the server is also the only worker."""

    def __init__(self, comm: MPI.Intracomm, algorithm: str = "library") -> None:
        self.comm = comm
        self.workers = max(1, comm.size - 1)
        self.worker = comm.rank - 1 if comm.size > 1 else 0
        self.updates = comm.rank == 0
        reduce, broadcast = ALGORITHMS[algorithm]
        self.reduce, self.broadcast = reduce(comm), broadcast(comm)

    def open(self, rule: Rule, order: Order) -> None:
        """The server writes the first order and broadcasts it."""
        if self.updates:
            rule.open(order)
        self.broadcast(order.buffer)

    def step(self, partial: Partial, rule: Rule, order: Order) -> None:
        """Reduce to the server, which applies the rule and broadcasts the next order."""
        self.reduce(partial.buffer)
        if self.updates:
            rule(partial, order)
        self.broadcast(order.buffer)

    def maximum(self, vector: Vector) -> None:
        """Rare, so one collective for both directions."""
        self.comm.Allreduce(MPI.IN_PLACE, vector, MPI.MAX)
