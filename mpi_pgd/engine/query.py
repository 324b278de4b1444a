"""What is asked of every rank in a round: which task, at which point."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import numpy as np

from mpi_pgd.engine.tasks import Task

Kind = TypeVar("Kind", bound=int)


class _Field(Generic[Kind]):
    """A whole number or a flag in the buffer of a query."""

    def __init__(self, place: int, kind: Callable[[float], Kind]) -> None:
        self.place, self.kind = place, kind

    def __get__(self, query: "Query", owner: object) -> Kind:
        return self.kind(query.buffer[self.place])

    def __set__(self, query: "Query", value: Kind) -> None:
        query.buffer[self.place] = value


class Query:
    """One float64 buffer ``[task | stop | round | bound | snapshot | point]``: what travels, the same on every rank once it has.

    ``point`` is where the task, one of the driver's ``tasks``, is to be evaluated: (width,) float64, of the widest of them.
    """

    number = _Field(0, int)  # of the task; the first one, unless the driver says another
    stop = _Field(1, bool)  # nothing more is asked: the point is the answer
    round = _Field(2, int)  # how many queries were answered before; one that has to be asked again counts again
    bound = _Field(3, int)  # how often the bound of the sums has been exchanged when this query is answered
    snapshot = _Field(4, int)  # updates after which the state is to be kept now, in case that a rank is lost; 0 if it is not
    HEADER = 5  # numbers before the point

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.tasks = list(tasks)
        self.buffer = np.zeros(self.HEADER + max(task.width for task in tasks))
        self.point = self.buffer[self.HEADER :]

    @property
    def task(self) -> Task:
        """What is asked."""
        return self.tasks[self.number]
