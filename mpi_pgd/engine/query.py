"""What is asked of every rank in a round: which task, at which point."""

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any

import numpy as np

from mpi_pgd.engine.arrays import numbers
from mpi_pgd.engine.tasks import Task


def _field(place: int, kind: Callable[[float], Any]) -> Any:
    """A property: a whole number or a flag in the buffer of a query."""

    def read(query: "Query") -> Any:
        return kind(query.header[place])

    def write(query: "Query", value: float) -> None:
        query.header[place] = value

    return property(read, write)


class Again(IntEnum):
    """Why a query is asked again, or in vain."""

    NOT = 0
    EXCEEDED = 1  # the bound
    SUNK = 2  # so far below the bound that no digits are left
    UNREAD = 3  # on some rank rows can't be read any more: there is no answer, and all stop


AGAIN = tuple(Again)


class Agreed(IntEnum):
    """What peers that talk to their neighbours alone find out together: the largest of each number."""

    LIPSCHITZ = 0  # constant of a gradient
    UNREST = 1  # norm of a gradient, which is 0 where all are at rest at the same point
    ROUNDING = 2  # of it
    FAR = 3  # a point was too far
    LATE = 4  # time is up
    SIGNALLED = 5  # a signal came
    UNREAD = 6  # rows can't be read any more


class Query:
    """One float64 buffer ``[task | stop | round | bound | snapshot | again | point]``: what travels, to be the same on every rank.

    ``point`` is where the task, one of the driver's ``tasks``, is to be evaluated: (width,) float64, of the widest of them. Among
    peers with ``neighbours`` each has a point of its own, and ``agreed`` behind it.
    """

    number: int = _field(0, int)  # of the task; the first one, unless the driver says another
    stop: bool = _field(1, bool)  # nothing more is asked: the point is the answer
    round: int = _field(2, int)  # how many queries were answered before; one that has to be asked again counts again
    bound: int = _field(3, int)  # how often the bound of the sums has been exchanged when this query is answered
    snapshot: int = _field(4, int)  # updates after which the state is to be kept now, in case that a rank is lost; 0 if it is not
    again: Again = _field(5, lambda value: AGAIN[int(value)])  # it is the one before, whose sums were void
    HEADER = 6  # numbers before the point

    def __init__(self, tasks: Sequence[Task], neighbours: bool = False) -> None:
        self.tasks = list(tasks)
        end = self.HEADER + max(task.width for task in tasks)
        self.buffer = np.zeros(end + len(Agreed) * neighbours)
        self.header = numbers(self.buffer[: self.HEADER])
        self.point, self.agreed = self.buffer[self.HEADER : end], self.buffer[end:]

    @property
    def task(self) -> Task:
        """What is asked."""
        return self.tasks[int(self.header[0])]
