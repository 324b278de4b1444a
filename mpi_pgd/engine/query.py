"""What is asked of every rank in a round: which task, at which point."""

from collections.abc import Sequence

import numpy as np

from mpi_pgd.engine.tasks import Task


class Query:
    """One float64 buffer ``[task | stop | round | bound | snapshot | point]``: what travels, the same on every rank once it has.

    ``point`` is where the task is to be evaluated: (width,) float64, of the widest task.

    Args:
        tasks: of the driver; ``task`` is one of them.
    """

    HEADER = 5  # numbers before the point

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.tasks = list(tasks)
        self.buffer = np.zeros(self.HEADER + max(task.width for task in tasks))
        self.point = self.buffer[self.HEADER :]

    @property
    def task(self) -> Task:
        """What is asked."""
        return self.tasks[self.number]

    @property
    def number(self) -> int:
        """That of the task; the first one, unless the driver says another."""
        return int(self.buffer[0])

    @number.setter
    def number(self, number: int) -> None:
        self.buffer[0] = number

    @property
    def stop(self) -> bool:
        """Nothing more is asked: the point is the answer."""
        return bool(self.buffer[1])

    @stop.setter
    def stop(self, stop: bool) -> None:
        self.buffer[1] = stop

    @property
    def round(self) -> int:
        """How many queries were answered before; one that has to be asked again counts again."""
        return int(self.buffer[2])

    @round.setter
    def round(self, round: int) -> None:
        self.buffer[2] = round

    @property
    def bound(self) -> int:
        """How often the bound of the sums has been exchanged when this query is answered."""
        return int(self.buffer[3])

    @bound.setter
    def bound(self, version: int) -> None:
        self.buffer[3] = version

    @property
    def snapshot(self) -> int:
        """After how many updates the state is to be kept now, in case that a rank is lost; 0 if it is not."""
        return int(self.buffer[4])

    @snapshot.setter
    def snapshot(self, updates: int) -> None:
        self.buffer[4] = updates
