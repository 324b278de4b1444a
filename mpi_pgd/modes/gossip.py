"""Gossip: no server, and no sum over all ranks: each peer steps along its own rows' gradient, and mixes with its neighbours.

The loop is that of the other modes. The driver of a peer judges the partial of its own rows, and writes the next point of its own
into the query; the mode mixes these points along a graph, and what the peers have to agree on goes with them in the same messages
(``engine.query.Agreed``). The graphs play the part that algorithms have in other modes: ``algorithm`` names one, or a file.
"""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from mpi_pgd.comm.algorithms import Algorithm
from mpi_pgd.comm.graphs import GRAPHS, Graph, Named, graph
from mpi_pgd.comm.paths import Path, Shape, exchange
from mpi_pgd.comm.schedules import NUMBER, Step
from mpi_pgd.errors import InputError
from mpi_pgd.modes import peer_to_peer
from mpi_pgd.modes.facts import Facts, Team
from mpi_pgd.system.log import LOG

if TYPE_CHECKING:
    from mpi_pgd.engine.arrays import Vector
    from mpi_pgd.engine.loop import Driver, Mode, Update
    from mpi_pgd.engine.partial import Partial
    from mpi_pgd.engine.query import Query

# A series in pictures for each graph.
STYLES = (("rust", "P"), ("orange", "X"), ("cocoa", "h"), ("ochre", "*"), ("gold", "p"))


def _messages(named: Named, rank: int, ranks: int, length: int) -> Iterator[Step]:
    """What a peer sends and receives in a round: none where there is no such graph."""
    if named.admits(ranks):
        for each in named.of(ranks).neighbours[rank]:
            yield Step(each, range(length), each, range(length), False)


def _path(named: Named, ranks: int, size: int) -> Path:
    """Of an exchange. Raises InputError: there is no such graph."""
    return exchange(named.of(ranks), size)


def _algorithm(named: Named, colour: str, marker: str) -> Algorithm:
    shape = Shape(named.name, "alpha + (d - 1) overhead + d n beta, with d neighbours", partial(_path, named), folds=False)
    schedules = (partial(_messages, named),)
    return Algorithm(named.name, named.text, named.synonyms, colour, marker, schedules, (shape,), True, named.admits)


def _sizes(partial: int, query: int, peaks: int) -> tuple[int]:
    """Of the one message: a point, and what is agreed on in place of a query's header."""
    from mpi_pgd.engine.query import Agreed, Query  # which import numpy

    return (query + NUMBER * (len(Agreed) - Query.HEADER),)


def _made(team: Team, algorithm: str) -> "Gossip":
    """On the graph of this name, or in this file; where ranks were lost and it has none for those that are left, on a ring."""
    from mpi_pgd.comm.world import once

    def drawn() -> Graph:
        try:
            return graph(algorithm, team.comm.size)
        except InputError as error:
            if not team.shrunk:
                raise
            LOG.warning(f"{error}; the peers that are left go on on a {next(iter(GRAPHS))}")
            return graph(next(iter(GRAPHS)), team.comm.size)

    return Gossip(team, once(team.comm, None, drawn))


FACTS = Facts(
    name="gossip",
    text="each peer talks to its neighbours on a graph alone",
    synonyms="neighbours neighbors neighbour diffusion consensus dgd graph",
    servers=0,
    collectives=("mixing",),
    messages=_sizes,
    algorithms=tuple(_algorithm(named, *style) for named, style in zip(GRAPHS.values(), STYLES, strict=True)),
    make=_made,
    neighbours=True,
)


class Gossip:
    """One mixing a round.

    Attributes:
        graph: who talks to whom.
        mix: what does it, and counts what was sent.
    """

    def __init__(self, team: Team, graph: Graph) -> None:
        from mpi_pgd.comm.neighbours import Mixing
        from mpi_pgd.engine.query import Agreed

        comm = team.comm
        self.graph, self.mix = graph, Mixing(comm, graph, len(Agreed))
        self.workers, self.worker = FACTS.workers(comm.size), FACTS.worker(comm.rank, comm.size)
        self._whole = peer_to_peer.FACTS.make(team, peer_to_peer.FACTS.names[0])

    @property
    def whole(self) -> "Mode":
        """All peers sum their partials: what comes before the rounds, and after them."""
        return self._whole

    def open(self, driver: "Driver", query: "Query") -> None:
        """Each peer writes a first query of its own; all begin at the same point."""
        driver.open(query)

    def step(self, partial: "Partial", update: "Update", query: "Query") -> None:
        """Each peer updates by its own partial, then mixes. All stop in the same round."""
        update()
        if query.stop:
            self.mix.close()
        else:
            self.mix(query.buffer[query.HEADER :])

    def maximum(self, vector: "Vector") -> None:
        """A peer's sums are of its own rows, and so are their peaks."""
