"""A shard held in memory: blocks that are read once, then iterated over in every round."""

import os
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mpi_pgd.data.batch import Room
from mpi_pgd.data.labels import Labels
from mpi_pgd.data.partition import Owners, Partition, runs
from mpi_pgd.data.peaks import raise_peaks
from mpi_pgd.data.piece import Piece
from mpi_pgd.data.table import Table
from mpi_pgd.engine.arrays import Vector, aligned
from mpi_pgd.engine.block import Block
from mpi_pgd.engine.query import Query
from mpi_pgd.errors import InputError
from mpi_pgd.losses.targets import Targets
from mpi_pgd.system import scheduler

V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes")  # of control groups of the first version
SLAB_BYTES = 8 << 20  # read at a time: large enough for the file system, small enough to be checked while still in cache


class MemoryShard:
    """Blocks of rows in memory, in the file's own type; yields those that this rank holds, one by one, as float64.

    ``reading`` is told of the rows that are read, some MiB at a time.

    Rows of another type than float64 stay as small as they are in the file and are widened a block at a time, in cache. So the
    answer has the same bits as for the same numbers stored as float64.
    """

    def __init__(self, table: Table, partition: Partition, reading: Callable[[range], None] = lambda _: None) -> None:
        self.table, self.partition, self.reading = table, partition, reading
        self.held = np.zeros(0, dtype=np.int64)  # the numbers of the blocks that it yields, ascending, in whole panels
        self.pieces: list[Piece] = []  # runs of neighbouring blocks that were read together
        self.peaks = np.zeros(partition.features + table.targets)  # the largest magnitudes, targets last, over all that was read
        self.heaviest = 0.0 if table.weighted else 1.0  # the largest weight of a row, likewise
        self.farthest = 0.0  # the largest magnitude of an offset
        self.labels = Labels(table.targets)  # what the targets are in the files
        self.targets: Targets | None = None  # how they are read, once that is known of all
        self._classes, self._factors = np.zeros(0), np.zeros(0)  # by number: the target in the files; what weights are times
        self.owners: Owners = np.zeros(0, dtype=np.int32)  # who holds which block, as far as this rank was told
        self.rows_read = 0
        self._read: dict[int, Block] = {}
        self._panels: dict[int, Block] = {}  # by the first of its blocks; they are the same rows
        self._same = np.dtype(table.x_type) == np.float64
        self._yielded: dict[int, tuple[list[Block], list[Block]]] = {}  # by blocks together: as stored, and as float64

    def blocks_of(self, together: int) -> tuple[list[Block], list[Block]]:
        """Blocks, or panels, that this rank holds: as they are stored, and as they are yielded."""
        if together not in self._yielded:
            stored = [(self._read if together == 1 else self._panels)[block] for block in self.held[::together].tolist()]
            wide = stored
            if not self._same:  # all share one room, in which they are widened one by one
                room = aligned((max((one.rows for one in stored), default=0), self.partition.features), np.float64)
                wide = [Block(room[: one.rows], one.y, one.weights, one.offset, one.start) for one in stored]
            self._yielded[together] = stored, wide
        return self._yielded[together]

    def blocks(self, query: Query) -> Iterable[Block]:
        """Those that the answer to ``query`` is made of."""
        if query.task.units is not None:
            return self._batches.blocks(query.task.units, self.held, self._read)
        stored, wide = self.blocks_of(self.partition.panel if query.task.coarse else 1)
        return wide if self._same else _widened(stored, wide)

    @cached_property
    def _batches(self) -> Room:
        """Made when a batch is asked for."""
        rows = self.partition.block_rows
        piece = Piece.room(self.table, rows)
        return Room(piece, piece.x if self._same else aligned((rows, self.partition.features), np.float64))

    def first_row(self) -> Vector:
        """Row 0 as (features + targets,) float64, targets last; -inf everywhere on a rank that has not read it."""
        row, features = np.full(len(self.peaks), -np.inf), self.partition.features
        if 0 in self._read:
            row[:features], row[features:] = self._read[0].x[0], self._read[0].y[..., 0]
        return row

    def missing(self, blocks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of ``blocks`` that would have to be read."""
        return np.array([block for block in blocks.tolist() if block not in self._read], dtype=np.int64)

    def bytes(self, blocks: NDArray[np.int64]) -> int:
        """Memory that reading ``blocks`` takes."""
        return sum(self.table.bytes(len(self.partition.span(run))) for run in runs(blocks))

    def hold(self, blocks: NDArray[np.int64]) -> None:
        """Yield these blocks, ascending, from now on. What is missing is read; what is given away stays, to be taken back.

        Refuses values that are not finite, and rows that can't be read.
        """
        for run in runs(self.missing(blocks)):
            self._fill(run)
        self.held = blocks
        self._yielded = {}

    def encode(self, targets: Targets) -> None:
        """Read targets so: if they are classes they become the numbers of these, here and in what is read from now on."""
        if self.targets is None and targets.classes:
            self._classes = np.array(targets.classes)
            self.peaks[self.partition.features :] = len(targets.classes) - 1
            for piece in self.pieces:
                piece.encode(self._classes)
        self.targets = targets

    @property
    def factors(self) -> Vector | None:
        """As ``weigh`` was given them."""
        return self._factors if len(self._factors) else None

    def weigh(self, factors: Vector) -> None:
        """Multiply the rows' weights by the factor (k,) of their class, here and in what is read from now on; once."""
        if not len(self._factors):
            self._factors = factors
            self.heaviest = max((piece.weigh(factors) for piece in self.pieces), default=0.0)

    def _fill(self, run: range) -> None:
        rows, step = self.partition.span(run), self.partition.block_rows
        piece = Piece.room(self.table, len(rows))
        for slab in self.table.slabs(rows, SLAB_BYTES):
            self.reading(slab)
            part = piece.part(slice(slab.start - rows.start, slab.stop - rows.start))
            self.table.read(slab, *part)
            self._note(slab.start, part)
        self.pieces.append(piece)
        self.rows_read += len(rows)
        for place, block in enumerate(run):
            for found, size in ((self._read, 1), (self._panels, self.partition.panel)):
                if block % size == 0:
                    here = slice(place * step, (place + size) * step)
                    found[block] = piece.part(here).block(rows.start + here.start)

    def _note(self, first: int, part: Piece) -> None:
        """Note the peaks and what the targets are; complain about the first value that can't be used."""
        features = self.partition.features
        peaks = np.zeros_like(self.peaks)
        raise_peaks(peaks[:features], part.x)
        raise_peaks(peaks[features:], part.y.reshape(-1, len(part.x)).T)
        if not np.isfinite(peaks).all():
            raise InputError(_first_bad(self.table, first, part))
        if part.offset is not None:
            self.farthest = max(self.farthest, _farthest(self.table.offset, first, part.offset))
        heaviest = 1.0 if part.weights is None else _heaviest(self.table.weights, first, part.weights)
        self.labels.note(part.y)
        if len(self._classes):
            part.encode(self._classes)
            peaks[features:] = 0.0
        if len(self._factors):
            heaviest = part.weigh(self._factors)
        self.heaviest = max(self.heaviest, heaviest)
        np.maximum(self.peaks, peaks, out=self.peaks)


def _widened(stored: Iterable[Block], wide: Iterable[Block]) -> Iterator[Block]:
    for narrow, block in zip(stored, wide, strict=True):
        np.copyto(block.x, narrow.x)
        yield block


def _first_bad(table: Table, first: int, part: Piece) -> str:
    x, y = part.x, part.y.reshape(table.targets, -1)
    good_x, good_y = np.isfinite(x), np.isfinite(y)
    row = int(np.argmin(good_x.all(axis=1) & good_y.all(axis=0)))
    if good_y[:, row].all():
        column = int(np.argmin(good_x[row]))
        value, place = x[row, column], f"column {column} of {table.x}"
    else:
        column = int(np.argmin(good_y[:, row]))
        value, place = y[column, row], f"column {column} of {table.y}" if table.targets > 1 else table.y
    return (
        f"row {first + row}, {place} is {value}: every value must be a finite number "
        f"(counted from 0 over all rows); drop or mend such rows first"
    )


def _heaviest(name: str, first: int, weights: Vector) -> float:
    """The largest of ``weights``; refuses those that are none."""
    if not (weights.min() >= 0 and weights.max() < np.inf):
        row = int(np.argmin((weights >= 0) & (weights < np.inf)))
        raise InputError(
            f"row {first + row} of {name} is {weights[row]}: every weight must be a finite number, and none below 0 "
            f"(counted from 0 over all rows); drop or mend such rows first"
        )
    return float(weights.max())


def _farthest(name: str, first: int, offset: Vector) -> float:
    """The largest magnitude of ``offset``; refuses what is not finite."""
    largest = float(np.abs(offset).max())
    if not largest < np.inf:
        row = int(np.argmin(np.isfinite(offset)))
        raise InputError(
            f"row {first + row} of {name} is {offset[row]}: every offset must be a finite number "
            f"(counted from 0 over all rows); drop or mend such rows first"
        )
    return largest


def available_bytes(held: int = 0) -> int:
    """Bytes of memory that this node can still give without swapping: by the kernel's estimate, a control group, or SLURM's grant.

    ``held`` is what the ranks on this node hold together (``held_bytes``), if that is known better than from this one.
    """
    lines = Path("/proc/meminfo").read_text().splitlines()
    kilobytes = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    granted = granted_bytes()
    rest = [max(0, granted - (held or held_bytes()))] if granted else []
    return min([1024 * kilobytes, *_control_group_rests(), *rest])


def granted_bytes() -> int:
    """What SLURM granted to the job on this node, whether or not the kernel enforces it; 0 if no limit is known."""
    job = scheduler.read(os.environ)
    return job.memory if job else 0


def held_bytes() -> int:
    """Memory of this process alone: without files and segments that it shares with others."""
    resident, shared = map(int, Path("/proc/self/statm").read_text().split()[1:3])
    return (resident - shared) * os.sysconf("SC_PAGE_SIZE")


def _control_group_rests() -> Iterator[int]:
    """What each group around this process, as batch systems make them, has left: its limit counts as the node's memory does."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, kind, path = line.split(":", 2)
        if kind in ("", "memory"):
            root = Path("/sys/fs/cgroup", kind)
            inner = root / path.lstrip("/")
            for group in (inner, *inner.parents):
                if group.is_relative_to(root):
                    yield from _rest(group, *(("memory.max", "memory.current") if not kind else V1))


def _rest(group: Path, limit: str, used: str) -> Iterator[int]:
    try:
        left = int((group / limit).read_text()) - int((group / used).read_text())
        stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # no such control group here, or its limit is the word "max"
        return
    # Files that are kept in memory count as used, but give way.
    yield left + sum(int(stat.get(name, 0)) for name in ("active_file", "inactive_file"))
