"""Peer-to-peer: no server; all ranks hold rows, sum the partials among them, and each applies the rule to the same bits."""

from mpi4py import MPI

from mpi_pgd.comm.collectives import Algorithm, by_hand, library_allreduce
from mpi_pgd.comm.schedules import rabenseifner, recursive_doubling, ring
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.loop import Order, Rule
from mpi_pgd.engine.sums import Partial

ALGORITHMS: dict[str, Algorithm] = {
    "library": library_allreduce,
    "ring": by_hand(ring),
    "recursive-doubling": by_hand(recursive_doubling),
    "rabenseifner": by_hand(rabenseifner),
}


class PeerToPeer:
    """One collective a round."""

    def __init__(self, comm: MPI.Intracomm, algorithm: str = "library") -> None:
        self.comm = comm
        self.workers = comm.size
        self.worker = comm.rank
        self.allreduce = ALGORITHMS[algorithm](comm)

    def open(self, rule: Rule, order: Order) -> None:
        """Every peer writes the same first order."""
        rule.open(order)

    def step(self, partial: Partial, rule: Rule, order: Order) -> None:
        """Allreduce, then every peer applies the rule."""
        self.allreduce(partial.buffer)
        rule(partial, order)

    def maximum(self, vector: Vector) -> None:
        """Exchange the largest."""
        self.comm.Allreduce(MPI.IN_PLACE, vector, MPI.MAX)
