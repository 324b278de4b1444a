"""How a vector is summed over the ranks, or sent to all: by the library's collective, or step by step by our own schedules.

Long vectors go in pieces: what is received is added while it is in the cache, no library or schedule takes room for a whole one,
and no message has more elements than 2^31 - 1, which is all that some libraries take.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import zip_longest
from typing import Protocol

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm.schedules import EMPTY, Schedule, Step
from mpi_pgd.engine.arrays import Vector

Reach = Callable[[int], object]  # have the first so many numbers of a vector there


class Collective(Protocol):
    """In place, on every rank."""

    def __call__(self, vector: Vector, reach: Reach = ...) -> None:
        """Before numbers of ``vector`` are read, those up to them are asked for by ``reach``: they need not be there yet."""


def there(end: int) -> None:
    """All are."""


MOST = 2**31 - 1  # elements of a message
PIECE = 1 << 20  # numbers, 8 MiB: shorter ones cost latencies, longer ones leave the cache


def pieces(whole: range) -> Iterator[range]:
    """What goes at once, one after the other; nothing of nothing."""
    for start in range(whole.start, whole.stop, PIECE):
        yield range(start, min(start + PIECE, whole.stop))


def _pieced(call: Callable[[Vector], object]) -> Collective:
    def pieced(vector: Vector, reach: Reach = there) -> None:
        if len(vector) <= PIECE:
            reach(len(vector))
            call(vector)
            return
        for piece in pieces(range(len(vector))):
            reach(piece.stop)
            call(vector[piece.start : piece.stop])

    return pieced


def _reduce(comm: MPI.Intracomm) -> Collective:
    return _pieced(lambda vector: comm.Reduce(vector if comm.rank else MPI.IN_PLACE, None if comm.rank else vector))


# The MPI library's own; those of one rank go to and from rank 0.
LIBRARY: dict[str, Callable[[MPI.Intracomm], Collective]] = {
    "reduce": _reduce,
    "broadcast": lambda comm: _pieced(comm.Bcast),
    "allreduce": lambda comm: _pieced(partial(comm.Allreduce, MPI.IN_PLACE)),
    "maximum": lambda comm: _pieced(partial(comm.Allreduce, MPI.IN_PLACE, op=MPI.MAX)),
}


def collectives(comm: MPI.Intracomm, operations: Sequence[str], schedules: Sequence[Schedule] = ()) -> list[Collective]:
    """One for each operation (of ``LIBRARY``): what its schedule describes, or the MPI library's where there are none."""
    return [_ByHand(schedule, comm) for schedule in schedules] or [LIBRARY[name](comm) for name in operations]


class _ByHand:
    """The steps of this rank, looked up once for each vector that is used again and again."""

    def __init__(self, schedule: Schedule, comm: MPI.Intracomm) -> None:
        self.schedule, self.comm = schedule, comm
        self._vector = np.empty(0)
        self._moves: list[Callable[[], object]] = []

    def __call__(self, vector: Vector, reach: Reach = there) -> None:
        reach(len(vector))
        if vector is not self._vector:
            self._bind(vector)
        for move in self._moves:
            move()

    def _bind(self, vector: Vector) -> None:
        scratch = np.empty(min(PIECE, len(vector)))
        self._vector, self._moves = vector, []
        for step in self.schedule(self.comm.rank, self.comm.size, len(vector)):
            for send, receive in zip_longest(pieces(step.send), pieces(step.receive), fillvalue=EMPTY):
                target = vector[receive.start : receive.stop]
                incoming = scratch[: len(receive)] if step.add else target
                self._moves.append(self._message(step, vector[send.start : send.stop], incoming))
                if step.add and len(receive):
                    self._moves.append(partial(np.add, target, incoming, target))

    def _message(self, step: Step, outgoing: Vector, incoming: Vector) -> Callable[[], object]:
        if not len(incoming):
            return partial(self.comm.Send, outgoing, step.to)
        if not len(outgoing):
            return partial(self.comm.Recv, incoming, step.source)
        return partial(self.comm.Sendrecv, outgoing, step.to, 0, incoming, step.source, 0)
