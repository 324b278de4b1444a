"""Chunks read raw, each once, and decoded past HDF5."""

from array import array

import h5py
import numpy as np

from mpi_pgd.data.handle import Handle
from mpi_pgd.engine.arrays import Rows

MOST = 1 << 17  # chunks of a data set: all are looked up at once, which takes some tenths of a second
LEAST = 1 << 14  # bytes of a chunk of rows: HDF5 is as fast with smaller ones
SHUFFLE, DEFLATE = h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE
# In the order of writing. Shuffled alone, a chunk at the edge does not tell whether it was.
PIPELINES: tuple[list[int], ...] = ([], [DEFLATE], [SHUFFLE, DEFLATE])


class Chunked:
    """A data set of one or two dimensions in chunks.

    Attributes:
        dtype, shape, row_bytes: of the numbers as they are stored, and of one row.
        together: rows of a chunk, which are decoded together.
    """

    def __init__(self, data_set: h5py.Dataset) -> None:
        """An OSError if a chunk is nowhere, or not as it should be."""
        self.dtype, self.shape = data_set.dtype, data_set.shape[1:]
        self.together, self._across = (*data_set.chunks, 1)[:2]
        self._width = (*self.shape, 1)[0]
        self.row_bytes = self._width * self.dtype.itemsize
        self._size = self.together * self._across * self.dtype.itemsize
        self._filters = filters(data_set)
        self._starts, self._sizes, self._skipped = self._index(data_set)
        self._handle = Handle(data_set.file)

    def _index(self, data_set: h5py.Dataset) -> tuple[Rows, Rows, Rows]:
        """Of each chunk (bands, chunks across): where it starts in the file, its bytes there, a bit for each filter left out."""
        notes = array("q")
        data_set.id.chunk_iter(lambda chunk: notes.extend((*chunk.chunk_offset, *chunk[1:])))
        known = np.frombuffer(notes, np.int64).reshape(-1, data_set.ndim + 3)
        grid = -(-len(data_set) // self.together), -(-self._width // self._across)
        places = known[:, 0] // self.together * grid[1]
        if data_set.ndim > 1:
            places += known[:, 1] // self._across
        skipped, starts, sizes = known[:, data_set.ndim :].T
        if not np.array_equal(np.sort(places), np.arange(grid[0] * grid[1])):
            raise OSError("a chunk was never written")
        if not self._filters and (sizes != self._size).any():
            raise OSError("a chunk has another size than it should")
        order = np.argsort(places)
        kinds = (starts, np.int64), (sizes, np.uint32), (skipped, np.uint32)
        return tuple(each[order].astype(kind).reshape(grid) for each, kind in kinds)

    def fill(self, rows: range, room: Rows) -> None:
        """Fill ``room`` (len(rows), *shape), of the stored type, C-contiguous, with ``rows``; an OSError if they aren't there."""
        lines = room.reshape(len(rows), self._width)
        for band in range(rows.start // self.together, -(-rows.stop // self.together)):
            top = band * self.together
            here = range(max(rows.start, top), min(rows.stop, top + self.together))
            for column, left in enumerate(range(0, self._width, self._across)):
                out = lines[here.start - rows.start : here.stop - rows.start, left : left + self._across]
                self._fill(band, column, here.start - top, out)

    def there(self, rows: range) -> bool:
        """Whether ``rows`` only have to be copied, as they are in the system's memory, and not packed."""
        band, row = divmod(rows.stop - 1, self.together)
        whole = not self._filters and self._width == self._across
        return whole and self._handle.there(int(self._starts[band, 0]) + (row + 1) * self.row_bytes)

    def _fill(self, band: int, column: int, first: int, out: Rows) -> None:
        """Fill ``out`` with rows of one chunk, from its row ``first`` on."""
        start, size = int(self._starts[band, column]), int(self._sizes[band, column])
        if not self._filters and out.flags.c_contiguous and self._width == self._across:
            self._handle.read(start + first * self.row_bytes, out)
            return
        numbers = np.empty(size, np.uint8)
        self._handle.read(start, numbers)
        done = [code for bit, code in enumerate(self._filters) if not self._skipped[band, column] >> bit & 1]
        if DEFLATE in done:
            from mpi_pgd.data.inflate import inflated  # not at start-up

            numbers = inflated(numbers, self._size)
        if len(numbers) != self._size:
            raise OSError("a chunk has another size than it should")
        here = np.s_[first : first + len(out), : out.shape[1]]
        if SHUFFLE in done:
            lanes = numbers.reshape(self.dtype.itemsize, self.together, self._across)
            room = out.view(np.uint8).reshape(*out.shape, -1)
            for byte, lane in enumerate(lanes):
                room[..., byte] = lane[here]
        else:
            out[...] = numbers.view(self.dtype).reshape(self.together, self._across)[here]


def index_bytes(chunks: int) -> int:
    """Memory that is taken for knowing where so many chunks are, at most."""
    return 16 * chunks


def filters(data_set: h5py.Dataset) -> list[int]:
    """The numbers of its filters, in the order of writing."""
    plan = data_set.id.get_create_plist()
    return [plan.get_filter(i)[0] for i in range(plan.get_nfilters())]


def simple(data_set: h5py.Dataset) -> bool:
    """Whether it is one that this file reads, and faster than HDF5 does."""
    size = int(np.prod(data_set.chunks)) * data_set.dtype.itemsize
    return (
        data_set.ndim <= 2
        and filters(data_set) in PIPELINES
        and (data_set.ndim == 1 or size >= LEAST)
        and data_set.id.get_num_chunks() <= MOST
    )
