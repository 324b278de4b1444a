"""A sum over all ranks: those of a node add in memory that they share, then one of each node passes messages.

Long vectors had better lie in that memory: each rank adds a slice of all of them where they are, and nothing is copied. Of short
ones no more than a meeting of the node's ranks counts: these go by the MPI library, which meets and adds in one.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm.collectives import Collective, Reach, there
from mpi_pgd.comm.window import Node
from mpi_pgd.engine.arrays import Vector

SHORT = 1 << 12  # numbers, those of all ranks of a node together
SEGMENT = 1 << 13  # numbers that are added at a time, so that they stay in the core's cache


class NodeWise:
    """In place, on every rank. Collective.

    Args:
        node: the ranks that share memory.
        among: makes the leaders' collective, of their communicator.
    """

    def __init__(self, node: Node, among: Callable[[MPI.Intracomm], Collective]) -> None:
        self.node, self.mine = node, node.inside.rank
        self.among = among(node.leaders) if node.leaders and node.several else None
        self._short = SHORT // node.inside.size
        self._vector = np.empty(0)
        self._move: Callable[[], object] = lambda: None

    def vector(self, numbers: int) -> Vector:
        """Zeros (numbers,) where they are summed fastest. Collective over the node."""
        return self.node.lend(numbers) if numbers > self._short else np.zeros(numbers)

    def settled(self, vector: Vector) -> bool:
        """Whether it lies there."""
        return vector is self._vector or len(vector) <= self._short or bool(self.node.lent(vector))

    def __call__(self, vector: Vector, reach: Reach = there) -> None:
        """Sum it."""
        reach(len(vector))
        if vector is not self._vector:
            self._bind(vector)
        self._move()

    def _bind(self, vector: Vector) -> None:
        self._vector = vector
        if len(vector) <= self._short:
            self._move = self._by_library(vector)
        elif parts := self.node.lent(vector):
            self._move = self._in_place(parts)
        else:
            self._move = self._there_and_back(vector)

    def _by_library(self, vector: Vector) -> Callable[[], object]:
        """Between nodes, with the leaders' messages in the middle.

        What a message is made of is said once: asking an array for it takes a fifth of such a call.
        """
        inside, among, message = self.node.inside, self.among, [vector, len(vector), MPI.DOUBLE]
        if not self.node.several:
            return partial(inside.Allreduce, MPI.IN_PLACE, message)
        gather = partial(inside.Reduce, *((MPI.IN_PLACE, message) if self.mine == 0 else (message, None)))

        def move() -> None:
            gather()
            if among:
                among(vector)
            inside.Bcast(message)

        return move

    def _there_and_back(self, vector: Vector) -> Callable[[], None]:
        inside = self.node.lend(len(vector))
        move = self._in_place(self.node.lent(inside))

        def copied() -> None:
            inside[:] = vector
            move()
            vector[:] = inside

        return copied

    def _in_place(self, parts: Sequence[Vector]) -> Callable[[], None]:
        """Each rank adds its slice of all vectors, and writes it into all; with other nodes, after the leaders' messages."""
        node, total, among = self.node, parts[0], self.among
        ranks, length = len(parts), len(total)
        start, stop = (length * place // ranks for place in (self.mine, self.mine + 1))
        cuts = [slice(place, min(place + SEGMENT, stop)) for place in range(start, stop, SEGMENT)]
        segments = [[part[cut] for part in parts] for cut in cuts]

        def move() -> None:
            node.meet()
            for first, *others in segments:
                _add([first, *others], first)
                if not node.several:
                    _spread(first, others)
            node.meet()
            if not node.several:
                return
            if among:
                among(total)
            node.meet()
            for first, *others in segments:
                _spread(first, others)
            node.meet()

        return move


def _add(vectors: Sequence[Vector], total: Vector) -> None:
    """Into ``total``, which may be the first of them."""
    if len(vectors) > 1:
        np.add(vectors[0], vectors[1], total)
    for vector in vectors[2:]:
        np.add(total, vector, total)


def _spread(total: Vector, others: Sequence[Vector]) -> None:
    for other in others:
        other[:] = total
