"""A file of HDF5 as a part of a table: how its rows are read.

Only the serial h5py is needed: files are opened read-only, and disjoint rows are read independently.
"""

from array import array
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import h5py

from mpi_pgd.data import direct
from mpi_pgd.data.chunks import index_bytes
from mpi_pgd.data.csr import Csr
from mpi_pgd.data.decode import STRIP, Column, read_column, read_features
from mpi_pgd.data.files import Span, Stamp, check_unchanged
from mpi_pgd.data.meaning import PLAIN, Meaning
from mpi_pgd.data.opening import opened, reading, search_as
from mpi_pgd.data.stored import Stored, places
from mpi_pgd.engine.arrays import Rows, Vector
from mpi_pgd.engine.narrow import raise_peaks
from mpi_pgd.errors import InputError

if TYPE_CHECKING:
    from mpi_pgd.data.table import Beside, Table

FILES = 100  # that are open at once: a process may have some hundreds, and HDF5 reads zeros where it can't open one


@dataclass(frozen=True)
class FilePart:
    """One file of a table. See ``table.Part``."""

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
    def index_bytes(self) -> int:
        """Memory for where its chunks are."""
        return index_bytes(self.chunks)

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

    def read(self, table: "Table", rows: range, first: int, x: Rows | None, beside: "Beside", peaks: Vector | None) -> None:
        """See ``table.Part``. Refuses a file that has gone, has changed, or can't be read here."""
        named = ((table.y, self.y), (table.weights, self.weights), (table.offset, self.offset))
        columns = [Column(name, means, out) for (name, means), out in zip(named, beside, strict=True) if name and out is not None]
        self._read(table, rows, first, x, columns, peaks)
        self._check_unchanged(table, rows)

    def _read(self, table: "Table", rows: range, first: int, x: Rows | None, columns: list[Column], peaks: Vector | None) -> None:
        stored = self._stored(table)
        try:
            features = x is None or direct.read_features(stored[table.x], self.x, self.columns, rows, x, peaks)
            left = [column for column in columns if not direct.read_column(stored[column.name], column, rows)]
        except (OSError, MemoryError):
            places.cache_clear()  # the next one looks again
            features, left = x is None, columns
        if features and not left:
            return
        if table.plugin:
            from mpi_pgd.data.storage import load_plugin  # hardly any file asks for it

            load_plugin()
        search_as(table.prefixes)
        self._check_unchanged(table, rows)
        with self.opened(rows) as file, reading(self.path, rows):
            if x is not None and not features:
                read_features(file[table.x], self.x, self.columns, rows, first, x, table.x)
                if peaks is not None:
                    raise_peaks(x, peaks)
            for column in left:
                read_column(file[column.name], column, rows, first)

    def _stored(self, table: "Table") -> dict[str, Stored | None]:
        """Of each data set: where its numbers are."""
        return places(
            self.path, self.files[:1], ("" if table.sparse else table.x, table.y, table.weights, table.offset), table.prefixes
        )

    def there(self, table: "Table", rows: range) -> bool:
        """See ``table.Part``."""
        return not table.sparse and direct.there(self._stored(table)[table.x], self.x, self.columns, rows, table.dtype)

    def _check_unchanged(self, table: "Table", rows: range) -> None:
        try:
            check_unchanged((stamp for stamp, _ in self.behind(rows)), table.node)
        except InputError:
            places.cache_clear()  # what was looked up may be of another file, which is not to be known by this one's name
            raise

    def count(self, table: "Table", rows: range) -> int:
        """See ``table.Part``."""
        from mpi_pgd.data import sparsefile  # not at start-up: most rows are dense

        return sparsefile.count(table, self, rows)

    def read_sparse(self, table: "Table", rows: range, first: int, x: Csr) -> None:
        """See ``table.Part``."""
        from mpi_pgd.data import sparsefile

        sparsefile.read(table, self, rows, first, x)

    def given(self, _: "Table", __: range) -> None:
        """See ``table.Part``: rows of a file are in no memory."""


def parts_of(table: "Table") -> tuple[FilePart, ...]:
    """Of a table that ``hdf5.inspect`` gave."""
    return cast(tuple[FilePart, ...], table.parts)
