"""How blocks' vectors are cut and added up; what for, and against which bound, is in ``partial.py``."""

from typing import Any, NamedTuple

import numpy as np

from mpi_pgd import kernel
from mpi_pgd.engine.arrays import Vector, aligned

LONG = 1 << 20  # numbers: from here on a vector is long
RUN = 1 << 10  # neighbouring numbers of a long vector that share a bound
RING_BYTES = 1 << 17  # block vectors that are cut together: the rows push them out of the cache, so fetch them seldom
SEGMENT = 1 << 14  # numbers of a vector that are cut at a time


def usual(width: int) -> int:
    """How many folds are sent of each number, unless it is asked for: of long vectors one, half the bytes."""
    return 1 if width >= LONG else 2


class Cutting(NamedTuple):
    """Which numbers of a vector of ``width`` share a bound, and what is sent for each: ``folds`` numbers, or their plain sum if 0.

    The ``behind`` last ones have two folds even if the others have one: few numbers, of which each counts for much. ``each`` has a
    bound, however long the vector is.
    """

    width: int
    folds: int = 2
    behind: int = 0
    each: bool = False

    @property
    def long(self) -> bool:
        """Whether the first ``head`` numbers share bounds in runs. The last ones, that make no run, have what those behind have."""
        return self.width >= LONG and not self.each

    @property
    def head(self) -> int:
        """Numbers in runs."""
        return (self.width - self.behind) // RUN * RUN if self.long else 0

    @property
    def bounds(self) -> int:
        """How many there are."""
        return self.head // RUN + self.width - self.head

    @property
    def lows(self) -> int:
        """How many numbers, the last ones, have a second fold."""
        return (0, self.width - self.head if self.long else self.behind, self.width)[self.folds]

    def place(self, number: int) -> int:
        """Which of the bounds is that of a number."""
        return number // RUN if number < self.head else number - self.head + self.head // RUN

    def bounding(self, sizes: Vector) -> Vector:
        """What bounds numbers (width,) of these sizes: (bounds,)."""
        head = self.head
        return np.concatenate([sizes[:head].reshape(-1, RUN).max(axis=1), sizes[head:]]) if head else sizes

    def spread(self, bounds: Vector) -> Vector:
        """The one of each number, of ``bounds`` (bounds,): (width,)."""
        runs = self.head // RUN
        return np.concatenate([np.repeat(bounds[:runs], RUN), bounds[runs:]])


