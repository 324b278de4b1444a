"""Files, or arrays that ranks have, as one long table of rows: what all ranks know of it, and how each gets its own rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np

from mpi_pgd import kernel
from mpi_pgd.data.csr import Csr, row_bytes
from mpi_pgd.data.files import Stamp
from mpi_pgd.data.stored import PARTS, PIECE
from mpi_pgd.data.words import Words
from mpi_pgd.engine.arrays import Rows, Vector
from mpi_pgd.engine.narrow import BFLOAT16, holds, type_of
from mpi_pgd.errors import InputError


class Beside(NamedTuple):
    """What belongs to rows beside their features, to be filled; None: left alone.

    Attributes:
        y: (rows,) float64, or (k, rows).
        weights, offset: (rows,) float64.
    """

    y: Vector | None
    weights: Vector | None = None
    offset: Vector | None = None


class Part(Protocol):
    """Where some rows of a table come from: a file, or arrays that a rank has. They come after those of the parts before it."""

    @property
    def path(self) -> str:
        """The file's name, or what it is else."""

    @property
    def rows(self) -> int:
        """How many."""

    @property
    def chunk_rows(self) -> int:
        """Rows that are stored, and so have to be read, together; 1 if contiguous."""

    @property
    def chunk_bytes(self) -> int:
        """Of the largest chunk, which is in memory while rows of it are read."""

    @property
    def index_bytes(self) -> int:
        """Memory for where its chunks are."""

    @property
    def decoding_bytes(self) -> int:
        """Memory that numbers take on their way to values, at most, if chunks are no larger."""

    @property
    def layout(self) -> str:
        """What `data info` says of it."""

    @property
    def files(self) -> Sequence[Stamp]:
        """Those that its rows come from."""

    @property
    def columns(self) -> Sequence[int]:
        """Of the table, for each of its own; empty: as they are."""

    @property
    def numbers(self) -> int:
        """How many are stored, if its rows are sparse; -1 if they are dense."""

    def runs(self, rows: range) -> Iterator[range]:
        """``rows`` of its own in runs that can be read at once."""

    def read(self, table: "Table", rows: range, first: int, x: Rows | None, beside: Beside, peaks: Vector | None) -> None:
        """Of ``Table.read``: ``rows`` of its own, the number of the first of them in the table being ``first``."""

    def count(self, table: "Table", rows: range) -> int:
        """How many numbers are stored of these rows, which are sparse."""

    def read_sparse(self, table: "Table", rows: range, first: int, x: Csr) -> None:
        """Sparse rows of its own, likewise. Refuses what are none."""

    def there(self, table: "Table", rows: range) -> bool:
        """Whether the features of these rows only have to be copied, so that reading them ahead gains nothing."""

    def given(self, table: "Table", rows: range) -> Rows | None:
        """The features of these rows, (rows, p), where they are in memory as the table wants them; else None."""


@dataclass(frozen=True)
class Table:
    """The checked description of the input, small enough to be sent to every rank."""

    parts: tuple[Part, ...]  # in the order of their rows
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
    recipe: str = ""  # how a table's columns became these rows, if the file says so
    words: Words = ()  # those that the targets 0, 1, ... stand for, if they are such

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
        known = sum(sorted(part.index_bytes for part in self.parts)[-PARTS:])
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
            outs = Beside(*(None if out is None else out[..., target] for out in (y, weights, offset)))
            part.read(self, here, rows.start + done, None if x is None else x[target], outs, peaks)
            done += len(here)

    def read_sparse(self, rows: range, x: Csr) -> None:
        """Fill in ``rows``, which are sparse. Errors as of ``read``, and refuses what are no sparse rows."""
        done = 0
        for part, here in self.pieces(rows):
            part.read_sparse(self, here, rows.start + done, x.part(slice(done, done + len(here))))
            done += len(here)

    def count(self, rows: range) -> int:
        """How many numbers are stored of these rows, which are sparse."""
        return sum(part.count(self, here) for part, here in self.pieces(rows))

    def there(self, rows: range) -> bool:
        """Whether the features of these rows only have to be copied, so that reading them ahead gains nothing."""
        return all(part.there(self, here) for part, here in self.pieces(rows))

    def given(self, rows: range) -> Rows | None:
        """The features of these rows, (rows, p), if they are in memory already, in one piece and as a shard has them."""
        (part, here), *more = self.pieces(rows)
        return None if more else part.given(self, here)

    def stretches(self, rows: range, step: int) -> Iterator[range]:
        """``rows``, which begin at a multiple of ``step``, in runs that do, too: of those that are ``given``, and of others."""
        start = at = rows.start
        for part, here in self.pieces(rows):
            first, stop = -(-at // step) * step, at + len(here)
            last = stop if stop == rows.stop else stop // step * step
            if first < last and part.given(self, here) is not None:
                if start < first:
                    yield range(start, first)
                yield range(first, last)
                start = last
            at = stop
        if start < rows.stop:
            yield range(start, rows.stop)

    def more_bytes(self, rows: range) -> int:
        """Memory that a shard of these rows takes more than is taken now."""
        there = sum(len(here) for part, here in self.pieces(rows) if part.given(self, here) is not None)
        return self.bytes(len(rows)) - there * self.x_bytes
