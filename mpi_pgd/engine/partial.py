"""The partial: the one message that a rank sends each round, made so that sums over the ranks do not depend on the order.

Every block of rows gives one vector. Each of its numbers ``g`` is cut against two powers of two into

    hi = (g + M1) - M1,    lo = ((g - hi) + M2) - M2,    M1 = 1.5 * 2**(e + k),    M2 = 1.5 * 2**(e + k - 53 + k),

where ``2**e`` bounds ``|g|`` over all blocks and ``2**(k - 1)`` bounds the number of blocks. All ``hi`` are then multiples of one
unit, and so few that each partial sum of them is exact in float64; the same holds for the ``lo``. Exact sums have no order: the
ranks' MPI_SUM gives the same bits however the blocks are shared out and whatever tree the library uses. 105 - 2k bits below the
bound survive; 53 - k where the ``hi`` alone are sent, half the bytes. (J. Demmel and H. D. Nguyen, "Parallel Reproducible
Summation", IEEE Transactions on Computers 64, 2015: pre-rounding, here with two folds or one.)

The bound follows the data. Each round's message carries two votes: ``exceeded``, a block was above the bound, so that the round
has to be done again, and ``near``, a block was still near it; when no block is, the bound is exchanged before the next round.
Both are decided by the blocks alone, never by who holds them. Where the objective has fallen so far in one round that hardly a
digit is left above the lower unit, as after a trial that went too far, the reduced sums say so, and the round is done again, too.
Each number has a bound; in long vectors each run of neighbours (``cut.py``), so that bounds take no room.
"""

import math
from collections.abc import Iterable
from enum import IntEnum

import numpy as np

from mpi_pgd import kernel
from mpi_pgd.engine.arrays import Rows, Vector, aligned, numbers
from mpi_pgd.engine.block import Block
from mpi_pgd.engine.cut import Cutting, Ring, Straight
from mpi_pgd.engine.few import Few
from mpi_pgd.engine.pairs import Pair, two_sum
from mpi_pgd.engine.tasks import BlockMap, Halves

