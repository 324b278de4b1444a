"""Rows of a table of text, parsed once: a first pass over them keeps them as numbers on disk, and a second one reads these."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from mmap import ALLOCATIONGRANULARITY, MADV_REMOVE, mmap
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, NamedTuple

import numpy as np

from mpi_pgd.tables.batch import Batch, Codes, Column, Kind, Table, numbers, words

BUFFER = 1 << 20  # bytes
DONE = 8 << 20  # bytes that are read before they are let go


class _Kept(NamedTuple):
    """A batch, but for its numbers."""

    rows: int
    kinds: tuple[Kind, ...]
    where: Callable[[int], str]
    share: float


class Spool:
    """Where they are kept: a file without a name, of which nothing is left however the process ends.

    It is given up where the disk has not as much room again, which rows that are made of it need: the table is parsed twice then.

    Args:
        folder: where the file is.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: IO[bytes] | None = None
        self._columns: tuple[str, ...] = ()
        self._kept: list[_Kept] = []
        self._words: dict[str, dict[str, int]] = {}  # of each column, with their codes in the file

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, *_: object) -> None:
        self.give_up()

    def give_up(self) -> None:
        """Nothing is kept any more."""
        if self._file:
            with suppress(OSError):  # of a disk that is full
                self._file.close()
        self._file = None
        self._kept.clear()

    def first(self, table: Table, columns: tuple[str, ...], later: tuple[str, ...]) -> Iterator[Batch]:
        """All rows of a table, to be read to their end.

        Args:
            table: if it is of text, they are kept.
            columns: those that are wanted now; others may come, too.
            later: those that ``again`` may be asked for, with these among them.
        """
        self._columns = later if table.text else columns
        if table.text:
            with suppress(OSError):
                self._file = TemporaryFile(buffering=BUFFER, dir=self._folder)  # noqa: SIM115  (closed by ``give_up``)
        for batch in table.batches(self._columns):
            if self._file:
                self._keep(self._file, batch)
            yield batch

    def again(self, table: Table, columns: tuple[str, ...]) -> Iterator[Batch]:
        """All rows, of these columns: as they were kept, which goes once, or else from the table."""
        if not self._file:
            yield from table.batches(columns)
            return
        file, self._file = self._file, None
        with file:
            gone = file.seek(0)
            known = {name: tuple(codes) for name, codes in self._words.items()}
            for kept in self._kept:
                made = {}
                for name, kind in zip(self._columns, kept.kinds, strict=True):
                    if kind is Kind.WORDS:
                        made[name] = words(np.frombuffer(file.read(4 * kept.rows), np.int32), known[name])
                    else:
                        made[name] = numbers(np.frombuffer(file.read(8 * kept.rows)), kind)
                if file.tell() - gone >= DONE:
                    gone = _let_go(file, gone)
                yield Batch(kept.rows, {name: made[name] for name in columns}, kept.where, kept.share)

    def _keep(self, file: IO[bytes], batch: Batch) -> None:
        kinds = tuple(batch.columns[name].kind for name in self._columns)
        if self._kept and self._kept[-1].kinds == kinds:
            kinds = self._kept[-1].kinds  # one for all
        try:
            for name in self._columns:
                column = batch.columns[name]
                own = self._coded(name, column) if column.kind is Kind.WORDS else column.values
                file.write(np.ascontiguousarray(own).data)
            file.flush()
            full = shutil.disk_usage(self._folder).free < file.tell()
        except OSError:
            full = True
        if full:
            self.give_up()
        else:
            self._kept.append(_Kept(batch.rows, kinds, batch.where, batch.share))

    def _coded(self, name: str, column: Column) -> Codes:
        """Words have the same codes in all batches."""
        known = self._words.setdefault(name, {})
        return np.array([known.setdefault(word, len(known)) for word in column.words] + [-1], np.int32)[column.codes]


def _let_go(file: IO[bytes], start: int) -> int:
    """Give back what was read from ``start`` on: rows that are written meanwhile take its pages, and its room. Where it ends."""
    stop = file.tell() // ALLOCATIONGRANULARITY * ALLOCATIONGRANULARITY
    with suppress(OSError), mmap(file.fileno(), stop - start, offset=start) as read:  # not every file system can do that
        read.madvise(MADV_REMOVE)
    return stop
