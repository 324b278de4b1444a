"""What is known of the rows that a rank has read, when each of them is read for the first time."""

from typing import Any

import numpy as np

from mpi_pgd import kernel
from mpi_pgd.data.labels import Labels
from mpi_pgd.data.piece import Piece
from mpi_pgd.data.table import Table
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.errors import InputError
from mpi_pgd.losses.targets import Targets

TRIED = 64  # rows that a user's loss is tried on


class Notes:
    """Of all rows that were read: how large values are, what the targets are, and how they are to be read.

    Attributes:
        looks: whether features are looked at, too; else that is up to whoever takes their moments.
        peaks: (p + k,) the largest magnitudes, targets last.
        heaviest: the largest weight of a row.
        farthest: the largest magnitude of an offset.
        labels: what the targets are in the files.
        targets: how they are read, once that is known of all.
        tried: (rows,) or (k, rows), the targets of a few rows; None if there are none.
    """

    def __init__(self, table: Table, looks: bool = True) -> None:
        self.table, self.looks = table, looks
        self.peaks = np.zeros(table.features + table.targets)
        self.heaviest = 0.0 if table.weighted else 1.0
        self.farthest = 0.0
        self.labels = Labels(table.targets)
        self.targets: Targets | None = None
        self.tried: Vector | None = None
        self._classes, self._factors = np.zeros(0), np.zeros(0)  # by number: the target in the files; what weights are times

    @property
    def factors(self) -> Vector | None:
        """What the weights of the rows of each class are times, (k,); None if they are as in the files."""
        return self._factors if len(self._factors) else None

    def note(self, first: int, part: Piece, found: Vector | None = None) -> None:
        """Note the peaks and what the targets are; complain about the first value that can't be used. Then ``settle``.

        ``found`` are the peaks (p,) of the features, if reading found them.
        """
        features = self.table.features
        peaks = np.zeros_like(self.peaks)
        if found is not None:
            peaks[:features] = found
        elif self.looks:
            part.raise_peaks(peaks[:features])
        for line, most in zip(part.y.reshape(-1, part.rows), peaks[features:].reshape(-1, 1), strict=True):
            kernel.peaks(line[:, None], most)
        if not np.isfinite(peaks).all():
            raise InputError(_first_bad(self.table, first, part))
        if part.offset is not None:
            self.farthest = max(self.farthest, _farthest(self.table.offset, first, part.offset))
        heaviest = 1.0 if part.weights is None else _heaviest(self.table.weights, first, part.weights)
        self.labels.note(part.y)
        if self.tried is None:
            self.tried = part.y[..., :TRIED].copy()
        self.settle(first, part)
        if len(self._classes):
            peaks[features:] = 0.0
        if len(self._factors) and part.weights is not None:
            heaviest = float(part.weights.max())
        self.heaviest = max(self.heaviest, heaviest)
        np.maximum(self.peaks, peaks, out=self.peaks)

    def settle(self, _: int, part: Piece) -> None:
        """Have rows as they are in the files read as it was settled."""
        if len(self._classes):
            part.encode(self._classes)
        if len(self._factors):
            part.weigh(self._factors)


def _first_bad(table: Table, first: int, part: Piece) -> str:
    y, found = part.y.reshape(table.targets, -1), part.unsound()
    good = np.isfinite(y)
    row = int(np.argmin(good.all(axis=0)))
    if found and (good[:, row].all() or found[0] < row):
        return bad_feature(table, first, *found)
    column = int(np.argmin(good[:, row]))
    return _bad(first + row, f"column {column} of {table.y}" if table.targets > 1 else table.y, y[column, row])


def bad_feature(table: Table, first: int, row: int, column: int, value: Any) -> str:
    """What is said of one that is not finite, in a row from row ``first`` of the table on."""
    return _bad(first + row, f"column {column} of {table.x}" + f", as --store {table.x_type} has it," * table.lossy, value)


def _bad(row: int, place: str, value: Any) -> str:
    return (
        f"row {row}, {place} is {value}: every value must be a finite number "
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