HEADROOM = 3  # bits between the largest block seen and the bound, so that a growing gradient does not cost a round at once
SLACK = 10  # bits that all blocks may fall below that before the bound is exchanged
HALF = 2.0**-53  # of a number, at most, is the low half of the pair that it is the high half of
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

    Long ones are cut as they are sent, each piece while it is in the cache: ``reach`` has the first numbers of ``message`` cut, and
    the votes cast before the last ones. Who asks for ``buffer`` has all of it.

    ``width`` is the length of a block's vector, and ``blocks`` the number of them over all ranks. If ``order_free``, each is cut,
    so that the order of the sums does not matter, into as many ``folds`` as are sent of each number; else they are just added. Of
    those ``behind``, at the end, always two are sent. ``peaks`` (cutting.bounds,) are the largest magnitudes of each number, or of
    each run, over this rank's blocks since ``clear``; ``all_peaks`` those of all partials of its ``Sums``. It is ``bounded`` once
    the bound was taken from some, and ``long`` if its vectors are. ``halves`` are those of ``Layout.halves``, and ``columned`` is
    ``Layout.columned``.
    """

    def __init__(
        self,
        width: int,
        blocks: int,
        order_free: bool = True,
        halves: Halves = (),
        folds: int = 2,
        behind: int = 0,
        columned: tuple[int, int] = (0, 0),
    ) -> None:
        self.width, self.order_free, self._halves = width, order_free, halves
        self.cutting = cutting = Cutting(width, folds if order_free else 0, behind, each=bool(halves))
        self.long = cutting.long
        self._bits = max(1, int(blocks - 1).bit_length()) + 1
        self._added = Straight(cutting) if self.long else Ring(width, cutting.folds, cutting.lows)
        self._closed = True  # the votes are those of all that was added
        self._columned, self._few = columned[0] > 0, Few(cutting, columned)
        self._rows = 0
        self.peaks = self.all_peaks = np.zeros(cutting.bounds)
        self._bound, self._near = np.zeros(cutting.bounds), np.zeros(cutting.bounds)
        self._lie_in(aligned((width + cutting.lows + len(Vote),), np.float64))
        self.message[:] = 0.0
        self.rebound()

    def _lie_in(self, buffer: Vector) -> None:
        self.message, width = buffer, self.width
        self._high, self._low, self.votes = buffer[:width], buffer[width : -len(Vote)], buffer[-len(Vote) :]
        self._sizes = self.votes[Vote.BROKEN : Vote.NEAR + 1]  # what the peaks say
        self._numbers, self._counts = numbers(buffer), numbers(self.votes)
        self._folds = kernel.lasting(self._high), kernel.lasting(self._low)
        self._judged = tuple(map(kernel.lasting, (self.peaks, self._bound, self._near, self._sizes)))
        for added in (self._added, self._few):
            added.lie_in(self._high, self._low, self.peaks)

    def share(self, peaks: Vector, all_peaks: Vector) -> None:
        """Have its peaks there, which are some of all of them."""
        self.peaks, self.all_peaks = peaks, all_peaks
        self._lie_in(self.message)

    def move(self, buffer: Vector) -> None:
        """Have what it holds in other memory from now on, as long as its own."""
        buffer[:] = self.buffer
        self._lie_in(buffer)

    def expect(self, sizes: Vector) -> None:
        """Have as ``peaks`` what numbers (width,) of these sizes would give."""
        self.peaks[:] = self.cutting.bounding(sizes)

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
            first, second = np.ldexp(1.5, exponent + self._bits), np.ldexp(1.5, exponent + 2 * self._bits - 53)
            for added in (self._added, self._few) if self._columned else (self._added,):
                added.rebound(first, second)

    def clear(self) -> None:
        """Begin a round: no block, no votes."""
        self._added.clear()
        self._few.clear()
        self._closed = True
        self.votes.fill(0.0)
        self.peaks.fill(0.0)
        self._rows = 0

    def take(self, mapped: BlockMap, blocks: Iterable[Block]) -> None:
        """The vectors of blocks. What maps many of them in one call, and folds the vector of each, says so by ``over``."""

        def each(block: Block) -> None:
            mapped(block, self.slot(block.rows, block.columns))

        over = getattr(mapped, "over", None)
        if over and self._added.sums:
            rows = over(blocks, each, *self._added.sums)
            self._rows += rows  # apart: ``each`` counts, too
        else:
            for block in blocks:
                each(block)

    def slot(self, rows: int, columns: Rows | None = None) -> Vector:
        """Where the next block, of ``rows`` rows, writes its vector: (width,) float64.

        It is shorter where the block has ``columns`` of its own (l,), and vectors begin with k lines of p numbers, of which it
        then writes k lines of l. Either all blocks of a round have some, or none.
        """
        self._rows += rows
        return self._added.slot() if columns is None or not self._columned else self._few.slot(columns)

    def close(self, late: bool, signalled: bool, unread: bool = False) -> None:
        """End a round on this rank: add what is left and cast the votes. Where blocks are ``unread``, no count of rows is one.

        What is long is added, and judged, when ``reach`` comes to it; but of plain sums this rank's own have to be looked at.
        """
        (self._few if self._few.used else self._added).close()
        votes = self._counts
        votes[Vote.ROWS] = math.nan if unread else self._rows
        votes[Vote.LATE] = late
        votes[Vote.SIGNALLED] = signalled
        self._closed = not self.long
        if self._closed:
            self._judge()
        elif not self.order_free:
            self.reach(len(self.message))

    def reach(self, end: int) -> None:
        """Have the first ``end`` numbers of ``message``, at least, as they are to be sent."""
        if self._closed:
            return
        self._added.reach(end)
        if end > len(self.message) - len(Vote):
            self._closed = True
            self._judge()

    @property
    def buffer(self) -> Vector:
        """``message``, all of it as it is to be sent."""
        self.reach(len(self.message))
        return self.message

    def _judge(self) -> None:
        """Vote on the numbers."""
        if not self.order_free:
            self._counts[Vote.BROKEN] = not np.isfinite(self._high).all()
        else:
            # Broken: not finite, or so large that no bound can be set above it, and doing the round again would not help.
            kernel.votes(2.0 ** (LARGEST - self._bits), *self._judged)

    def total(self, out: Vector) -> Vector:
        """The sums over all ranks, once the buffer has been reduced: (width,) float64, rounded once."""
        kernel.rounded(*self._folds, out)
        return out

    def settle(self) -> Vector:
        """The same in the buffer's own memory, where they last until the next round. After it there are no pairs."""
        self._high[self.width - len(self._low) :] += self._low
        return self._high

    def errors(self) -> Vector:
        """What each sum may be off by, as it has one fold: (width,), 0 where it has two."""
        off = self.cutting.spread(self._bound) * 2.0 ** (2 * self._bits - 54)  # half a unit for each block
        off[self.width - len(self._low) :] = 0.0
        return off

    def one(self, place: int) -> float:
        """The same sum of one number."""
        found, lows = self._numbers, len(self._low)
        return found[place] + (found[place + lows] if place + lows >= self.width else 0.0)

    def pair(self) -> Pair:
        """The same sums (width,), not rounded."""
        return two_sum(self._high, np.append(np.zeros(self.width - len(self._low)), self._low))

    @property
    def redo(self) -> bool:
        """After the reduction: a block was above the bound, so these sums are void."""
        return self.order_free and self._counts[Vote.EXCEEDED] > 0 and self._counts[Vote.BROKEN] == 0

    @property
    def unread(self) -> bool:
        """After the reduction: some rank could not read its rows."""
        return math.isnan(self._counts[Vote.ROWS])

    @property
    def stale(self) -> bool:
        """After the reduction: no block is near the bound any more; exchange it before the next round."""
        return self.order_free and self._counts[Vote.NEAR] == 0
