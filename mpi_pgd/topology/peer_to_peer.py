"""Peer-to-peer: no server; all ranks hold rows, Allreduce the sums, and each applies the rule to the same bits."""

from mpi4py import MPI

from mpi_pgd.arrays import Vector
from mpi_pgd.sums import Partial
from mpi_pgd.train import Order, Rule


class PeerToPeer:
    """One collective a round."""

    def __init__(self, comm: MPI.Intracomm) -> None:
        self.comm = comm
        self.workers = comm.size
        self.worker = comm.rank

    def open(self, rule: Rule, order: Order) -> None:
        """Every peer writes the same first order."""
        rule.open(order)

    def step(self, partial: Partial, rule: Rule, order: Order) -> None:
        """Allreduce, then every peer applies the rule."""
        self.comm.Allreduce(MPI.IN_PLACE, partial.buffer)
        rule(partial, order)

    def maximum(self, vector: Vector) -> None:
        """Exchange the largest."""
        self.comm.Allreduce(MPI.IN_PLACE, vector, MPI.MAX)
