"""One column of a table, and the columns of X that it becomes."""

from dataclasses import dataclass

import numpy as np

from mpi_pgd.choices import CODES
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.errors import InputError, printable
from mpi_pgd.tables import spelling
from mpi_pgd.tables.batch import Batch, Codes, Column, Kind, squares

UNSEEN = -2  # the place of a word that is none of the levels


@dataclass(frozen=True)
class Feature:
    """How a column becomes numbers.

    Attributes:
        column: its name.
        kind: what it holds; words become a column for each level, or one of codes.
        levels: of words, all that there were, in ascending order of their characters.
        coding: of words, one of ``choices.ONE_HOT`` and ``CODES``.
        reference: the first level has no column of its own.
        fill: what stands for a value that is missing; None: it is refused. Of one-hot columns it is 0 in each.
        indicator: there is one more column, 1 where the value is missing.
    """

    column: str
    kind: Kind
    levels: tuple[str, ...] = ()
    coding: str = ""
    reference: bool = False
    fill: float | None = None
    indicator: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns of X."""
        if self.kind is Kind.WORDS and self.coding != CODES:
            own = [f"{self.column}={level}" for level in self.levels[int(self.reference) :]]
        else:
            own = [self.column]
        return (*own, *([f"{self.column} is missing"] if self.indicator else []))

    def write(self, batch: Batch, x: Vector, place: int) -> None:
        """Some rows into their columns of ``x`` (rows, p), which are 0; what is missing, and not to be filled, is NaN.

        Args:
            batch: has the column.
            x: contiguous.
            place: of the first of the columns of X.

        Raises:
            InputError: the column is of another kind, or has a word that is no level.
        """
        column = checked(batch, self.column, self.kind)
        if self.kind is Kind.WORDS:
            codes = self.codes(batch, column)
            if self.coding != CODES:
                self._one_hot(codes, x, place)
                return
            values = np.where(codes < 0, np.nan, codes)
        else:
            values = column.values
        x[:, place] = values
        if self.fill is not None and np.isnan(squares(values)):
            missing = np.isnan(values)
            x[missing, place] = self.fill
            if self.indicator:
                x[:, place + 1] = missing

    def codes(self, batch: Batch, column: Column) -> Codes:
        """Places in the levels, int32 (rows,); -1 where there is no value."""
        places = {level: place for place, level in enumerate(self.levels)}
        codes = np.array([places.get(word, UNSEEN) for word in column.words] + [-1], np.int32)[column.codes]
        if (codes == UNSEEN).any():
            row = int(np.argmax(codes == UNSEEN))
            known = ", ".join(map(printable, self.levels[:6])) + ", ..." * (len(self.levels) > 6)
            raise InputError(
                f"column {printable(self.column)} has {cited(column.words[column.codes[row]])} in {batch.where(row)}, "
                f"which is none of the categories of the recipe ({known}): expected one of them"
            )
        return codes

    def _one_hot(self, codes: Codes, x: Vector, place: int) -> None:
        columns = codes - int(self.reference)
        rows = np.flatnonzero(columns >= 0)
        x.reshape(-1)[rows * x.shape[1] + (columns[rows] + place)] = 1.0  # a place is found faster than a row and a column
        end = place + len(self.names)
        if self.indicator:
            x[:, end - 1] = codes == -1
        elif self.fill is None:
            x[codes == -1, place:end] = np.nan


def checked(batch: Batch, name: str, kind: Kind) -> Column:
    """A batch's column as one of this kind.

    Raises:
        InputError: it is of another.
    """
    column = batch.columns[name]
    if column.kind is kind or column.kind is Kind.NOTHING:
        return as_words(column) if kind is Kind.WORDS and column.kind is Kind.NOTHING else column
    if kind is Kind.TRUTH:
        return _truths(batch, name, column)
    raise _other(batch, name, kind, column, 0)


def as_words(column: Column) -> Column:
    """A column without any value as one of words."""
    return Column(Kind.WORDS, np.zeros(0), np.full(len(column), -1, np.int32))


def truth(word: str) -> float:
    """1 or 0; NaN if it is neither."""
    return 1.0 if word in spelling.TRUE else 0.0 if word in spelling.FALSE else np.nan


def _truths(batch: Batch, name: str, column: Column) -> Column:
    """Words for true and false, or 1 and 0."""
    if column.kind is Kind.WORDS:
        values = np.array([truth(word) for word in column.words] + [np.nan])[column.codes]
        wrong = np.isnan(values) & (column.codes >= 0)
    else:
        values = column.values
        wrong = ~np.isnan(values) & (values != 0.0) & (values != 1.0)
    if column.kind not in (Kind.WORDS, Kind.NUMBER) or wrong.any():
        raise _other(batch, name, Kind.TRUTH, column, int(np.argmax(wrong)))
    return Column(Kind.TRUTH, values, column.codes[:0])


def _other(batch: Batch, name: str, kind: Kind, column: Column, row: int) -> InputError:
    there = np.flatnonzero(~column.missing())
    row = row if row in there else int(there[0]) if len(there) else row
    value = cited(column.words[column.codes[row]]) if column.kind is Kind.WORDS else f"{column.values[row]:.17g}"
    return InputError(f"column {printable(name)} has {value} in {batch.where(row)}, a {column.kind}: expected a {kind} there")


def cited(text: str) -> str:
    """A value in a sentence."""
    shown = printable(text)
    return repr(shown if len(shown) <= 40 else f"{shown[:37]}...")
