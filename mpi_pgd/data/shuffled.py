"""All rows in another order: two passes over a file without a name, in buckets of neighbours that fit into memory."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpi_pgd.data.columns import LOOKED_UP, Column, Lengths, Ragged, Texts, gathered, runs, units
from mpi_pgd.data.hashes import Permutation
from mpi_pgd.engine.arrays import Rows

BUCKET = 32 << 20  # bytes


class Shuffled:
    """By a permutation; what is on its way is in ``folder``."""

    def __init__(self, permutation: Permutation, folder: Path) -> None:
        self._permutation, self._folder = permutation, folder
        self.rows = int(permutation.size)

    def column(self, column: Column) -> Iterator[Rows]:
        """Of a data set: what is to be written, piece by piece."""
        if column.text:
            for lengths, whole in self.ragged(Texts(column)):
                words, ends = whole.tobytes(), np.cumsum(lengths).tolist()
                texts = np.empty(len(ends), object)
                texts[:] = [words[start:stop] for start, stop in zip([0, *ends[:-1]], ends, strict=True)]
                yield texts
            return
        height = max(1, BUCKET // column.row_bytes)
        with self._file() as file:
            tails = np.arange(0, self.rows, height, dtype=np.int64) * column.row_bytes
            for rows in column.slabs():
                places = self._permutation.forth(np.arange(rows.start, rows.stop)) // height
                order = np.argsort(places, kind="stable")
                _append(file, tails, places[order], column.read(rows)[order])
            file.seek(0)
            for start in range(0, self.rows, height):
                arrived = self._arrived(range(start, min(start + height, self.rows)))
                flat = units(file.read(len(arrived) * column.row_bytes), column.data.id.get_type().get_size())
                shape = [size for axis, size in enumerate(column.data.shape) if axis != column.axis]
                yield flat.reshape(len(arrived), *shape)[arrived]

    def total(self, ragged: Ragged) -> int:
        """How many units that is of what has other lengths."""
        return sum(int(lengths.sum()) for _, lengths in runs(ragged, range(ragged.rows)))

    def ragged(self, ragged: Ragged) -> Iterator[tuple[Lengths, NDArray[np.void]]]:
        """The same of what has other lengths, with these."""
        height = max(1, BUCKET // max(8, 8 + self.total(ragged) * ragged.unit // max(1, self.rows)))
        sizes = np.zeros(-(-self.rows // height), np.int64)
        for start in range(0, self.rows, LOOKED_UP):
            rows = range(start, min(start + LOOKED_UP, self.rows))
            places = self._permutation.forth(np.arange(rows.start, rows.stop)) // height
            np.add.at(sizes, places, ragged.lengths(rows) * ragged.unit)
        with self._file() as file, self._file() as other:
            tails = np.cumsum(sizes) - sizes
            counted = np.arange(0, self.rows, height, dtype=np.int64) * 8
            for rows, lengths in runs(ragged, range(ragged.rows)):
                places = self._permutation.forth(np.arange(rows.start, rows.stop)) // height
                order = np.argsort(places, kind="stable")
                whole, taken = gathered(ragged.read(rows), lengths, order), lengths[order]
                ends = np.concatenate([[0], np.cumsum(taken)])
                _append(other, counted, places[order], taken)
                _append(file, tails, places[order], whole, ends)
            file.seek(0)
            other.seek(0)
            for number, start in enumerate(range(0, self.rows, height)):
                arrived = self._arrived(range(start, min(start + height, self.rows)))
                lengths = np.frombuffer(other.read(8 * len(arrived)), np.int64)
                whole = units(file.read(int(sizes[number])), ragged.unit)
                yield lengths[arrived], gathered(whole, lengths, arrived)

    def _arrived(self, places: range) -> NDArray[np.int64]:
        """For each of these places of one bucket, which of the rows in it comes there: they arrived in ascending order."""
        sources = self._permutation.back(np.arange(places.start, places.stop))
        ranks = np.empty(len(sources), np.int64)
        ranks[np.argsort(sources)] = np.arange(len(sources))
        return ranks

    def _file(self) -> Any:
        return tempfile.TemporaryFile(dir=self._folder, prefix=".mpi_pgd.")


def _append(file: Any, tails: Lengths, places: Lengths, values: Rows, ends: Lengths | None = None) -> None:
    """Put rows, sorted by their bucket (rows,), behind what each has; those of other lengths end at ``ends`` (rows + 1,)."""
    cuts = np.concatenate([[0], np.flatnonzero(np.diff(places)) + 1, [len(places)]])
    for start, stop in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
        words = (values[start:stop] if ends is None else values[ends[start] : ends[stop]]).tobytes()
        file.seek(int(tails[places[start]]))
        file.write(words)
        tails[places[start]] += len(words)
