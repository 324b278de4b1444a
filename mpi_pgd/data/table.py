"""HDF5 files as one long table of rows: what all ranks know of it, and how each reads its own rows.

Only the serial h5py is needed: files are opened read-only, and disjoint rows are read independently.
"""

from array import array
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

import h5py
import numpy as np

from mpi_pgd import kernel
from mpi_pgd.data import direct
from mpi_pgd.data.chunks import index_bytes
from mpi_pgd.data.csr import row_bytes
from mpi_pgd.data.decode import STRIP, Column, read_column, read_features
from mpi_pgd.data.files import Span, Stamp, check_unchanged
from mpi_pgd.data.meaning import PLAIN, Meaning
from mpi_pgd.data.opening import opened, reading, search_as
from mpi_pgd.data.stored import PARTS, PIECE, places
from mpi_pgd.engine.arrays import Rows, Vector
from mpi_pgd.engine.narrow import BFLOAT16, holds, raise_peaks, type_of
from mpi_pgd.errors import InputError

FILES = 100  # that are open at once: a process may have some hundreds, and HDF5 reads zeros where it can't open one


@dataclass(frozen=True)
class Part:
    """One file of a table: its rows come after those of the parts before it."""

    path: str
    rows: int
    chunk_rows: int  # rows that are stored, and so have to be read, together; 1 if contiguous
    layout: str  # what `data info` says of it
    files: tuple[Stamp, ...] = ()  # those that its rows come from: several, if its data sets are links or virtual
    spans: tuple[Span, ...] = ()  # of each of them: for which rows
    chunk_bytes: int = 0  # of the largest chunk, which is in memory while rows of it are read
    chunks: int = 0  # in which its data sets are stored
    columns: "array[int]" = field(default_factory=lambda: array("q"))  # of the table, for each of its own; empty: as they are
    x: Meaning = PLAIN
    y: Meaning = PLAIN
    weights: Meaning = PLAIN
    offset: Meaning = PLAIN
    numbers: int = -1  # that are stored, if its rows are sparse; -1 if they are dense

    @property
    def decoding_bytes(self) -> int:
        """Memory that numbers take on their way to values, at most, if chunks are no larger."""
        return 0 if self.x.plain and not self.columns else 3 * STRIP

    def behind(self, rows: range) -> Iterator[tuple[Stamp, Span]]:
        """The files that ``rows`` of this part come from."""
        for stamp, span in zip(self.files, self.spans, strict=True):
            if span.first < rows.stop and rows.start < span.stop:
                yield stamp, span

    def runs(self, rows: range) -> Iterator[range]:
        """``rows`` in runs that come from few files each."""
        if len(rows) > 1 and sum(1 for _ in self.behind(rows)) > FILES:
            middle = (rows.start + rows.stop) // 2
            yield from self.runs(range(rows.start, middle))
            yield from self.runs(range(middle, rows.stop))
        else:
            yield rows

    @contextmanager
    def opened(self, rows: range) -> Iterator[h5py.File]:
        """The file, while ``rows`` are read. HDF5 reads zeros where it can't open a source, so they are opened before."""
        with ExitStack() as sources:
            for stamp, span in self.behind(rows):
                if span.hdf5 and stamp.path != self.files[0].path:
                    sources.enter_context(opened(stamp.path))
            yield sources.enter_context(opened(self.path))


