"""A rank's shard: blocks that are read once and held in memory, as far as there is room, and others that stream from the files."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from math import inf

import numpy as np
from numpy.typing import NDArray

from mpi_pgd.data.batch import Room
from mpi_pgd.data.notes import Notes, bad_feature
from mpi_pgd.data.partition import Owners, Partition, runs
from mpi_pgd.data.piece import Piece
from mpi_pgd.data.rooms import held, spare
from mpi_pgd.data.shared import Place, opened, shared
from mpi_pgd.data.stream import Stream
from mpi_pgd.data.table import Table
from mpi_pgd.engine.arrays import Vector, aligned
from mpi_pgd.engine.block import Block
from mpi_pgd.engine.narrow import widen
from mpi_pgd.engine.query import Query
from mpi_pgd.errors import InputError
from mpi_pgd.losses.targets import Targets

SLAB_BYTES = 32 << 20  # read and checked at a time; what is in the core's own cache meanwhile is less (data/stored.py)
LITTLE = 16 << 20  # bytes of targets, weights and offsets that are kept whatever room there is


class MemoryShard(Notes):
    """Blocks of rows in the file's own type; yields those that this rank holds, one by one, as float64.

    Those in memory come first, then those that are read from the files again in every pass; each in the order of the rows.
    ``reading`` is told of the rows that are read, some MiB at a time, and of none where computing goes on. ``looks`` is that of
    ``Notes``.

    Rows of another type than float64 stay as small as they are in the file and are widened a block at a time, in cache. So the
    answer has the same bits as for the same numbers stored as float64.
    """

    def __init__(
        self, table: Table, partition: Partition, reading: Callable[[range], None] = lambda _: None, looks: bool = True
    ) -> None:
        super().__init__(table, looks)
        self.partition, self.reading = partition, reading
        self.held = np.zeros(0, dtype=np.int64)  # the numbers of the blocks that it yields, ascending, in whole panels
        self.pieces: list[Piece] = []  # runs of neighbouring blocks that were read together
        self.owners: Owners = np.zeros(0, dtype=np.int32)  # who holds which block, as far as this rank was told
        self.rows_read = 0
        self.stream = Stream(table, partition, reading)
        self._read: dict[int, Block] = {}
        self._panels = self._read if partition.panel == 1 else {}  # by the first of its blocks; they are the same rows
        self._seen: dict[int, tuple[range, Piece]] = {}  # that another process has read: with which others, and the rows
        self._streamed: set[int] = set()  # blocks that were read, but not into memory
        self._order, self._streaming = self.held, False  # in which they are yielded; whether some stream
        self._same = table.computable
        self._yielded: dict[int, tuple[list[Block], list[Block]]] = {}  # by blocks together: as stored, and as float64
        self._rooms: dict[int, Vector] = {}  # in which they are widened, likewise

    @property
    def streamed(self) -> NDArray[np.int64]:
        """Of the blocks that are held those that are in no memory, ascending."""
        return self.held[~self._there(self.held)]

    def _there(self, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        return np.array([number in self._read for number in numbers.tolist()], dtype=bool)

    def stored(self, numbers: NDArray[np.int64], together: int = 1) -> Iterator[Block]:
        """Blocks that this rank holds, or the panels of them, as they are stored; each until the next is asked for."""
        known = self._read if together == 1 else self._panels
        if not self._streaming:
            yield from map(known.__getitem__, numbers[::together].tolist())
            return
        there = self._there(numbers)
        with self.stream.blocks(numbers[~there], together, self.settle) as ahead:
            yield from map(known.__getitem__, numbers[there][::together].tolist())
            yield from ahead

    def blocks(self, query: Query) -> Iterable[Block]:
        """Those that the answer to ``query`` is made of."""
        task = query.task
        if task.units is not None:
            return self._batches.blocks(task.units, self._order, self.stored)
        together = self.partition.panel if task.coarse else 1
        if self._streaming:
            each = self.stored(self._order, together)
            return each if self._same else self._widened(each, together)
        stored, wide = self._kept(together)
        return wide if self._same else _copied(stored, wide)

    def first(self) -> Iterator[Block]:
        """The first block of all rows, until the next is asked for; none on a rank that does not hold it."""
        each = self.stored(self.held[self.held == 0])
        return each if self._same else self._widened(each, 1)

    def complain(self) -> None:
        """Refuse the first feature that is not finite, of the rows that are held."""
        for block in self.stored(self.held):
            if found := block.unsound():
                raise InputError(bad_feature(self.table, block.start, *found))

    def _kept(self, together: int) -> tuple[list[Block], list[Block]]:
        """Blocks or panels, all in memory: as they are stored, and as they are yielded."""
        if together not in self._yielded:
            stored = wide = list(self.stored(self.held, together))
            if not self._same:  # all share one room, in which they are widened one by one
                room = self._wide(together)
                wide = [Block(room[: one.rows], one.y, one.weights, one.offset, one.start) for one in stored]
            self._yielded[together] = stored, wide
        return self._yielded[together]

    def _widened(self, stored: Iterable[Block], together: int) -> Iterator[Block]:
        room = self._wide(together)
        for one in stored:
            widen(one.x, room[: one.rows])
            yield Block(room[: one.rows], one.y, one.weights, one.offset, one.start)

    def _wide(self, together: int) -> Vector:
        """The room in which so many blocks are widened."""
        if together not in self._rooms:
            rows = min(together * self.partition.block_rows, self.partition.rows)
            self._rooms[together] = aligned((rows, self.partition.features), np.float64)
        return self._rooms[together]

    @cached_property
    def _batches(self) -> Room:
        """Made when a batch is asked for."""
        rows = self.partition.block_rows
        piece = spare(self.table, rows)
        return Room(piece, piece.x if self._same else aligned((rows, self.partition.features), np.float64))

    def missing(self, blocks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of ``blocks`` that were never read."""
        known = self._read.keys() | self._streamed
        return np.array([block for block in blocks.tolist() if block not in known], dtype=np.int64)

    def bytes(self, blocks: NDArray[np.int64]) -> int:
        """Memory that holding ``blocks`` takes."""
        return sum(self.table.bytes(len(self.partition.span(run))) for run in runs(blocks))

    @property
    def taken(self) -> int:
        """Memory that rows take now."""
        return sum(piece.nbytes for piece in (*self.pieces, *self.stream.kept.values()))

    def hold(self, blocks: NDArray[np.int64], room: float = inf) -> None:
        """Yield these blocks, ascending, from now on. What is missing is read; what is given away stays, to be taken back.

        Of what is missing as many panels are put into memory as have ``room``, in bytes; the others are noted, and will stream.
        What belongs to these beside the features stays, if it is little. Refuses values that are not finite, and rows that can't
        be read.
        """
        self._take(self.missing(blocks))
        missing = self.missing(blocks)
        beside = self.bytes(missing) * (1 - self.table.x_bytes / self.table.bytes(1))
        keep = beside <= max(room / 4, LITTLE)
        kept = self._fitting(missing, room - beside * (keep and LITTLE < beside < room))
        for run in self._stretches(missing[:kept]):
            self._fill(run)
        self.stream.survey(missing[kept:], self.note, keep, self.looks)
        self.rows_read += sum(len(self.partition.span(run)) for run in runs(missing[kept:]))
        self._streamed |= {*missing[kept:].tolist()}
        self.held = blocks
        there = self._there(blocks)
        self._order = np.concatenate([blocks[there], blocks[~there]])
        self._streaming = not bool(there.all())
        self._yielded = {}

    def _stretches(self, blocks: NDArray[np.int64]) -> Iterator[range]:
        """Runs of neighbours, of which whole panels lie in memory already, or have to be read."""
        rows = self.partition.block_rows
        for run in runs(blocks):
            for here in self.table.stretches(self.partition.span(run), self.partition.panel * rows):
                yield range(here.start // rows, -(-here.stop // rows))

    def _fitting(self, blocks: NDArray[np.int64], room: float) -> int:
        """How many of these blocks, from the first on, have room in memory: whole panels."""
        if self.bytes(blocks) <= room:
            return len(blocks)
        panel = self.partition.panel
        return min(len(blocks), int(room // self.table.bytes(panel * self.partition.block_rows)) * panel)

    def encode(self, targets: Targets) -> None:
        """Read targets so: if they are classes they become the numbers of these, here and in what is read from now on."""
        if self.targets is None and targets.classes:
            self._classes = np.array(targets.classes)
            self.peaks[self.partition.features :] = len(targets.classes) - 1
            for piece in (*self.pieces, *self.stream.kept.values()):
                piece.encode(self._classes)
        self.targets = targets

    def weigh(self, factors: Vector) -> None:
        """Multiply the rows' weights by the factor (k,) of their class, here and in what is read from now on; once."""
        if not len(self._factors):
            self._factors = factors
            self.heaviest = max((piece.weigh(factors) for piece in (*self.pieces, *self.stream.kept.values())), default=0.0)
            self.stream.read(self.streamed, self._weighed)

    def _weighed(self, first: int, part: Piece) -> None:
        self.settle(first, part)
        if part.weights is not None:
            self.heaviest = max(self.heaviest, float(part.weights.max()))

    def unseen(self, blocks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of ``blocks`` that no other process has read where this one sees them."""
        return np.array([block for block in blocks.tolist() if block not in self._seen], dtype=np.int64)

    @contextmanager
    def read(self, blocks: NDArray[np.int64]) -> Iterator[list[Place]]:
        """Blocks are read into memory that other processes can see, and may ``see`` meanwhile by where they are."""
        places: list[Place] = []
        try:
            for run in runs(blocks):
                raw, file = shared(self.table, self.partition.span(run))
                places.append(Place(run, os.getpid(), file))
                self._fill(run, raw)
            yield places
        finally:
            for place in places:
                os.close(place.number)

    def see(self, place: Place) -> None:
        """Of blocks that another process has read, know where they are: who is to hold them need not read them."""
        raw = opened(self.table, self.partition.span(place.run), place)
        self._seen |= dict.fromkeys(place.run, (place.run, raw))

    def _take(self, blocks: NDArray[np.int64]) -> None:
        """Those that another process has read, as if they had been read now."""
        found: dict[range, tuple[Piece, list[int]]] = {}
        for block in blocks.tolist():
            if block in self._seen:
                whole, raw = self._seen[block]
                found.setdefault(whole, (raw, []))[1].append(block)
        for whole, (raw, some) in found.items():
            for run in runs(np.array(some)):
                rows, before = self.partition.span(run), self.partition.span(range(whole.start, run.start))
                piece = raw.part(slice(len(before), len(before) + len(rows))).apart()
                for slab in self.table.slabs(rows, SLAB_BYTES):
                    self.note(slab.start, piece.part(slice(slab.start - rows.start, slab.stop - rows.start)))
                self._hold(run, piece)

    def _fill(self, run: range, raw: Piece | None = None) -> None:
        """Read a run of blocks; if it is given, into ``raw``, which stays as the files have it."""
        rows = self.partition.span(run)
        piece = raw.apart() if raw else held(self.table, rows)
        for slab in self.table.slabs(rows, SLAB_BYTES):
            self.reading(slab)
            here = slice(slab.start - rows.start, slab.stop - rows.start)
            part, peaks = piece.part(here), np.zeros(self.table.features) if self.looks else None
            (raw or piece).part(here).read(self.table, slab, peaks)
            if raw:
                part.fill_beside(raw.part(here))  # its features are there
            self.note(slab.start, part, peaks)
        self.rows_read += len(rows)
        self._hold(run, piece)

    def _hold(self, run: range, piece: Piece) -> None:
        start, step = self.partition.span(run).start, self.partition.block_rows
        self.pieces.append(piece)
        together = {1: self._read, self.partition.panel: self._panels}
        for place, block in enumerate(run):
            for size, found in together.items():
                if block % size == 0:
                    here = slice(place * step, (place + size) * step)
                    found[block] = piece.part(here).block(start + here.start)


def _copied(stored: Iterable[Block], wide: Iterable[Block]) -> Iterator[Block]:
    for narrow, block in zip(stored, wide, strict=True):
        widen(narrow.x, block.x)
        yield block