class Ring:
    """Some blocks' vectors (width,), each number with a bound of its own, until there are enough of them to be cut together.

    ``lows`` as of ``Cutting``. Has ``high`` (width,) and ``low`` (lows,) to add to, and ``peaks`` (width,) to raise; ``sums`` are
    what the kernel works in, what it folds vectors into, and what it cuts them against.
    """

    sums: tuple[Any, ...]

    def __init__(self, width: int, folds: int, lows: int) -> None:
        self.width, self._folds, self._lows = width, folds, lows
        stride = max(1, -(-width // 8)) * 8  # each block's vector starts on a cache line, whichever place in the ring it gets
        places = max(kernel.threads(), min(128, RING_BYTES // (8 * stride)))
        self._ring = aligned((places, stride), np.dtype(np.float64))
        self._ring[:] = 0.0
        self._slots: list[Vector] = [row[:width] for row in self._ring]
        self._segments = [slice(start, min(start + SEGMENT, stride)) for start in range(0, stride, SEGMENT)]
        self._scratch = np.empty((places, min(stride, SEGMENT)) if folds else (0, 0))
        self._ones, self._sum = np.ones(places), np.empty(stride)
        self._used = 0
        # As large as the ring: numpy would make a temporary array to stretch a row over it, in every round.
        self._first, self._second = (np.zeros_like(self._ring if folds else self._scratch) for _ in range(2))

    def lie_in(self, high: Vector, low: Vector, peaks: Vector) -> None:
        """Where the sums and the peaks are from now on."""
        self.high, self.low, self.peaks = high, low, peaks
        self.sums = tuple(map(kernel.lasting, (self._ring, high, low, peaks, self._first[:1], self._second[:1])))

    def rebound(self, first: Vector, second: Vector) -> None:
        """Cut against these (width,) from now on."""
        self._first[:, : self.width], self._second[:, : self.width] = first, second

    def clear(self) -> None:
        """Begin with no block."""
        self.high.fill(0.0)
        self.low.fill(0.0)
        self._used = 0

    def slot(self) -> Vector:
        """Where the next block writes its vector."""
        place = self._used
        if place == len(self._slots):
            self.close()
            place = 0
        self._used = place + 1
        return self._slots[place]

    def close(self) -> None:
        """Add all that was written."""
        block, ones = self._ring[: self._used], self._ones[: self._used]
        if not self._used:
            return
        self._used = 0
        if kernel.fold:
            kernel.fold(block, *self.sums[1:])
            return
        if not self._folds:
            self.high += np.dot(ones, block, out=self._sum)[: self.width]
            return
        for here in self._segments:
            self._cut(block[:, here], ones, here)

    def reach(self, end: int) -> None:
        """Nothing is left to add once it is closed."""

    def _cut(self, block: Vector, ones: Vector, here: slice) -> None:
        """Some columns of the ring, in parts that stay in the cache; of several rows all, as numpy copies what has gaps."""
        rows, columns = block.shape
        part, total = self._scratch[:rows, :columns], self._sum[:columns]
        first, second = self._first[:rows, here], self._second[:rows, here]
        peaks, high = self.peaks[here], self.high[here]
        np.abs(block, out=part)
        np.maximum(peaks, np.maximum.reduce(part, axis=0, out=total)[: len(peaks)], out=peaks)
        np.add(block, first, out=part)
        np.subtract(part, first, out=part)
        high += np.dot(ones, part, out=total)[: len(high)]
        without = self.width - self._lows - here.start
        if without >= columns:
            return
        if without > 0:
            block, part, second, high = block[:, without:], part[:, without:], second[:, without:], high[without:]
        np.subtract(block, part, out=part)
        np.add(part, second, out=part)
        np.subtract(part, second, out=part)
        low = self.low[max(0, -without) :][: len(high)]
        low += np.dot(ones, part)[: len(high)] if without > 0 else np.dot(ones, part, out=total)[: len(high)]


class Straight:
    """Long vectors, one after the other, with bounds in runs. The first one lies in the sums' own memory and is cut there.

    The last vector's runs are added when ``reach`` comes to them: just before they are sent, while in the cache.
    What makes no run is cut by a ``Ring`` of its own. What it has is that of ``Ring``, for ``cutting``.
    """

    sums: tuple[Any, ...] = ()  # vectors are too long for room beside them

    def __init__(self, cutting: Cutting) -> None:
        self._head, self._cutting = cutting.head, cutting
        self._rest = Ring(cutting.width - cutting.head, cutting.folds, min(cutting.lows, cutting.width - cutting.head))
        self._lows = cutting.head if cutting.folds > 1 else 0  # numbers in runs that have a second fold
        self._first, self._second = np.zeros(cutting.head // RUN), np.zeros(self._lows // RUN)
        self._room: Vector = np.empty(0)  # where blocks but the first are written; many ranks have no other
        self._written: Vector | None = None
        self._fresh = True  # nothing was added to the sums yet
        self._reached = self._head  # numbers in runs that have what was written last

    def lie_in(self, high: Vector, low: Vector, peaks: Vector) -> None:
        """Where the sums and the peaks are from now on."""
        head = self._head
        self.high, self.low, self.peaks = high, low, peaks[: head // RUN]
        self._rest.lie_in(high[head:], low[len(low) - self._rest.width :] if len(low) else low, peaks[head // RUN :])

    def rebound(self, first: Vector, second: Vector) -> None:
        """Cut against these (bounds,) from now on."""
        runs = len(self._first)
        self._first[:], self._second[:] = first[:runs], second[: len(self._second)]
        self._rest.rebound(first[runs:], second[runs:])

    def clear(self) -> None:
        """Begin with no block."""
        self._written, self._fresh, self._reached = None, True, self._head

    def slot(self) -> Vector:
        """Where the next block writes its vector."""
        if self._written is not None:
            self.close()
            self.reach(self._head)
            self._fresh = False
        if not self._fresh and not len(self._room):
            self._room = aligned((len(self.high),), np.float64)
        self._written = self.high if self._fresh else self._room
        return self._written

    def close(self) -> None:
        """Add what was written, or begin with zeros where nothing was: the runs when ``reach`` comes to them."""
        self._reached = 0
        vector, fresh, head = self._written, self._fresh, self._head
        if vector is None:
            self.high[head:] = self.low[self._lows :] = 0.0
        elif self._cutting.folds:
            rest = vector[head:].copy()
            if fresh:
                self._rest.clear()
            self._rest.slot()[:] = rest
            self._rest.close()
        elif not fresh:
            self.high[head:] += vector[head:]

    def reach(self, end: int) -> None:
        """Add the runs of the first ``end`` numbers, once it is closed; those that were are not added again."""
        here = slice(self._reached, min(-(-end // RUN) * RUN, self._head))
        if here.start >= here.stop:
            return
        self._reached = here.stop
        vector, fresh, high, low = self._written, self._fresh, self.high[here], self.low[: self._lows][here]
        if vector is None:
            high[:] = low[:] = 0.0
        elif self._cutting.folds:
            x, runs = vector[here].reshape(-1, RUN), slice(here.start // RUN, here.stop // RUN)
            high = x if fresh else high.reshape(-1, RUN)
            kernel.cut(x, self._first[runs], self._second[runs], self.peaks[runs], high, low.reshape(-1, RUN))
        elif not fresh:
            high += vector[here]
