"""Rows of a table as people keep them: columns with names, some thousand rows at a time."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
import numpy.typing as npt

from mpi_pgd.engine.arrays import Vector

Codes = npt.NDArray[np.int32]


class Kind(StrEnum):
    """What a column holds."""

    NUMBER = "number"
    TRUTH = "truth value"  # 1 and 0
    DAYS = "date"  # days since 1970-01-01
    SECONDS = "date and time"  # seconds since 1970-01-01 00:00, UTC where the table says a zone
    WORDS = "word"
    NOTHING = "gap"


def squares(values: Vector) -> float:
    """Their sum: NaN if any value is; else infinite if any is, or where it is beyond float64; never below the largest one."""
    flat = values.reshape(-1)
    with np.errstate(over="ignore"):
        return float(np.dot(flat, flat))


@dataclass(frozen=True, eq=False)
class Column:
    """Some rows of one column.

    Attributes:
        kind: what they are.
        values: float64 (rows,), NaN where there is no value; of words nothing.
        codes: of words int32 (rows,), places in ``words``, -1 where there is no value; of all else nothing.
        words: those of this batch, each once, in any order.
    """

    kind: Kind
    values: Vector
    codes: Codes
    words: tuple[str, ...] = ()

    def __len__(self) -> int:
        return max(len(self.values), len(self.codes))

    def missing(self) -> npt.NDArray[np.bool_]:
        """Which rows have no value, (rows,)."""
        found: npt.NDArray[np.bool_] = self.codes < 0 if self.kind is Kind.WORDS else np.isnan(self.values)
        return found

    def only(self, rows: npt.NDArray[np.bool_]) -> "Column":
        """Those rows alone."""
        if self.kind is Kind.WORDS:
            return Column(self.kind, self.values, self.codes[rows], self.words)
        return Column(self.kind, self.values[rows], self.codes)


def numbers(values: Vector, kind: Kind = Kind.NUMBER) -> Column:
    """A column of float64 (rows,), NaN where there is no value."""
    return Column(kind, values, np.zeros(0, np.int32))


def words(codes: Codes, known: Sequence[str]) -> Column:
    """A column of words: their places in ``known``, -1 where there is no value."""
    return Column(Kind.WORDS, np.zeros(0), codes, tuple(known))


@dataclass(frozen=True, eq=False)
class Batch:
    """Some rows that follow each other.

    Attributes:
        rows: how many.
        columns: of those that were asked for, by name.
        where: says where one of these rows, from 0, stands, as in "line 17 of cars.csv".
        share: part of the table that has been read with it, 0 to 1, about.
    """

    rows: int
    columns: Mapping[str, Column]
    where: Callable[[int], str]
    share: float


@dataclass(frozen=True)
class Reading:
    """How a table is read, where its format leaves that open.

    Attributes:
        delimiter: between the fields of a line; empty: as the file's name says.
        decimal: the mark before a number's fraction.
        missing: words that stand for no value, beside the usual ones.
        words: columns whose values are words, also where they look like numbers.
    """

    delimiter: str = ""
    decimal: str = "."
    missing: tuple[str, ...] = ()
    words: Collection[str] = ()


class Table(Protocol):
    """A table, open for reading as often as need be. What can't be read raises InputError, with row and column.

    Attributes:
        path: the file.
        names: of the columns, in its order, each once.
        rows: at least as many as there are, mostly as many, where that is known without reading; None elsewhere.
        unnamed: columns that the file gives no name, and that are no features unless they are asked for.
        text: whether its values are text, which takes longer to parse than to keep what was parsed.
    """

    @property
    def path(self) -> str:
        """See above."""

    @property
    def names(self) -> tuple[str, ...]:
        """See above."""

    @property
    def rows(self) -> int | None:
        """See above."""

    @property
    def unnamed(self) -> tuple[str, ...]:
        """See above."""

    @property
    def text(self) -> bool:
        """See above."""

    def kinds(self, columns: Sequence[str]) -> dict[str, Kind]:
        """What these columns hold, by the file's word or by their first values."""

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """All rows in their order, of these columns, each of the kind that ``kinds`` says."""
