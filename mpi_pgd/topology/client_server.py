"""Client-server: rank 0 is the server, holds no rows and alone applies the rule; Reduce to it, Bcast from it."""

from mpi4py import MPI

from mpi_pgd.arrays import Vector
from mpi_pgd.sums import Partial
from mpi_pgd.train import Order, Rule


class ClientServer:
    """Two collectives a round. With one rank the server is also the only worker."""

    def __init__(self, comm: MPI.Intracomm) -> None:
        self.comm = comm
        self.workers = max(1, comm.size - 1)
        self.worker = comm.rank - 1 if comm.size > 1 else 0
        self.updates = comm.rank == 0

    def open(self, rule: Rule, order: Order) -> None:
        """The server writes the first order and broadcasts it."""
        if self.updates:
            rule.open(order)
        self.comm.Bcast(order.buffer)

    def step(self, partial: Partial, rule: Rule, order: Order) -> None:
        """Reduce to the server, which applies the rule and broadcasts the next order."""
        if self.updates:
            self.comm.Reduce(MPI.IN_PLACE, partial.buffer)
            rule(partial, order)
        else:
            self.comm.Reduce(partial.buffer, None)
        self.comm.Bcast(order.buffer)

    def maximum(self, vector: Vector) -> None:
        """Rare, so one collective for both directions."""
        self.comm.Allreduce(MPI.IN_PLACE, vector, MPI.MAX)
