"""A shard held in memory: read once, then iterated over in every round."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mpi_pgd.arrays import Rows, Vector, aligned
from mpi_pgd.data.hdf5 import Table
from mpi_pgd.data.partition import Partition
from mpi_pgd.errors import InputError

SLAB_BYTES = 8 << 20  # read at a time: large enough for the file system, small enough to be checked while still in cache


class Block(NamedTuple):
    """A block as the objective sees it: ``x`` (rows, features) and ``y`` (rows,), float64, not to be written."""

    x: Vector
    y: Vector


class MemoryShard:
    """The rows of some neighbouring blocks, in the file's own type; yields them block by block as float64.

    Rows of another type than float64 stay as small as they are in the file and are widened a block at a time, in cache. So the
    answer has the same bits as for the same numbers stored as float64.

    Attributes:
        peaks: (features + 1,) float64, the largest magnitude of each column and of y over this shard.
    """

    def __init__(self, table: Table, partition: Partition, blocks: range) -> None:
        rows = partition.span(blocks)
        self.x = aligned((len(rows), partition.features), table.x_type)
        self.y = aligned((len(rows),), np.float64)
        self.peaks = np.zeros(partition.features + 1)
        self._step = partition.block_rows
        self._fill(table, rows)
        self._wide = aligned((self._step if self.x.dtype != np.float64 else 0, partition.features), np.float64)
        self._blocks = [self._cut(start) for start in range(0, len(rows), self._step)]

    def __iter__(self) -> Iterator[Block]:
        if self.x.dtype == np.float64:
            return iter(self._blocks)
        return self._widened()

    def _widened(self) -> Iterator[Block]:
        for x, y in self._blocks:
            wide = self._wide[: len(x)]
            np.copyto(wide, x)
            yield Block(wide, y)

    def _cut(self, start: int) -> Block:
        return Block(self.x[start : start + self._step], self.y[start : start + self._step])

    def _fill(self, table: Table, rows: range) -> None:
        for slab in table.slabs(rows, SLAB_BYTES):
            here = slice(slab.start - rows.start, slab.stop - rows.start)
            x, y = self.x[here], self.y[here]
            table.read(slab, x, y)
            self._check(table, slab.start, x, y)

    def _check(self, table: Table, first: int, x: Rows, y: Vector) -> None:
        """Note the columns' peaks; complain about the first value that is not finite."""
        for peaks, values in ((self.peaks[:-1], x), (self.peaks[-1:], y[:, None])):
            for extreme in (np.maximum.reduce(values, axis=0), np.minimum.reduce(values, axis=0)):
                np.maximum(peaks, np.abs(extreme.astype(np.float64)), out=peaks)
        if not np.isfinite(self.peaks).all():
            raise InputError(_first_bad(table, first, x, y))


def _first_bad(table: Table, first: int, x: Rows, y: Vector) -> str:
    good_x, good_y = np.isfinite(x), np.isfinite(y)
    row = int(np.argmin(good_x.all(axis=1) & good_y))
    if good_y[row]:
        column = int(np.argmin(good_x[row]))
        value, place = x[row, column], f"column {column} of {table.x}"
    else:
        value, place = y[row], table.y
    return (
        f"row {first + row}, {place} is {value}: every value must be a finite number "
        f"(counted from 0 over all rows); drop or mend such rows first"
    )


def available_bytes() -> int:
    """Bytes of memory that this node can still give without swapping: by the kernel's estimate, or the control group's limit."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    kilobytes = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    return min([1024 * kilobytes, *_control_group_rests()])


def _control_group_rests() -> Iterator[int]:
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            yield int(Path("/sys/fs/cgroup", limit).read_text()) - int(Path("/sys/fs/cgroup", used).read_text())
        except (OSError, ValueError):  # no such control group here, or its limit is the word "max"
            continue
