"""What all rows say that has to be known before the first one is written: categories, means, and how many rows there are."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import numpy.typing as npt

from mpi_pgd.errors import InputError, printable
from mpi_pgd.tables import spelling
from mpi_pgd.tables.batch import Batch, Column, Kind
from mpi_pgd.tables.feature import as_words, cited, truth

Where = Callable[[], str]


@dataclass
class Levels:
    """The words of a column, each with where it was first.

    ``as_they_are``: they may look like numbers.
    """

    name: str
    most: int
    as_they_are: bool = False
    found: dict[str, Where] = field(default_factory=dict)
    missing: int = 0

    def note(self, batch: Batch, column: Column) -> None:
        """Some more rows. Raises InputError: there are too many words."""
        column = as_words(column) if column.kind is Kind.NOTHING else column
        for place, word in enumerate(column.words):
            if word not in self.found and (rows := column.codes == place).any():  # a batch may have words of none of its rows
                self.found[word] = partial(batch.where, int(np.argmax(rows)))
        self.missing += int(np.count_nonzero(column.codes < 0))
        if len(self.found) > self.most:
            if not self.as_they_are:
                self._understood([*self.found])
            example = ", ".join(cited(word) for word in list(self.found)[:3])
            raise InputError(
                f"column {printable(self.name)} has more than {self.most} categories ({example}, ...): leave it out with "
                f"--drop {printable(self.name)}, or raise --levels"
            )

    def levels(self) -> tuple[str, ...]:
        """In ascending order.

        Raises:
            InputError: some are numbers, or all are, in another spelling.
        """
        found = tuple(sorted(self.found))
        bad = next((word for word in found if "\0" in word), None)
        if bad is not None:
            raise InputError(f"column {printable(self.name)} has a byte 0 in {self.found[bad]()}: mend it, or make the table again")
        if self.as_they_are or not found:
            return found
        numbers = [word for word in found if spelling.is_number(word)]
        others = [word for word in found if word not in numbers]
        if numbers and others:
            word, number = others[0], numbers[0]
            raise InputError(
                f"column {printable(self.name)} has {cited(word)} in {self.found[word]()}, and numbers, as {cited(number)} in "
                f"{self.found[number]()}: give --na {printable(word)} if that is no value, or --categorical {printable(self.name)}"
            )
        self._understood(found)
        return found

    def _understood(self, words: Sequence[str]) -> None:
        """Refuse words that are all numbers, or all dates, in another spelling."""
        for looks, what, form in (
            (spelling.is_foreign, "a number", "see --decimal, write it as in 1234.5"),
            (spelling.is_foreign_date, "a date or a time", "write it as in 2020-02-28 or 2020-02-28T10:30"),
        ):
            if all(map(looks, words)):
                raise InputError(
                    f"column {printable(self.name)} has {cited(words[0])} in {self.found[words[0]]()}, which looks like {what} "
                    f"and is none here: {form}, or take it as words with --categorical {printable(self.name)}"
                )

    @property
    def truths(self) -> bool:
        """Whether all words are true and false, in some spelling."""
        return bool(self.found) and not self.as_they_are and not any(math.isnan(truth(word)) for word in self.found)


@dataclass
class Amount:
    """The numbers of a column."""

    name: str
    sums: list[float] = field(default_factory=list)
    count: int = 0
    missing: int = 0

    def note(self, _: Batch, column: Column) -> None:
        """Some more rows."""
        there = column.values
        with np.errstate(over="ignore", invalid="ignore"):
            found = np.add.reduce(there)
            if math.isnan(found):
                there = there[~np.isnan(there)]
                found = np.add.reduce(there)
        self.sums.append(float(found))
        self.count += len(there)
        self.missing += len(column) - len(there)

    def mean(self) -> float:
        """Of the values that there are. Raises InputError: it can't be told."""
        if not self.count:
            return math.nan
        if not all(map(math.isfinite, self.sums)):
            raise InputError(
                f"column {printable(self.name)} has an infinite value, or such large ones that they have no mean: mend it"
            )
        return math.fsum(self.sums) / self.count


def complete(batch: Batch) -> npt.NDArray[np.bool_]:
    """Which rows have all values, (rows,)."""
    found = np.ones(batch.rows, np.bool_)
    for column in batch.columns.values():
        found &= ~column.missing()
    return found


def only(batch: Batch, rows: npt.NDArray[np.bool_]) -> Batch:
    """Those rows of a batch alone."""
    if rows.all():
        return batch
    places = np.flatnonzero(rows).tolist()
    columns = {name: column.only(rows) for name, column in batch.columns.items()}
    return Batch(len(places), columns, lambda row: batch.where(places[row]), batch.share)


def survey(batches: Iterator[Batch], found: dict[str, Levels | Amount], drop: bool) -> int:
    """Look at all rows; how many there are.

    Args:
        batches: of the columns in ``found``.
        found: what is noted.
        drop: rows without all values don't count.
    """
    rows = 0
    for batch in batches:
        taken = only(batch, complete(batch)) if drop else batch
        rows += taken.rows
        for name, one in found.items():
            one.note(taken, taken.columns[name])
    return rows
