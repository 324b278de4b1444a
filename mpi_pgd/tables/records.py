"""Rows of a table of text as Python's own reader has them, with their lines as an editor counts them: slow, and asked of few."""

import csv
import io
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from mpi_pgd.errors import InputError
from mpi_pgd.tables.arrow import pyarrow
from mpi_pgd.tables.packed import DAMAGED, unpacked, unreadable

LONGEST = 1 << 30  # of a field


class Record(NamedTuple):
    """A row."""

    line: int  # on which it begins, from 1
    fields: list[str]


class Records:
    """Those of a file, the header first; without lines that are empty."""

    def __init__(self, path: str, delimiter: str) -> None:
        self._path, self._delimiter, self._pa = path, delimiter, pyarrow(path)

    def __iter__(self) -> Iterator[Record]:
        csv.field_size_limit(LONGEST)
        try:
            with self._text() as text:
                reader, before = csv.reader(text, delimiter=self._delimiter), 0
                for fields in reader:
                    if fields:
                        yield Record(before + 1, fields)
                    before = reader.line_num
        except UnicodeDecodeError:
            raise self._not_utf8() from None
        except csv.Error as error:
            raise InputError(f"{self._path} can't be read after line {before} ({error}): mend it, or make it again") from None
        except (*DAMAGED, self._pa.ArrowException) as error:
            raise unreadable(self._path, error) from None

    def where(self, before: int, row: int) -> str:
        """Where a row stands, counted from 0 behind so many rows and the header."""
        record = next(islice(self, before + row + 1, None), None)
        return f"line {record.line} of {self._path}" if record else f"row {before + row + 1} of {self._path}"

    def check_closed(self) -> None:
        """Refuse a quotation mark that nothing closes: all that follows would be one field."""
        line = 0
        try:
            with self._text() as text:
                reader = csv.reader(text, delimiter=self._delimiter, strict=True)
                for _ in reader:
                    line = reader.line_num
        except csv.Error as error:
            if "unexpected end" in str(error):
                raise InputError(f"a quotation mark in line {line + 1} of {self._path} is never closed: close it") from None

    def _text(self) -> io.TextIOWrapper:
        file: Any = unpacked(self._path)
        return io.TextIOWrapper(io.BufferedReader(file), "utf-8-sig", newline="")

    def _not_utf8(self) -> InputError:
        with unpacked(self._path) as file:
            for number, line in enumerate(file, 1):
                try:
                    line.decode()
                except UnicodeDecodeError as error:
                    return InputError(
                        f"{self._path} is not UTF-8: line {number} has the byte 0x{line[error.start]:02x} in place "
                        f"{error.start + 1}: save it as UTF-8"
                    )
        return InputError(f"{self._path} is not UTF-8: save it as that")
