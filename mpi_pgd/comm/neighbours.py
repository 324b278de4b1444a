"""What a peer has, mixed with what its neighbours on a graph have: one message to each of them, and one from each."""

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm.collectives import MOST
from mpi_pgd.comm.graphs import Graph
from mpi_pgd.comm.ulfm import keep, let_go, tolerant
from mpi_pgd.engine.arrays import Vector

HALF = 0.5  # of the way to the neighbours' mean: so none of the eigenvalues of what mixes is below 0


class Mixing:
    """A collective, in place: vectors go half of the way to where Metropolis-Hastings weights W would bring them, (I + W)/2.

    It is made of differences, which vanish where all agree: the mean over all peers stays as it is, to rounding, and what all
    have in common to the last bit. Each peer adds up in the order of its neighbours' ranks: so two runs have the same bits. The
    last ``maxima`` numbers of a vector become the largest of each.

    It is a neighbourhood collective on a communicator of the graph's. Where ranks may be lost it is messages on ``comm``, as that
    is what is revoked when one was: nobody waits for ever; and where a vector is too long for one message.

    Attributes:
        calls: how often it was called.
        messages: that this rank sent.
        bytes: of them.
    """

    def __init__(self, comm: MPI.Intracomm, graph: Graph, maxima: int = 0) -> None:
        self.comm, self.maxima = comm, maxima
        self.neighbours = list(graph.neighbours[comm.rank])
        self.calls = self.messages = self.bytes = 0
        self._shares = HALF * np.array(graph.weights(comm.rank)[1:])[:, None]
        self._received = np.empty((len(self.neighbours), 0))
        self._alone, self._tolerant = comm.size == 1, tolerant()
        self._graph: MPI.Distgraphcomm | None = None

    def __call__(self, vector: Vector) -> None:
        """Collective."""
        self.calls += 1
        if self._alone:
            return
        if self._received.shape[1] != len(vector):
            self._received = np.empty((len(self.neighbours), len(vector)))
        self._exchange(vector)
        self.messages += len(self.neighbours)
        self.bytes += len(self.neighbours) * vector.nbytes
        end = len(vector) - self.maxima
        mixed, found = vector[:end], self._received[:, :end]
        found -= mixed
        found *= self._shares
        for each in found:
            mixed += each
        np.maximum(vector[end:], self._received[:, end:].max(axis=0), out=vector[end:])

    def _exchange(self, vector: Vector) -> None:
        if self._tolerant or len(vector) > MOST:
            pieces = [slice(start, start + MOST) for start in range(0, len(vector), MOST)]
            lines = zip(self._received, self.neighbours, strict=True)
            coming = [self.comm.Irecv(line[piece], rank) for line, rank in lines for piece in pieces]
            MPI.Request.Waitall([*coming, *(self.comm.Isend(vector[each], rank) for rank in self.neighbours for each in pieces)])
            return
        if self._graph is None:
            self._graph = self.comm.Create_dist_graph_adjacent(self.neighbours, self.neighbours)
            keep(self.comm, self._graph)
        self._graph.Neighbor_allgather(vector, self._received)

    def close(self) -> None:
        """Give the graph's communicator back, before ``comm`` does; another call makes it anew. Collective."""
        if self._graph is not None:
            let_go(self.comm, self._graph)
            self._graph = None
