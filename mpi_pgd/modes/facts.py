"""What is to be known of a mode without MPI: who holds rows, who updates, what travels; and what makes it on some ranks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from mpi_pgd.comm.algorithms import Algorithm

if TYPE_CHECKING:
    from mpi4py import MPI

    from mpi_pgd.comm.collectives import Collective
    from mpi_pgd.engine.loop import Mode


class Team(NamedTuple):
    """The ranks that a mode is made for."""

    comm: "MPI.Intracomm"  # all of them
    nodes: Sequence[str] = ()  # the node of each (``world.nodes``)
    replicas: int = 1  # how many workers are to hold each block
    worker: int = -1  # this rank's number among the workers until now; -1 if it had none
    shrunk: bool = False  # ranks were lost


@dataclass(frozen=True, eq=False)
class Facts:
    """What users, studies, plans and checks have to know of a mode."""

    name: str  # as users write it
    text: str  # what it does, for help
    synonyms: str  # other programs' words for it, with spaces between them
    servers: int  # ranks that hold no rows, the first ones; one that is alone always holds rows
    collectives: tuple[str, ...]  # one for each message of a round (``comm.collectives.LIBRARY``)
    messages: Callable[[int, int, int], tuple[int, ...]]  # their bytes, of those of a partial, a query, the order-free sums' peaks
    algorithms: tuple[Algorithm, ...]  # those that it offers; the first is the default
    make: Callable[[Team, str], "Mode"]  # with one of these. Collective. Imports MPI, which nothing else here does
    skips: bool = False  # ranks that are late skip rounds
    replicates: str = ""  # the mode that it stands for where each block is held by several workers; else nothing
    neighbours: bool = (
        False  # no sum over all ranks is made in a round: the algorithms are graphs, whose bits differ, see ``gossip``
    )

    def first_worker(self, ranks: int) -> int:
        """The first of so many ranks that holds rows."""
        return min(self.servers, ranks - 1)

    def workers(self, ranks: int) -> int:
        """How many of so many ranks hold rows."""
        return ranks - self.first_worker(ranks)

    def ranks(self, workers: int) -> int:
        """The fewest ranks of which so many hold rows."""
        return workers + self.servers if workers > 1 else workers

    def worker(self, rank: int, ranks: int) -> int:
        """A rank's number among those that hold rows; -1 if it holds none."""
        return max(-1, rank - self.first_worker(ranks))

    def updates(self, rank: int) -> bool:
        """Whether a rank applies the update, and has the solver's state."""
        return rank == 0 or not self.servers

    @property
    def names(self) -> tuple[str, ...]:
        """Of the algorithms, the default first."""
        return tuple(each.name for each in self.algorithms)

    def algorithm(self, name: str) -> Algorithm:
        """The one of this name."""
        return next(each for each in self.algorithms if each.name == name)

    def opened(self, comm: "MPI.Intracomm", name: str) -> "list[Collective]":
        """The collectives of a round on these ranks, as the algorithm of this name does them."""
        from mpi_pgd.comm.collectives import collectives

        algorithm = self.algorithm(name)
        return collectives(comm, self.collectives, () if algorithm.library else algorithm.schedules)

    def maximum(self, comm: "MPI.Intracomm") -> "Collective":
        """The largest of each number over the ranks: always the MPI library's, as it is rare."""
        from mpi_pgd.comm.collectives import LIBRARY

        return LIBRARY["maximum"](comm)

    def sent_by_worker(self, name: str, ranks: int, sizes: tuple[int, ...]) -> int:
        """Bytes that the busiest worker sends in a round of such messages, to a number or so.

        That is one of the first two, or one at a power of two, where trees branch: with thousands of ranks, all would take long.
        """
        first = self.first_worker(ranks)
        likely = [first, first + 1, *(1 << bit for bit in range(ranks.bit_length()))]
        return max(self.algorithm(name).sent(rank, ranks, sizes) for rank in likely if first <= rank < ranks)

    def sent_by_server(self, name: str, ranks: int, sizes: tuple[int, ...]) -> int:
        """Bytes that rank 0 sends in a round of such messages if it is a server; else nothing."""
        return self.algorithm(name).sent(0, ranks, sizes) if self.first_worker(ranks) else 0
