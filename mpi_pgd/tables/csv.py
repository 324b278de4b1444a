"""CSV and TSV: lines of fields, the first one with the columns' names. Places are lines, as an editor counts them."""

import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import cached_property, partial
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from mpi_pgd.errors import InputError, printable
from mpi_pgd.tables import spelling
from mpi_pgd.tables.ahead import ahead
from mpi_pgd.tables.arrow import column, pyarrow
from mpi_pgd.tables.batch import Batch, Kind, Reading
from mpi_pgd.tables.feature import cited
from mpi_pgd.tables.packed import DAMAGED, Tally, packing, unpacked, unreadable
from mpi_pgd.tables.records import Records

BLOCK = 1 << 20  # bytes that are parsed together, at least
WIDE = 1 << 9  # bytes that are parsed together for each column
PIECE = 1 << 18  # bytes that are scanned together: they stay in a core's own cache
MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"PK\x03\x04": "a zip archive or a spreadsheet", b"\x89HDF": "HDF5"}


class _Scan(NamedTuple):
    """What all bytes say: lines that are not the first one, and whether there are quotation marks."""

    rows: int | None
    quoted: bool


class Csv:
    """A table of text, see ``Table``."""

    unnamed: tuple[str, ...]
    text = True

    def __init__(self, path: str, reading: Reading) -> None:
        self._pa = pyarrow(path)
        self.path, self.reading = path, reading
        tabs = os.path.basename(path).lower().rpartition(".tsv")[1]  # noqa: PTH119  (a text)
        self.delimiter = reading.delimiter or ("\t" if tabs else ",")
        self._records = Records(path, self.delimiter)
        self._missing = spelling.missing(reading.missing)
        self._known: dict[str, Kind] = {}
        self._zoned: set[str] = set()
        self._check_start()
        header = next(iter(self._records), None)
        if header is None:
            raise InputError(f"{path} is empty: expected a line with the columns' names, and a line for each row")
        self._header = header
        self.names, self.unnamed = _names(path, header.fields)
        self._block = max(BLOCK, WIDE * len(self.names))

    @property
    def rows(self) -> int | None:
        """Lines, which are as many as the rows or more; None where they would have to be unpacked for that."""
        return self._scan.rows

    def kinds(self, columns: Sequence[str]) -> dict[str, Kind]:
        """By the first value that is not missing."""
        unknown = {name: self.names.index(name) for name in columns if name not in self._known}
        for name in self.reading.words:
            if unknown.pop(name, None) is not None:
                self._known[name] = Kind.WORDS
        for record in islice(self._records if unknown else (), 1, None):
            for name, place in list(unknown.items()):
                if place < len(record.fields) and (text := record.fields[place]) not in self._missing:
                    self._known[name] = spelling.kind_of(text, self.reading.decimal)
                    del unknown[name]
                    if spelling.zoned(text):
                        self._zoned.add(name)
            if not unknown:
                break
        return {name: self._known.setdefault(name, Kind.NOTHING) for name in columns}

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """All rows, of these columns."""
        kinds = self.kinds(columns)
        done, tally = 0, Tally(self.path)
        try:
            with closing(ahead(self._opened(tally, kinds))) as parsed:
                for batch in parsed:
                    arrays = zip(kinds.items(), batch.columns, strict=True)
                    made = {name: column(self._pa, array, kind) for (name, kind), array in arrays}
                    yield Batch(batch.num_rows, made, partial(self._records.where, done), min(1.0, tally.tell() / tally.size))
                    done += batch.num_rows
            if tally.quotes % 2:
                self._records.check_closed()
        except self._pa.ArrowInvalid as error:
            self._blame(kinds)
            self._records.check_closed()
            self._check_lengths()
            raise InputError(f"{self.path} can't be read ({_brief(error)}): mend it, or make it again") from None
        except (*DAMAGED, self._pa.ArrowException) as error:
            raise unreadable(self.path, error) from None
        finally:
            tally.close()

    def _opened(self, tally: Tally, kinds: dict[str, Kind]) -> Any:
        """Arrow's batches."""
        from pyarrow import csv as arrow

        pa = self._pa
        types = {
            Kind.NUMBER: pa.float64(),
            Kind.DAYS: pa.date32(),
            Kind.SECONDS: pa.timestamp("us"),
            Kind.WORDS: pa.dictionary(pa.int32(), pa.string()),
            Kind.NOTHING: pa.null(),
        }
        numbers = {name: str(self.names.index(name)) for name in kinds}
        wanted = {numbers[name]: pa.timestamp("us", "UTC") if name in self._zoned else types[kind] for name, kind in kinds.items()}
        source = tally if self._scan.quoted else pa.OSFile(self.path)
        return arrow.open_csv(
            source,
            read_options=arrow.ReadOptions(
                block_size=self._block,
                column_names=[str(number) for number in range(len(self.names))],
                skip_rows_after_names=self._header.line,
            ),
            parse_options=arrow.ParseOptions(delimiter=self.delimiter, newlines_in_values=self._scan.quoted),
            convert_options=arrow.ConvertOptions(
                column_types=wanted,
                include_columns=list(numbers.values()),
                null_values=self._missing,
                strings_can_be_null=True,
                decimal_point=self.reading.decimal,
            ),
        )

    @cached_property
    def _scan(self) -> _Scan:
        if packing(self.path):
            return _Scan(None, True)
        ends, quoted, last = 0, False, b"\n"
        with unpacked(self.path) as file:
            while piece := file.read(PIECE):
                ends += int(np.count_nonzero(np.frombuffer(piece, np.uint8) == ord("\n")))
                ends -= last == b"\r" and piece.startswith(b"\n")
                if b"\r" in piece:
                    ends += piece.count(b"\r") - piece.count(b"\r\n")
                quoted = quoted or b'"' in piece
                last = piece[-1:]
        return _Scan(ends + (last not in b"\r\n") - self._header.line, quoted)

    def _check_start(self) -> None:
        """Refuse what is no text in UTF-8 by its first bytes."""
        try:
            with unpacked(self.path) as file:
                start = file.read(1 << 12)
        except (*DAMAGED, self._pa.ArrowException) as error:
            raise unreadable(self.path, error) from None
        found = next((what for mark, what in MARKS.items() if start.startswith(mark)), "")
        if found or b"\0" in start:
            raise InputError(f"{self.path} is {found or 'no text: it has bytes that are 0'}; save it as text in UTF-8")

    def _blame(self, kinds: dict[str, Kind]) -> None:
        """Raise the sentence about the first row that can't be read, if Python's reader finds one."""
        places = [(name, kind, self.names.index(name)) for name, kind in kinds.items()]
        for line, fields in islice(self._records, 1, None):
            if len(fields) != len(self.names):
                raise InputError(
                    f"line {line} of {self.path} has {len(fields)} fields: expected {len(self.names)}, one for each column"
                    f"{_quoting(fields)}"
                )
            for name, kind, place in places:
                text = fields[place]
                if text in self._missing or self._good(name, kind, text):
                    continue
                found = f"column {printable(name)} has {cited(text)} in line {line} of {self.path}"
                if kind is Kind.SECONDS and spelling.is_fine(text):
                    raise InputError(f"{found}, which is finer than microseconds: expected at most six digits behind a second")
                raise InputError(
                    f"{found}, and a {kind} in the rows before: mend it, or take the column as words with --categorical "
                    f"{printable(name)}"
                )

    def _good(self, name: str, kind: Kind, text: str) -> bool:
        if kind in (Kind.WORDS, Kind.NOTHING):
            return True
        found = spelling.kind_of(text, self.reading.decimal)
        if kind is Kind.SECONDS and (spelling.zoned(text) != (name in self._zoned) or spelling.is_fine(text)):
            return False
        return found is kind and (kind is Kind.NUMBER or spelling.in_calendar(text))

    def _check_lengths(self) -> None:
        """Refuse a row that takes a block or more."""
        line, fields = max(self._records, key=lambda record: sum(map(len, record.fields)))
        sizes = [len(field.encode()) for field in fields]
        if sum(sizes) + len(sizes) > self._block // 2:
            name = self.names[max(range(len(sizes)), key=sizes.__getitem__)]
            raise InputError(
                f"line {line} of {self.path} is too long, with {max(sizes):,} bytes in column {printable(name)}: expected at most "
                f"{self._block:,} in a line"
            )


def _names(path: str, fields: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns' names, each once, and those made up where the header has none."""
    made = [f"unnamed_{number}" if not name.strip() else name for number, name in enumerate(fields, 1)]
    twice = next((name for place, name in enumerate(made) if name in made[:place]), None) if len(set(made)) < len(made) else None
    if twice is not None:
        places = [number for number, name in enumerate(made, 1) if name == twice]
        raise InputError(
            f"{path} has two columns {printable(twice)}, in places {places[0]} and {places[1]}: give each a name of its own"
        )
    if all(spelling.is_number(name) for name in made):
        raise InputError(f"{path} begins with numbers, {cited(made[0])}: expected a line with the columns' names first")
    return tuple(made), tuple(name for name, given in zip(made, fields, strict=True) if not given.strip())


def _quoting(fields: Sequence[str]) -> str:
    return " (a quotation mark before it may not be closed)" if any("\n" in field for field in fields) else ""


def _brief(error: Exception) -> str:
    return printable(" ".join(str(error).split())[:200])
