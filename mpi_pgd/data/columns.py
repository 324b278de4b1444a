"""What a file has for each row, whatever its type: read a run of rows at a time, and written into a file with other rows."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import h5py
import numpy as np
from numpy.typing import NDArray

from mpi_pgd.engine.arrays import Rows

SLAB = 16 << 20  # bytes that are read at a time
LOOKED_UP = 1 << 20  # rows whose lengths are looked up at a time
Lengths = NDArray[np.int64]


class Column(NamedTuple):
    """A data set with as much for each row; ``axis`` is that of the rows. Numbers stay as they are stored, to the bit."""

    data: h5py.Dataset
    axis: int

    @property
    def rows(self) -> int:
        """How many."""
        return int(self.data.shape[self.axis])

    @property
    def text(self) -> bool:
        """Whether it holds texts, each of its own length."""
        return bool(self.data.dtype.hasobject)

    @property
    def row_bytes(self) -> int:
        """Of one row; of texts a guess."""
        return max(1, int(self.data.size) // max(1, self.rows)) * (64 if self.text else int(self.data.id.get_type().get_size()))

    def slabs(self) -> Iterator[range]:
        """All rows in runs that end where chunks end."""
        together = self.data.chunks[self.axis] if self.data.chunks else 1
        step = max(1, SLAB // self.row_bytes // together) * together
        for start in range(0, self.rows, step):
            yield range(start, min(start + step, self.rows))

    def read(self, rows: range) -> Rows:
        """(rows, ...) as bytes of the stored type, or objects."""
        if self.text:
            return np.asarray(self.data[rows.start : rows.stop])
        kind = self.data.id.get_type()
        shape, space = self._place(rows)
        room = np.empty(shape, f"V{kind.get_size()}")
        self.data.id.read(h5py.h5s.create_simple(shape), space, room, kind)
        return np.moveaxis(room, self.axis, 0)

    def write(self, start: int, values: Rows) -> None:
        """From row ``start`` on; ``values`` as of ``read``."""
        if not len(values):
            return
        if self.text:
            self.data[start : start + len(values)] = values
            return
        shape, space = self._place(range(start, start + len(values)))
        room = np.ascontiguousarray(np.moveaxis(values, 0, self.axis))
        self.data.id.write(h5py.h5s.create_simple(shape), space, room, self.data.id.get_type())

    def _place(self, rows: range) -> tuple[tuple[int, ...], h5py.h5s.SpaceID]:
        begin, shape = [0] * self.data.ndim, list(self.data.shape)
        begin[self.axis], shape[self.axis] = rows.start, len(rows)
        space = self.data.id.get_space()
        space.select_hyperslab(tuple(begin), tuple(shape))
        return tuple(shape), space


class Ragged(Protocol):
    """What has something of another length for each row."""

    rows: int
    unit: int  # bytes

    def lengths(self, rows: range) -> Lengths:
        """(rows,) in units."""

    def read(self, rows: range) -> NDArray[np.void]:
        """The units of these rows, one row after the other."""


class Entries:
    """The numbers of sparse rows, or their places, as ``member`` of a group holds them; ``starts`` tell where rows begin."""

    def __init__(self, member: h5py.Dataset, starts: h5py.Dataset) -> None:
        self._member, self._starts = Column(member, 0), starts
        self.rows, self.unit = len(starts) - 1, member.id.get_type().get_size()

    def lengths(self, rows: range) -> Lengths:
        """See ``Ragged``."""
        lengths: Lengths = np.diff(self._starts[rows.start : rows.stop + 1].astype(np.int64))
        return lengths

    def read(self, rows: range) -> NDArray[np.void]:
        """See ``Ragged``."""
        start, stop = (int(self._starts[at]) for at in (rows.start, rows.stop))
        return self._member.read(range(start, stop)) if stop > start else np.empty(0, f"V{self.unit}")


class Texts:
    """Texts as their bytes."""

    unit = 1

    def __init__(self, column: Column) -> None:
        self._column, self.rows = column, column.rows

    def lengths(self, rows: range) -> Lengths:
        """See ``Ragged``."""
        return np.array([len(text) for text in self._column.read(rows).tolist()], np.int64)

    def read(self, rows: range) -> NDArray[np.void]:
        """See ``Ragged``."""
        return units(b"".join(self._column.read(rows).tolist()), 1)


def units(content: bytes, size: int) -> NDArray[np.void]:
    """Bytes in units of so many."""
    return np.frombuffer(content, f"V{size}") if content else np.empty(0, f"V{size}")


def runs(ragged: Ragged, rows: range) -> Iterator[tuple[range, Lengths]]:
    """``rows`` in runs of about ``SLAB`` bytes, with their lengths."""
    for start in range(rows.start, rows.stop, LOOKED_UP):
        some = range(start, min(start + LOOKED_UP, rows.stop))
        lengths = ragged.lengths(some)
        ends = np.cumsum(lengths) * ragged.unit
        done = 0
        while done < len(some):
            before = int(ends[done - 1]) if done else 0
            stop = max(done + 1, int(np.searchsorted(ends, before + SLAB, side="right")))
            yield some[done:stop], lengths[done:stop]
            done = stop


def gathered(whole: NDArray[np.void], lengths: Lengths, order: NDArray[np.int64]) -> NDArray[np.void]:
    """The units of rows (of such ``lengths``) in another order, or of some of them."""
    begins = np.cumsum(lengths) - lengths
    taken = lengths[order]
    ends = np.cumsum(taken)
    places = np.arange(int(ends[-1]) if len(ends) else 0) + np.repeat(begins[order] - ends + taken, taken)
    return whole[places]
