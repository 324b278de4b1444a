"""What is to be known of a mode without MPI: who holds rows, who updates, what travels; and what makes it on some ranks."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from mpi_pgd.comm.algorithms import Algorithm

if TYPE_CHECKING:
    from mpi4py import MPI

    from mpi_pgd.comm.collectives import Collective
    from mpi_pgd.comm.nodewise import NodeWise
    from mpi_pgd.engine.loop import Mode


class Team(NamedTuple):
    """The ranks that a mode is made for."""

    comm: "MPI.Intracomm"  # all of them
    nodes: Sequence[str] = ()  # the node of each (``world.nodes``)
    replicas: int = 1  # how many workers are to hold each block
    worker: int = -1  # this rank's number among the workers until now; -1 if it had none
    shrunk: bool = False  # ranks were lost
    per_node: int = 0  # ranks that a machine is cut into nodes of; 0: it is one


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
    # Where one rank a node passes messages: what sums by nodes of at most so many ranks (0: all), with one of the algorithms;
    # and the mode and the algorithm whose messages those are.
    nodewise: "Callable[[MPI.Intracomm, str, int], NodeWise] | None" = None
    leaders: Callable[[str], tuple[str, str]] = lambda name: ("", name)
    replicates: str = ""  # the mode that it stands for where each block is held by several workers; else nothing
    neighbours: bool = False  # no sum over all ranks is made in a round: the algorithms are graphs, whose bits differ

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

    def speakers(self, nodes: Sequence[str], per_node: int = 0) -> int:
        """How many ranks pass messages, of those on these nodes; ``per_node`` as of ``Team``."""
        return sum(-(-ranks // (per_node or ranks)) for ranks in Counter(nodes).values()) if self.nodewise else len(nodes)

    def speaks(self, nodes: Sequence[str], per_node: int = 0) -> bool:
        """Whether its algorithms differ there: not if one of several ranks passes all messages, to nobody."""
        return not self.nodewise or self.speakers(nodes, per_node) > 1

    @property
    def names(self) -> tuple[str, ...]:
        """Of the algorithms, the default first."""
        return tuple(each.name for each in self.algorithms)

    def algorithm(self, name: str) -> Algorithm:
        """The one of this name."""
        return next(each for each in self.algorithms if each.name == name)

    def opened(self, comm: "MPI.Intracomm", name: str, per_node: int = 0) -> "list[Collective]":
        """The collectives of a round on these ranks, as the algorithm of this name does them; ``per_node`` as of ``Team``."""
        from mpi_pgd.comm.collectives import collectives

        if self.nodewise:
            return [self.nodewise(comm, name, per_node)]
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
