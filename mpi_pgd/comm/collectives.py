"""How a vector is summed over the ranks, or sent to all: by the library's collective, or step by step by our own schedules."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm.schedules import NOBODY, Schedule, Step
from mpi_pgd.engine.arrays import Vector

Collective = Callable[[Vector], None]  # in place, on every rank


def _reduce(comm: MPI.Intracomm) -> Collective:
    return lambda vector: comm.Reduce(vector if comm.rank else MPI.IN_PLACE, None if comm.rank else vector)


# The MPI library's own; those of one rank go to and from rank 0.
LIBRARY: dict[str, Callable[[MPI.Intracomm], Collective]] = {
    "reduce": _reduce,
    "broadcast": lambda comm: comm.Bcast,
    "allreduce": lambda comm: partial(comm.Allreduce, MPI.IN_PLACE),
    "maximum": lambda comm: partial(comm.Allreduce, MPI.IN_PLACE, op=MPI.MAX),
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

    def __call__(self, vector: Vector) -> None:
        if vector is not self._vector:
            self._bind(vector)
        for move in self._moves:
            move()

    def _bind(self, vector: Vector) -> None:
        scratch = np.empty_like(vector)
        self._vector, self._moves = vector, []
        for step in self.schedule(self.comm.rank, self.comm.size, len(vector)):
            incoming = (scratch if step.add else vector)[step.receive.start : step.receive.stop]
            self._moves.append(self._message(step, vector[step.send.start : step.send.stop], incoming))
            if step.add:
                target = vector[step.receive.start : step.receive.stop]
                self._moves.append(partial(np.add, target, incoming, target))

    def _message(self, step: Step, outgoing: Vector, incoming: Vector) -> Callable[[], object]:
        if step.source == NOBODY:
            return partial(self.comm.Send, outgoing, step.to)
        if step.to == NOBODY:
            return partial(self.comm.Recv, incoming, step.source)
        return partial(self.comm.Sendrecv, outgoing, step.to, 0, incoming, step.source, 0)