@dataclass(frozen=True)
class Table:
    """The checked description of the input, small enough to be sent to every rank."""

    parts: tuple[Part, ...]  # the files in the order of their rows
    x: str  # name of the data set with the features, (n, p)
    y: str  # and of that with the targets, (n,), (n, 1), or (n, k); empty where none were asked for: they are then 0
    features: int  # p
    x_type: str  # name of the type that a shard keeps in memory (engine/narrow.py), in native byte order
    y_type: str  # likewise, of the targets in the files
    labels: str  # the features' names, a line each, if the input has them: a million in one text, as they are sent to every rank
    plugin: bool  # whether a filter of hdf5plugin is needed to read it
    node: str  # the one that looked at the files
    prefixes: tuple[str, ...] = ()  # where HDF5 looked for files that others name
    warnings: tuple[str, ...] = ()  # sentences on what may not be meant as it is read
    targets: int = 1  # k, of each row
    weights: str = ""  # name of the data set with the rows' weights, if they are to have any
    offset: str = ""  # and of that with what is added to their linear predictors, if anything is
    weighted: bool = False  # a shard holds a weight for each row
    lossy: bool = False  # values are rounded to x_type

    @property
    def rows(self) -> int:
        """n, over all parts."""
        return sum(part.rows for part in self.parts)

    def stored(self, name: str) -> "Table":
        """The same one, of which a shard keeps features in the type of that name; refuses one that such rows can't have."""
        if self.sparse and type_of(name) == BFLOAT16:
            raise InputError(f"--store {name} is of dense rows, and those of {self.x} are sparse: expected float32 or as-is")
        return replace(self, x_type=name, lossy=not holds(type_of(name), self.x_type))

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The type that a shard keeps features in."""
        return type_of(self.x_type)

    @property
    def names(self) -> tuple[str, ...]:
        """The features' names, if the input has them."""
        return tuple(self.labels.split("\n")[:-1])

    @property
    def reading_bytes(self) -> int:
        """Memory that reading takes beside the rows: two of a chunk, numbers on their way to values, and where chunks are."""
        known = sum(sorted(index_bytes(part.chunks) for part in self.parts)[-PARTS:])
        return known + 2 * PIECE + max(2 * part.chunk_bytes + part.decoding_bytes for part in self.parts)

    def bytes(self, rows: int) -> int:
        """Memory that a shard of so many rows takes; of sparse ones on average."""
        return rows * (self.x_bytes + 8 * (self.targets + self.weighted + bool(self.offset)))

    @property
    def sparse(self) -> bool:
        """Whether few numbers of a row are stored."""
        return self.parts[0].numbers >= 0

    @property
    def computable(self) -> bool:
        """Whether rows are computed with as they are stored: the kernel widens them, or need not."""
        return self.sparse or kernel.STORED or self.dtype == np.float64

    @property
    def density(self) -> int:
        """Numbers that are stored of a row, on average, rounded up; 0 if all are."""
        return max(1, -(-sum(part.numbers for part in self.parts) // self.rows)) if self.sparse else 0

    @property
    def x_bytes(self) -> int:
        """Memory that the features of one row take; of sparse ones on average."""
        if self.sparse:
            return row_bytes(self.features, self.density, self.x_type)
        return self.features * self.dtype.itemsize

    def pieces(self, rows: range) -> Iterator[tuple[Part, range]]:
        """The parts that hold ``rows``, each with the run of its own rows."""
        start = 0
        for part in self.parts:
            here = range(max(rows.start - start, 0), min(rows.stop - start, part.rows))
            if len(here):
                yield from ((part, run) for run in part.runs(here))
            start += part.rows

    def slabs(self, rows: range, size: int) -> Iterator[range]:
        """``rows`` in runs of about ``size`` bytes that end where chunks end, so that no chunk is decompressed twice."""
        bytes_each = max(self.x_bytes, 8 * self.targets)
        offset = rows.start
        for part, here in self.pieces(rows):
            shift = offset - here.start
            step = max(1, size // bytes_each // part.chunk_rows) * part.chunk_rows
            start = here.start
            while start < here.stop:
                stop = min((start // part.chunk_rows) * part.chunk_rows + step, here.stop)
                yield range(start + shift, stop + shift)
                start = stop
            offset += len(here)

    def read(
        self,
        rows: range,
        x: Rows | None,
        y: Vector | None,
        weights: Vector | None = None,
        offset: Vector | None = None,
        peaks: Vector | None = None,
    ) -> None:
        """Fill the arrays with ``rows``, converting to their types: ``x`` (len(rows), p), ``y`` (len(rows),) or (k, len(rows)).

        ``weights`` and ``offset``, (len(rows),) each, are left alone where the table has none; what is None is not read.
        ``peaks`` (p,) are raised to the largest magnitudes in ``x``, by ``narrow.raise_peaks``, at less than the cost of a pass of
        its own.

        Refuses a file that has gone, has changed, or can't be read there, and a number that stands for a missing value.
        """
        done = 0
        for part, here in self.pieces(rows):
            target = slice(done, done + len(here))
            beside = ((self.y, part.y, y), (self.weights, part.weights, weights), (self.offset, part.offset, offset))
            columns = [Column(name, means, out[..., target]) for name, means, out in beside if name and out is not None]
            self._read(part, here, rows.start + done, None if x is None else x[target], columns, peaks)
            self._check_unchanged(part, here)
            done += len(here)

    def _read(self, part: Part, rows: range, first: int, x: Rows | None, columns: list[Column], peaks: Vector | None) -> None:
        """Of ``read``: ``rows`` of one part, the number of the first of them in the table being ``first``."""
        names = "" if x is None else self.x, *(column.name for column in columns)
        stored = places(part.path, part.files[:1], names, self.prefixes)
        try:
            features = x is None or direct.read_features(stored[0], part.x, part.columns, rows, x, peaks)
            left = [column for column, its in zip(columns, stored[1:], strict=True) if not direct.read_column(its, column, rows)]
        except (OSError, MemoryError):
            places.cache_clear()  # the next one looks again
            features, left = x is None, columns
        if features and not left:
            return
        if self.plugin:
            from mpi_pgd.data.storage import load_plugin  # hardly any file asks for it

            load_plugin()
        search_as(self.prefixes)
        self._check_unchanged(part, rows)
        with part.opened(rows) as file, reading(part.path, rows):
            if x is not None and not features:
                read_features(file[self.x], part.x, part.columns, rows, first, x, self.x)
                if peaks is not None:
                    raise_peaks(x, peaks)
            for column in left:
                read_column(file[column.name], column, rows, first)

    def _check_unchanged(self, part: Part, rows: range) -> None:
        try:
            check_unchanged((stamp for stamp, _ in part.behind(rows)), self.node)
        except InputError:
            places.cache_clear()  # what was looked up may be of another file, which is not to be known by this one's name
            raise
