"""Rows that memory has no room for: read from their files in every pass, ahead of whoever computes where they are waited for."""

from collections.abc import Callable, Iterator, Mapping
from queue import SimpleQueue
from threading import Thread
from time import perf_counter
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from mpi_pgd.data.partition import Partition, runs
from mpi_pgd.data.piece import GivenPiece, Piece
from mpi_pgd.data.rooms import spare
from mpi_pgd.data.table import Table
from mpi_pgd.engine.block import Block

SLAB_BYTES = 8 << 20  # read at a time: large enough for the file system, small enough to be checked while still in cache
COPIED = 4 << 20  # that is copied at a time, likewise: what asking for it takes is little then, and most is in the core's own cache
SLOTS = 3  # one is computed with, one is read, one lies between them; two where they are as long as a large panel

Take = Callable[[int, Piece], None]  # what is done with rows when they were read, from which row on
Filled = tuple[Piece, int, int]  # room, its first row, and how many


class Stream:
    """Reads blocks ahead, into room that is used again and again.

    ``reading`` is told of the rows that have to be waited for, and of none when they are there.

    Attributes:
        waited: seconds that were waited for rows.
        kept: by the first of neighbouring rows, what belongs to them, where that stays in memory.
        slots: the room.
    """

    def __init__(self, table: Table, partition: Partition, reading: Callable[[range], None] = lambda _: None) -> None:
        self.table, self.partition, self.reading = table, partition, reading
        self.waited = 0.0
        self.kept: dict[int, Piece] = {}
        self.slots: list[Piece] = []
        self._cut: dict[tuple[int, int], dict[tuple[int, int], Block]] = {}  # by slot and rows of a block: by its rows
        self._row = max(table.x_bytes, 8 * table.targets)  # bytes that slabs are counted in

    def bytes(self, together: int = 0) -> int:
        """Memory that reading takes, of so many blocks together; at most, if that is not said."""
        return self._count(together or self.partition.panel) * self.table.bytes(self._rows(together or self.partition.panel))

    def blocks(self, numbers: NDArray[np.int64], together: int, take: Take) -> "Ahead":
        """The blocks, or panels of so many, of these ascending ``numbers``; each until the next is asked for.

        Reading begins when what is returned is entered, in a ``with`` statement. ``take`` is called by whoever reads.
        """
        if len(numbers) and (not self.slots or self.slots[0].rows < self._rows(together)):
            self.slots, self._cut = [], {}  # the old room goes before the new one comes
            self.slots = [spare(self.table, self._rows(together)) for _ in range(self._count(together))]
        return Ahead(self, numbers, together, take)

    def read(self, numbers: NDArray[np.int64], take: Take) -> None:
        """Read blocks for what ``take`` makes of them alone."""
        with self.blocks(numbers, 1, take) as ahead:
            for _ in ahead:
                pass

    def survey(self, numbers: NDArray[np.int64], note: Take, keep: bool, looks: bool) -> None:
        """Read blocks for the first time; if not ``looks``, what belongs to the rows alone, which stays in memory if ``keep``.

        It stays as ``note`` left it.
        """
        found: dict[int, Piece] = {}

        def noted(first: int, part: Piece) -> None:
            note(first, part)
            if kept := _within(found, range(first, first + part.rows)):
                kept.fill_beside(part)

        spans = [self.partition.span(run) for run in runs(numbers)]
        if keep:  # nothing has to be read of features
            found = {rows.start: GivenPiece.of(self.table, np.empty((len(rows), 0))) for rows in spans}
        if looks:
            self.read(numbers, noted)
        else:
            for slab in (slab for rows in spans for slab in self.slabs(rows)):
                self.reading(slab)
                part = GivenPiece.of(self.table, np.empty((len(slab), 0)))
                part.read(self.table, slab)
                noted(slab.start, part)
            self.reading(range(0))
        self.kept |= found

    @property
    def copied(self) -> int:
        """Blocks that are copied at a time, about."""
        return max(1, COPIED // (self._row * self.partition.block_rows))

    def slabs(self, rows: range, size: int = 0) -> Iterator[range]:
        """``rows`` in runs that are read at a time, of so many bytes, if that is said: where it can be, whole blocks."""
        step, block = (size or SLAB_BYTES) // self._row, self.partition.block_rows
        return self.table.slabs(rows, (step // block * block or step) * self._row)

    def load(self, slab: range, part: Piece, take: Take) -> None:
        """Read ``slab`` into room that may have had other rows before; ``take`` has it, unless what belongs to it is kept."""
        if kept := _within(self.kept, slab):
            part.fill_beside(kept)
            part.read_features(self.table, slab)
            return
        if part.weights is not None and not self.table.weights:
            part.weights.fill(1.0)
        part.read(self.table, slab)
        take(slab.start, part)

    def cut(self, slot: Piece, first: int, rows: int, unit: int) -> Iterator[Block]:
        """The first ``rows`` of a slot, from row ``first`` on, in blocks of ``unit`` rows.

        They are made once, if they last, as the room is the same.
        """
        known = self._cut.setdefault((id(slot), unit), {})
        for start in range(0, rows, unit):
            here = start, min(start + unit, rows)
            block = known.get(here) or slot.part(slice(*here)).block(0)
            if slot.lasting:
                known[here] = block
            block.start = first + start
            yield block

    def _rows(self, together: int) -> int:
        """Rows of a slot: a slab, behind what was left over from the one before."""
        longest = max(1, SLAB_BYTES // self._row, *(part.chunk_rows for part in self.table.parts))
        whole = -(-self.partition.rows // self.partition.block_rows) * self.partition.block_rows
        return min(together * self.partition.block_rows + longest, whole)

    def _count(self, together: int) -> int:
        return SLOTS if self.table.bytes(together * self.partition.block_rows) <= SLAB_BYTES else 2


class Ahead:
    """Blocks that are read while those before them are computed with, see ``Stream.blocks``.

    Rows that only have to be copied are read when they are asked for: computed with at once, they are still in a cache. From the
    first on that have to be waited for, or decoded, a thread is ahead.
    """

    def __init__(self, stream: Stream, numbers: NDArray[np.int64], together: int, take: Take) -> None:
        self.stream, self.numbers, self.take = stream, numbers, take
        self.unit = together * stream.partition.block_rows
        self._free: SimpleQueue[Piece] = SimpleQueue()
        self._ready: SimpleQueue[Filled | tuple[()]] = SimpleQueue()  # the last is the end
        self._error: BaseException | None = None
        self._at, self._left = range(0), False
        self._filled = self._read()
        self._thread: Thread | None = None

    def __enter__(self) -> "Ahead":
        if len(self.numbers):
            self._free.put(self.stream.slots[0])
            first = int(self.numbers[0])
            if not self.stream.table.there(self.stream.partition.span(range(first, first + 1))):
                self._go_ahead()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._left = True
        if self._thread:
            self._free.put(self.stream.slots[0])  # wakes it, if it waits for room
            self._thread.join()

    def __iter__(self) -> Iterator[Block]:
        while found := self._next():
            slot, first, rows = found
            yield from self.stream.cut(slot, first, rows, self.unit)
            self._free.put(slot)

    def _next(self) -> Filled | tuple[()]:
        """What was read next, or nothing. Raises what reading it raised."""
        begun = perf_counter()
        found = None if self._thread else next(self._filled, ())
        if found is None:
            found = self._awaited()
        self.stream.waited += perf_counter() - begun
        return found

    def _awaited(self) -> Filled | tuple[()]:
        if not self._thread:
            self._go_ahead()
        self.stream.reading(self._at)
        found = self._ready.get()
        self.stream.reading(range(0))
        if not found and self._error:
            raise self._error
        return found

    def _go_ahead(self) -> None:
        for slot in self.stream.slots[1:]:
            self._free.put(slot)
        self._thread = Thread(target=self._fill, name="read-ahead", daemon=True)
        self._thread.start()

    def _fill(self) -> None:
        """In the thread: all that is left."""
        try:
            with np.errstate(over="ignore", invalid="ignore"):  # as in the thread that computes
                for found in self._filled:
                    self._ready.put(found or ())
        except BaseException as error:  # is raised where the rows are waited for
            self._error = error
        self._ready.put(())

    def _read(self) -> Iterator[Filled | None]:
        """All rows, slab by slab, as there is room; None where a thread is to go on."""
        for run in runs(self.numbers):
            if self._left:
                return
            yield from self._read_run(self.stream.partition.span(run))

    def _read_run(self, rows: range) -> Iterator[Filled | None]:
        """Rows that follow each other. Chunks, which are read whole, don't end where blocks do: the rest stays for the next.

        What was handed out is only read until it comes back, so the rest may be copied from it meanwhile.
        """
        first, filled, slot = rows.start, 0, self._free.get()
        for slab in self._slabs(rows):
            if not slab:
                yield None
                continue
            if self._left:
                return
            self._at = slab
            part = slot.part(slice(filled, filled + len(slab)))
            self.stream.load(slab, part, self.take)
            filled += len(slab)
            whole = filled if slab.stop == rows.stop else filled // self.unit * self.unit
            if whole:
                yield slot, first, whole
                rest, first = slot.part(slice(whole, filled)), first + whole
                if slab.stop < rows.stop:
                    slot, filled = self._free.get(), filled - whole
                    if self._left:
                        return  # this slot may be what was handed out last
                    slot.part(slice(filled)).fill(rest)

    def _slabs(self, rows: range) -> Iterator[range]:
        """Runs of ``rows`` as they are to be read; an empty one where a thread is to go on."""
        for slab in self.stream.slabs(rows, COPIED):
            if self._thread or not self.stream.table.there(slab):
                yield from [range(0)] * (not self._thread)
                yield from self.stream.slabs(range(slab.start, rows.stop))
                return
            yield slab


def _within(kept: Mapping[int, Piece], rows: range) -> Piece | None:
    """What belongs to these rows, if all of it is in one of the pieces, of which the first rows are known."""
    for first, piece in kept.items():
        if first <= rows.start and rows.stop <= first + piece.rows:
            return piece.part(slice(rows.start - first, rows.stop - first))
    return None
