"""The partial: the one message that a rank sends each round, made so that sums over the ranks do not depend on the order.

Every block of rows gives one vector. Each of its numbers ``g`` is cut against two powers of two into

    hi = (g + M1) - M1,    lo = ((g - hi) + M2) - M2,    M1 = 1.5 * 2**(e + k),    M2 = 1.5 * 2**(e + k - 53 + k),

where ``2**e`` bounds ``|g|`` over all blocks and ``2**(k - 1)`` bounds the number of blocks. All ``hi`` are then multiples of one
unit, and so few that each partial sum of them is exact in float64; the same holds for the ``lo``. Exact sums have no order: the
ranks' MPI_SUM gives the same bits however the blocks are shared out and whatever tree the library uses. 105 - 2k bits below the
bound survive. (J. Demmel and H. D. Nguyen, "Parallel Reproducible Summation", IEEE Transactions on Computers 64, 2015:
pre-rounding, here with two folds.)

The bound follows the data. Each round's message carries two votes: ``exceeded``, a block was above the bound, so that the round
has to be done again, and ``near``, a block was still near it; when no block is, the bound is exchanged before the next round.
Both are decided by the blocks alone, never by who holds them. Where the objective has fallen so far in one round that hardly a
digit is left above the lower unit, as after a trial that went too far, the reduced sums say so, and the round is done again, too.
"""

from enum import IntEnum

import numpy as np

from mpi_pgd.engine.arrays import Vector, aligned
from mpi_pgd.engine.pairs import Pair, two_sum
from mpi_pgd.engine.tasks import Halves

HEADROOM = 3  # bits between the largest block seen and the bound, so that a growing gradient does not cost a round at once
SLACK = 10  # bits that all blocks may fall below that before the bound is exchanged
RING_BYTES = 1 << 17  # block vectors that are split together: the rows push them out of the cache, so fetch them seldom
HALF = 2.0**-53  # of a number, at most, is the low half of the pair that it is the high half of
SEGMENT = 1 << 14  # numbers of a vector that are split at a time
LARGEST = 1020  # exponent of the largest sum over all blocks
SMALLEST = -900  # exponent of the smallest bound; anything larger leaves room for the lower fold above the subnormals


class Vote(IntEnum):
    """What a partial counts beside the sums. Counts are small whole numbers: their sums are exact."""

    ROWS = 0
    BROKEN = 1
    EXCEEDED = 2
    NEAR = 3
    LATE = 4
    SIGNALLED = 5


