"""Sparse rows of a table, some thousand at a time, and what is beside them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mpi_pgd.tables.batch import Batch, Kind


@dataclass(frozen=True, eq=False)
class Rows(Batch):
    """Some rows that follow each other, with the columns beside them.

    Attributes:
        lengths: int64 (rows,), how many numbers each has.
        indices, values: of the numbers, row after row; indices from 0.
    """

    lengths: NDArray[np.int64]
    indices: NDArray[Any]
    values: NDArray[Any]


class Sparse(Protocol):
    """A table of sparse rows. What can't be read raises InputError, with its place.

    Attributes:
        path: the file.
        target: the column that is the target if none is named; empty if there is none such.
        names: of the features; empty if they have none.
        columns: the names of what is beside the features.
        rows, numbers: how many there are; known without reading all, or by a quick look.
        features: at least so many; more, if an index says so.
        dtype: of the numbers.
    """

    @property
    def path(self) -> str:
        """See above."""

    @property
    def target(self) -> str:
        """See above."""

    @property
    def names(self) -> tuple[str, ...]:
        """See above."""

    @property
    def columns(self) -> tuple[str, ...]:
        """See above."""

    @property
    def rows(self) -> int:
        """See above."""

    @property
    def numbers(self) -> int:
        """See above."""

    @property
    def features(self) -> int:
        """See above."""

    @property
    def dtype(self) -> DTypeLike:
        """See above."""

    def kinds(self, columns: Sequence[str]) -> dict[str, Kind]:
        """As of ``Table``."""

    def beside(self, columns: Sequence[str]) -> Iterator[Batch]:
        """These columns alone, of all rows."""

    def batches(self, columns: Sequence[str]) -> Iterator[Rows]:
        """All rows, with these columns beside them."""
