"""Tables of arrays: runs of neighbouring columns, of which any rows can be read."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpi_pgd.data.names import repeated
from mpi_pgd.errors import InputError, printable
from mpi_pgd.tables.batch import Batch, Codes, Column, Kind, Reading, numbers, words

SIZE = 16 << 20  # bytes of numbers in a batch, about
KINDS = {"f": Kind.NUMBER, "i": Kind.NUMBER, "u": Kind.NUMBER, "b": Kind.TRUTH, "M": Kind.SECONDS, "S": Kind.WORDS, "U": Kind.WORDS}
SECONDS = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}  # units in a second
NEVER = np.iinfo(np.int64).min  # the time that stands for none
Read = Callable[[range, Sequence[int]], "Sequence[Column]"]


class Run(NamedTuple):
    """Columns that are read together.

    Attributes:
        names: of them.
        kind: what each holds; None: nothing that can be a feature.
        what: that, in words.
        read: some rows of some of them, by their places among ``names``, each of this kind.
        features: whether they are features without being asked for.
    """

    names: tuple[str, ...]
    kind: Kind | None
    what: str
    read: Read
    features: bool = True


class Layout(NamedTuple):
    """What a file holds, while it is open."""

    rows: int
    runs: Sequence[Run]


class Grid:
    """A table by its arrays, see ``Table``.

    Args:
        path, reading: the file, and how it is read.
        opened: the file, open for a pass.
        order: the columns' names in the order of the table, where that is not the one of its runs.
    """

    text = False

    def __init__(
        self, path: str, reading: Reading, opened: Callable[[], AbstractContextManager[Layout]], order: Sequence[str] = ()
    ) -> None:
        self.path, self._opened, self._words = path, opened, frozenset(reading.words)
        with opened() as layout:
            self.rows: int | None = layout.rows
            names = [name for run in layout.runs for name in run.names]
            self.names = tuple(order) if sorted(order) == sorted(names) else tuple(names)
            self.unnamed = tuple(name for run in layout.runs if not run.features for name in run.names)
            self._kinds = {name: (run.kind, run.what) for run in layout.runs for name in run.names}
        if twice := repeated(self.names):
            raise InputError(f"{path} has two columns {printable(twice)}: give each a name of its own")

    def kinds(self, columns: Sequence[str]) -> dict[str, Kind]:
        """By their types."""
        found = {}
        for name in columns:
            kind, what = self._kinds[name]
            if kind is None:
                raise InputError(
                    f"column {printable(name)} of {self.path} holds {what}: expected numbers, words, dates, or true and false; "
                    f"leave it out with --drop, or make such columns of it"
                )
            found[name] = Kind.WORDS if name in self._words else kind
        return found

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """All rows, of these columns."""
        kinds = self.kinds(columns)
        with self._opened() as layout:
            height = max(1, SIZE // (8 * max(1, len(columns))))
            for start in range(0, layout.rows, height):
                yield self.batch(layout, range(start, min(start + height, layout.rows)), kinds)

    def batch(self, layout: Layout, rows: range, kinds: dict[str, Kind]) -> Batch:
        """Some rows, of columns of these kinds."""
        found: dict[str, Column] = {}
        for run in layout.runs:
            places = [place for place, name in enumerate(run.names) if name in kinds]
            if places:
                found |= zip((run.names[place] for place in places), run.read(rows, places), strict=True)
        made = {name: found[name] if found[name].kind is kind else _spelled(found[name]) for name, kind in kinds.items()}
        return Batch(len(rows), made, partial(self._where, rows.start), rows.stop / layout.rows)

    def _where(self, before: int, row: int) -> str:
        return f"row {before + row + 1} of {self.path}"


def columns(
    values: NDArray[Any], kind: Kind | None, unit: str = "ns", encoding: str = "utf-8", missing: str | None = None
) -> list[Column]:
    """Those of an array (rows, columns) of numbers, times, or texts.

    Args:
        values, kind: what they are, and are meant as.
        unit: of times that are whole numbers.
        encoding: of texts that are bytes.
        missing: the text that stands for no value.
    """
    if kind is Kind.WORDS:
        return [_texts(column, encoding, missing) for column in values.T]
    if kind in (Kind.SECONDS, Kind.DAYS):
        if values.dtype.kind == "M":
            name, count = np.datetime_data(values.dtype)
            unit = name if name in SECONDS and count == 1 else "s"
            values = values.astype(f"M8[{'D' if kind is Kind.DAYS else unit}]")
        stored = values.astype(np.int64)
        times = np.where(stored == NEVER, np.nan, stored / (1 if kind is Kind.DAYS else SECONDS[unit]))
        return [numbers(np.ascontiguousarray(column), kind) for column in times.T]
    lines = np.ascontiguousarray((values != 0).T if kind is Kind.TRUTH else values.T, np.float64)
    return [numbers(line, kind or Kind.NUMBER) for line in lines]


def kind_of(dtype: np.dtype[Any]) -> Kind | None:
    """What numbers or texts of such a type are; None: nothing that can be a feature."""
    if dtype.kind == "M" and np.datetime_data(dtype) == ("D", 1):
        return Kind.DAYS
    return KINDS.get(dtype.kind) if not dtype.shape else None


def coded(codes: NDArray[Any], categories: Sequence[Any]) -> Column:
    """Words by their places, of which those below 0 or beyond the last stand for no value."""
    good = (codes >= 0) & (codes < len(categories))
    return words(np.where(good, codes, -1).astype(np.int32), [_text(word) for word in categories])


def _texts(values: NDArray[Any], encoding: str, missing: str | None) -> Column:
    known, places = np.unique(values, return_inverse=True)
    texts = [_text(word, encoding) for word in known.tolist()]
    codes: Codes = places.ravel().astype(np.int32)
    codes[np.array([word in ("", missing) for word in texts], bool)[codes]] = -1
    return words(codes, texts)


def _text(word: Any, encoding: str = "utf-8") -> str:
    return word.decode(encoding, "backslashreplace") if isinstance(word, bytes) else str(word)


def _spelled(column: Column) -> Column:
    """Numbers as words."""
    known, places = np.unique(column.values, return_inverse=True)
    texts = [str(int(value)) if float(value).is_integer() else str(value) for value in known.tolist()]
    codes: Codes = np.where(np.isnan(column.values), -1, places.ravel()).astype(np.int32)
    return words(codes, texts)
