"""The cut of the rows into blocks, and of the blocks into shards.

Blocks depend on the number of rows, features and stored numbers alone, so a block is the same rows, of the same shape, whoever
computes it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Owners = NDArray[np.int32]  # (blocks,): the worker that holds each block
DAMPING = 0.7  # of the way to the ideal shares is gone at once
PAYS = 1.05  # times the ideal: below that, nothing moves
NOBODY = -1  # an owner: the block has to be read by somebody

BLOCK_BYTES = 896 * 1024  # as float64; a block is read twice a round, so it should stay in a core's own cache
SMALLEST, LARGEST = 64, 4096  # rows; multiples of 8, so that each block of a shard is aligned like the first
AT_LEAST = 32  # blocks, as long as that leaves the smallest block: fewer could not be shared out
PANEL_ROWS, PANEL_BYTES = 4096, 32 << 20  # of rows that are shared out together, likewise: p x p numbers are summed once for all
PANEL_FEATURES = 16_384  # at most: with more, nobody asks for p x p numbers
NUMBERS, EACH = 1 << 18, 5  # of a block of sparse rows, and for each feature, at least: a block's sums are added column by column
SQUARES = 5_000  # features, up to which blocks have to be small enough for p x p numbers to be made of their rows


@dataclass(frozen=True)
class Partition:
    """``rows`` rows of ``features`` features, cut into ``blocks`` blocks of ``block_rows`` rows (the last may be shorter).

    Of sparse rows ``density`` is how many numbers are stored of one, on average over all; it is 0 of others.
    """

    rows: int
    features: int
    density: int = 0

    @property
    def block_rows(self) -> int:
        """Rows of each block but the last."""
        if self.density:
            square = PANEL_BYTES // (8 * self.features) if self.features <= SQUARES else self.rows
            wanted = min(max(NUMBERS, EACH * self.features) // self.density, self.rows // AT_LEAST, square)
            return max(SMALLEST, wanted // 64 * 64)
        wanted = min(BLOCK_BYTES // (8 * self.features), self.rows // AT_LEAST, LARGEST)
        return max(SMALLEST, wanted // 64 * 64)

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return -(-self.rows // self.block_rows)

    @property
    def map_bytes(self) -> int:
        """Memory that a block or two for maps take, as float64, at most."""
        return 2 * PANEL_BYTES if self.density else 8 * self.features * 2 * min(self.block_rows, self.rows)

    @property
    def panel(self) -> int:
        """Neighbouring blocks that are always held together, a panel; the last panel may be smaller."""
        if self.density or self.features > PANEL_FEATURES:
            return 1
        return max(1, min(PANEL_ROWS, PANEL_BYTES // (8 * self.features), self.rows // AT_LEAST) // self.block_rows)

    def shard(self, worker: int, workers: int) -> range:
        """The blocks that ``worker`` of ``workers`` holds: neighbours, at most one panel more than any other worker's.

        A worker of -1 (a server, which holds no rows) gets none, and so do the last workers if there are more than panels.
        """
        if worker < 0:
            return range(0)
        panels = -(-self.blocks // self.panel)
        first, last = (min(panels * number // workers * self.panel, self.blocks) for number in (worker, worker + 1))
        return range(first, last)

    def most(self, workers: int) -> int:
        """Blocks of the largest shard among so many workers, at most."""
        return min(-(-self.blocks // self.panel // workers) * self.panel, self.blocks)

    def share_out(self, owners: Owners, workers: int) -> None:
        """Give the blocks that nobody holds to the workers that hold the fewest; as ``shard`` if none is held. In place."""
        free = np.flatnonzero(owners == NOBODY)
        if len(free) == len(owners):
            for worker in range(workers):
                blocks = self.shard(worker, workers)
                owners[blocks.start : blocks.stop] = worker
            return
        panels = owners[:: self.panel].copy()
        taken = panels != NOBODY
        held = np.bincount(panels[taken], minlength=workers)
        panels[~taken] = np.repeat(np.arange(workers), _levelled(held, len(panels) - int(taken.sum())) - held)
        owners[:] = np.repeat(panels, self.panel)[: len(owners)]

    def rebalanced(self, owners: Owners, seconds: NDArray[np.float64]) -> Owners:
        """``rebalanced`` for whole panels; ``owners`` has a number for each block."""
        return np.repeat(rebalanced(owners[:: self.panel], seconds), self.panel)[: len(owners)]

    def span(self, blocks: range) -> range:
        """The rows of a run of neighbouring blocks."""
        return range(min(blocks.start * self.block_rows, self.rows), min(blocks.stop * self.block_rows, self.rows))


def runs(blocks: NDArray[np.int64]) -> Iterator[range]:
    """Ascending numbers as runs of neighbours."""
    for run in np.split(blocks, np.flatnonzero(np.diff(blocks) != 1) + 1):
        if len(run):
            yield range(int(run[0]), int(run[-1]) + 1)


def rebalanced(owners: Owners, seconds: NDArray[np.float64]) -> Owners:
    """Who should hold which block, as a new array; the same one if moving would not pay.

    Each worker's share should be in proportion to its speed. It goes ``DAMPING`` of the way there, as what was measured is noisy.
    All blocks are held by their ``owners`` now; ``seconds`` (workers,) is how long each takes to map what it holds.
    """
    held = np.bincount(owners, minlength=len(seconds))
    each = np.divide(seconds, held, out=np.zeros(len(seconds)), where=held > 0)
    if not (each[held > 0] > 0).all():
        return owners.copy()  # a clock too coarse to tell
    each[held == 0] = np.median(each[held > 0])
    ideal = len(owners) / (1 / each).sum()  # seconds, if all took alike
    if seconds.max() < PAYS * ideal:
        return owners.copy()
    wanted = _whole(held + DAMPING * (ideal / each - held), len(owners))
    after = owners.copy()
    for worker in np.flatnonzero(wanted < held):
        after[np.flatnonzero(owners == worker)[wanted[worker] :]] = NOBODY
    more = np.maximum(wanted - held, 0)
    after[after == NOBODY] = np.repeat(np.arange(len(seconds)), more)
    return after


def _whole(shares: NDArray[np.float64], total: int) -> NDArray[np.int64]:
    """Whole numbers near ``shares`` that add up to ``total``; at least one each, as long as there are enough."""
    found = np.maximum(np.floor(shares), min(1, total // len(shares))).astype(np.int64)
    rest = total - int(found.sum())
    order = np.argsort(found - shares, kind="stable")  # who lost most by the rounding comes first
    for _ in range(-rest):  # those that were given their one block take it from the largest
        found[np.argmax(found)] -= 1
    if rest > 0:
        found += rest // len(found)
        found[order[: rest % len(found)]] += 1
    return found


def _levelled(held: NDArray[np.int64], more: int) -> NDArray[np.int64]:
    """What each holds after ``more`` were given to those that hold the fewest."""
    order = np.argsort(held, kind="stable")
    lowest = np.cumsum(held[order])
    for count in range(1, len(held) + 1):
        level, rest = divmod(int(lowest[count - 1]) + more, count)
        if count == len(held) or level < held[order[count]]:
            break
    full = held.copy()
    full[order[:count]] = level + (np.arange(count) < rest)
    return full