class Partial:
    """The sums of one rank's blocks: one float64 ``buffer``, [hi | lo | votes] or [sum | votes], to be summed over the ranks.

    ``width`` is the length of a block's vector, and ``blocks`` the number of them over all ranks. If ``order_free``, each is split,
    so that the order of the sums does not matter; else they are just added. ``peaks`` (width,) are the largest magnitudes of each
    number over this rank's blocks since ``clear``; ``all_peaks`` those of all partials of its ``Sums``. It is ``bounded`` once the
    bound was taken from some. ``halves`` are those of ``Layout.halves``.
    """

    def __init__(
        self,
        width: int,
        blocks: int,
        order_free: bool = True,
        peaks: Vector | None = None,
        halves: Halves = (),
        all_peaks: Vector | None = None,
    ) -> None:
        self.width, self.order_free, self._halves = width, order_free, halves
        self._bits = max(1, int(blocks - 1).bit_length()) + 1
        self._lie_in(np.zeros((2 if order_free else 1) * width + len(Vote)))
        stride = max(1, -(-width // 8)) * 8  # each block's vector starts on a cache line, whichever place in the ring it gets
        places = max(1, min(128, RING_BYTES // (8 * stride)))
        self._ring = aligned((places, stride), np.dtype(np.float64))
        self._ring[:] = 0.0
        self._slots: list[Vector] = [row[:width] for row in self._ring]
        self._segments = [slice(start, min(start + SEGMENT, stride)) for start in range(0, stride, SEGMENT)]
        self._scratch = np.empty((places, min(stride, SEGMENT)) if order_free else (0, 0))
        self._ones, self._sum = np.ones(places), np.empty(stride)
        self._used = self._rows = 0
        self.peaks = np.zeros(width) if peaks is None else peaks
        self.all_peaks = self.peaks if all_peaks is None else all_peaks
        self._bound, self._near = np.zeros(width), np.zeros(width)
        # As large as the ring: numpy would make a temporary array to stretch a row over it, in every round.
        self._first, self._second = (np.zeros_like(self._ring if order_free else self._scratch) for _ in range(2))
        self.rebound()

    def _lie_in(self, buffer: Vector) -> None:
        self.buffer, width = buffer, self.width
        self.votes = buffer[-len(Vote) :]
        self._high = buffer[:width]
        self._low = buffer[width : 2 * width] if self.order_free else np.zeros(0)

    def move(self, buffer: Vector) -> None:
        """Have what it holds in other memory from now on, as long as its own."""
        buffer[:] = self.buffer
        self._lie_in(buffer)

    def rebound(self) -> None:
        """Take the bound from ``peaks``, which have been exchanged: the same on every rank."""
        self.bounded = bool(self.peaks.any())
        for low, high in self._halves:  # a low half may be 0 by chance, and larger when its high one has hardly changed
            np.maximum(self.peaks[low], self.peaks[high] * HALF, out=self.peaks[low])
        if self.order_free:
            exponent = np.maximum(np.frexp(self.peaks)[1] + HEADROOM, SMALLEST)
            exponent[self.peaks == 0] = SMALLEST
            exponent = np.minimum(exponent, LARGEST - self._bits)
            self._bound[:] = np.ldexp(1.0, exponent)
            self._near[:] = np.ldexp(1.0, exponent - HEADROOM - SLACK)
            self._first[:, : self.width] = np.ldexp(1.5, exponent + self._bits)
            self._second[:, : self.width] = np.ldexp(1.5, exponent + 2 * self._bits - 53)

    def clear(self) -> None:
        """Begin a round: no block, no votes."""
        self.buffer[:] = 0.0
        self.peaks[:] = 0.0
        self._used = self._rows = 0

    def slot(self, rows: int) -> Vector:
        """Where the next block, of ``rows`` rows, writes its vector: (width,) float64."""
        place = self._used
        if place == len(self._slots):
            self._fold()
            place = 0
        self._rows += rows
        self._used = place + 1
        return self._slots[place]

    def close(self, late: bool, signalled: bool, unread: bool = False) -> None:
        """End a round on this rank: fold what is left and cast the votes. Where blocks are ``unread``, no count of rows is one."""
        if self._used:
            self._fold()
        votes = self.votes
        votes[Vote.ROWS] = np.nan if unread else self._rows
        votes[Vote.LATE] = late
        votes[Vote.SIGNALLED] = signalled
        if not self.order_free:
            votes[Vote.BROKEN] = not np.isfinite(self._high).all()
        else:
            # Not finite, or so large that no bound can be set above it: doing the round again would not help.
            votes[Vote.BROKEN] = not (self.peaks < 2.0 ** (LARGEST - self._bits)).all()
            votes[Vote.EXCEEDED] = (self.peaks >= self._bound).any()
            votes[Vote.NEAR] = (self.peaks >= self._near).any()

    def total(self, out: Vector) -> Vector:
        """The sums over all ranks, once the buffer has been reduced: (width,) float64, rounded once."""
        if self.order_free:
            np.add(self._high, self._low, out=out)
        else:
            out[:] = self._high
        return out

    def one(self, place: int) -> float:
        """The same sum of one number."""
        return float(self._high[place] + self._low[place])

    def pair(self) -> Pair:
        """The same sums (width,), not rounded."""
        return two_sum(self._high, self._low if self.order_free else np.zeros_like(self._high))

    @property
    def redo(self) -> bool:
        """After the reduction: a block was above the bound, so these sums are void."""
        return self.order_free and bool(self.votes[Vote.EXCEEDED] > 0) and bool(self.votes[Vote.BROKEN] == 0)

    @property
    def unread(self) -> bool:
        """After the reduction: some rank could not read its rows."""
        return bool(np.isnan(self.votes[Vote.ROWS]))

    @property
    def stale(self) -> bool:
        """After the reduction: no block is near the bound any more; exchange it before the next round."""
        return self.order_free and bool(self.votes[Vote.NEAR] == 0)

    def _fold(self) -> None:
        block, ones = self._ring[: self._used], self._ones[: self._used]
        self._used = 0
        if not self.order_free:
            self._high += np.dot(ones, block, out=self._sum)[: self.width]
            return
        for here in self._segments:
            self._cut(block[:, here], ones, here)

    def _cut(self, block: Vector, ones: Vector, here: slice) -> None:
        """Some columns of the ring, in parts that stay in the cache; of several rows all, as numpy copies what has gaps."""
        rows, columns = block.shape
        part, total = self._scratch[:rows, :columns], self._sum[:columns]
        first, second = self._first[:rows, here], self._second[:rows, here]
        peaks, high, low = self.peaks[here], self._high[here], self._low[here]
        np.abs(block, out=part)
        np.maximum(peaks, np.maximum.reduce(part, axis=0, out=total)[: len(peaks)], out=peaks)
        np.add(block, first, out=part)
        np.subtract(part, first, out=part)
        high += np.dot(ones, part, out=total)[: len(high)]
        np.subtract(block, part, out=part)
        np.add(part, second, out=part)
        np.subtract(part, second, out=part)
        low += np.dot(ones, part, out=total)[: len(low)]
