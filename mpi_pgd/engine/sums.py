"""The partials of all tasks, and the bound that they are cut against."""

from collections.abc import Callable

import numpy as np

from mpi_pgd.engine.arrays import Vector, numbers
from mpi_pgd.engine.partial import Partial
from mpi_pgd.engine.query import Again, Query
from mpi_pgd.engine.tasks import Layout

SUNK = 2.0**-40  # of the largest value of a block as exchanged: so little is left for the sum of all that its digits are few


class Sums:
    """The partials of all the tasks that a driver asks for, and the bound that they are cut against.

    The bound is their own business: whether a round has to be done again with another one, or the next round needs it, is in the
    votes; that it was exchanged is a version number in the query.

    ``query`` knows the tasks; ``blocks``, ``order_free`` and ``folds`` are those of ``Partial``. Where each rank has its ``own``,
    and they are never added up, its driver agrees with the others when to stop, also where rows can't be read.
    """

    def __init__(self, query: Query, blocks: int, order_free: bool = True, own: bool = False, folds: int = 2) -> None:
        self._tasks = query.tasks
        self.blocks, self.order_free, self.own, self.folds = blocks, order_free, own, folds
        self._partials = [self._partial(None if task.varies else task.layout) for task in query.tasks]
        self._places = np.cumsum([0, *(len(partial.peaks) for partial in self._partials)]).tolist()
        self.peaks = np.zeros(self._places[-1])  # those of all partials, one after the other, but of those that vary
        self.exchanged = np.zeros_like(self.peaks)  # over all blocks, as the bound was last taken from them
        for partial, view in zip(self._partials, np.split(self.peaks, self._places[1:-1]), strict=True):
            partial.share(view, self.peaks)
        self.bytes = max(partial.message.nbytes for partial in self._partials)  # on the wire
        self._version = self._number = 0  # of the bound; of the task that was answered last
        values = {
            number: task.layout.places["value"].start
            for number, task in enumerate(query.tasks)
            if order_free and "value" in task.layout.shapes and not task.varies
        }
        self._values = {
            number: (place, self._places[number] + self._partials[number].cutting.place(place)) for number, place in values.items()
        }  # by task: where its sum is, and where that one's bound
        self._exchanged = numbers(self.exchanged)

    def _partial(self, layout: Layout | None) -> Partial:
        if layout is None:  # not known yet
            return Partial(0, self.blocks, self.order_free)
        return Partial(layout.width, self.blocks, self.order_free, layout.halves(), self.folds, layout.behind, layout.columned)

    def expect(self, sizes: Vector) -> None:
        """Take the bound from what the numbers of the first task's answers (width,) don't exceed."""
        self._partials[0].expect(sizes)
        self.rebound()

    def rebound(self) -> None:
        """Take the bound from ``peaks``, which are the same on every rank."""
        self.exchanged[:] = self.peaks
        for partial in self._partials:
            partial.rebound()

    def settle(self, query: Query, maximum: Callable[[Vector], None]) -> None:
        """Exchange the bound if the query says so. Collective then."""
        if query.bound != self._version:
            self._fall(query.again)
            maximum(self.peaks)
            self.rebound()
            self._version = query.bound

    def begin(self, query: Query, maximum: Callable[[Vector], None]) -> Partial:
        """The partial for the answer to ``query``, empty; the bound is settled, and that of a task that varies exchanged."""
        self.settle(query, maximum)
        self._number = number = query.number
        task = self._tasks[number]
        partial = self._varying(query, maximum) if task.varies else self._partials[number]
        if task.bound is not None and not partial.bounded:
            self._foresee(partial, query)
        partial.clear()
        return partial

    def _fall(self, again: Again) -> None:
        """Have the peaks of the last answer alone: other tasks' bounds stay, so that all are known from ``exchanged``.

        One batch tells little of the next, as a column may be 0 in it: of batches a bound falls only with the objective. Where one
        was exceeded none falls: of a wide problem with few blocks, some number of each answer is near 0 by chance.
        """
        here = slice(self._places[self._number], self._places[self._number + 1])
        last, before = self.peaks[here].copy(), self.exchanged[here]
        self.peaks[:] = self.exchanged
        falls = again == Again.SUNK or (again == Again.NOT and self._tasks[self._number].units is None)
        self.peaks[here] = last if falls else np.maximum(last, before)

    def _varying(self, query: Query, maximum: Callable[[Vector], None]) -> Partial:
        """A new partial for each answer, of the length that the query asks for; the same for one that is answered again."""
        partial, width = self._partials[query.number], query.task.layout.width
        if not query.again or partial.width != width:  # who was late has that of another answer
            partial = self._partials[query.number] = self._partial(query.task.layout)
            partial.share(partial.peaks, self.peaks)
        if query.again:
            maximum(partial.peaks)
            partial.rebound()
        return partial

    def _foresee(self, partial: Partial, query: Query) -> None:
        """Have the bound of an answer that was not asked for before, so that it need not be asked for twice."""
        peaks = partial.cutting.bounding(np.array(query.task.bound))
        first = self._partials[0]
        if first.bounded and first.cutting.head == partial.cutting.head:
            peaks[: len(first.peaks)] = self.exchanged[: len(first.peaks)]
        if not query.task.varies:
            self.exchanged[self._places[query.number] : self._places[query.number + 1]] = peaks
        partial.peaks[:] = peaks
        partial.rebound()

    def update(self, judge: Callable[[Partial, Query], None], query: Query) -> None:
        """What whoever updates does with reduced sums: judge them, or have the query answered again with another bound.

        Where there are none, as some rank could not read its rows, all stop.
        """
        number = query.number
        partial, task = self._partials[number], self._tasks[number]
        query.round += 1
        if partial.long:
            partial.reach(len(partial.message))  # all has been, but where nothing is sent
        if partial.unread and not self.own:
            query.again, query.stop = Again.UNREAD, True
            return
        query.again = again = Again.EXCEEDED if partial.redo else Again.SUNK if self._sunk(query, number) else Again.NOT
        if not again:
            judge(partial, query)
        anew = (partial.stale and task.units is None) or (task.uneven and partial.order_free)
        if again or anew:
            self._fall(again)
            query.bound += 1

    def _sunk(self, query: Query, number: int) -> bool:
        """Of the reduced sums: whether the value of all blocks is far below what the largest of one was. Never twice in turn."""
        if number not in self._values or query.again == Again.SUNK:
            return False
        place, bound = self._values[number]
        return bool(abs(self._partials[number].one(place)) < SUNK * self._exchanged[bound])
