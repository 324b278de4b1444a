"""svmlight and LIBSVM: lines of a target and pairs index:value, from 1 on, ascending; Arrow parses a block of lines at a time."""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mpi_pgd.errors import InputError, printable
from mpi_pgd.tables.arrow import pyarrow
from mpi_pgd.tables.batch import Batch, Kind, Reading, Table, numbers
from mpi_pgd.tables.packed import DAMAGED, unpacked, unreadable
from mpi_pgd.tables.rows import Rows

BLOCK = 4 << 20  # bytes that are parsed together
LONGEST = 1 << 30  # of a line
MOST = 2**32  # features
COMMENT, QUERY = re.compile(rb"#[^\n]*"), re.compile(rb"(?<=[ \t])qid:[0-9]+(?=\s)")
BEFORE, BLANK = (b"\n", b" ", b"\t", b"\r"), re.compile(rb"^[ \t\r]*\n", re.MULTILINE)  # how a blank line may begin
NUMBER = re.compile(rb"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
BLANKS = bytes.maketrans(b" \t\r:", b"\n\n\n\n")
IS_BLANK = np.zeros(256, bool)
IS_BLANK[[9, 10, 13, 32]] = True
END, COLON = 10, 58
TARGET = "target"


class _Block(NamedTuple):
    """Lines, without comments and queries, and how many there were before them."""

    text: bytes
    before: int
    read: int  # bytes until their end


class Svmlight:
    """See ``Sparse``. Features have no names; the target is called ``target``."""

    names: tuple[str, ...] = ()
    columns = (TARGET,)
    target = TARGET
    features = 0
    dtype: DTypeLike = "<f8"

    def __init__(self, path: str, _: Reading) -> None:
        self._pa, self.path = pyarrow(path), path
        self.rows, self.numbers, self._size = 0, 0, 1
        for block in self._blocks():
            self.rows += _lines(block.text)
            self.numbers += block.text.count(b":")
            self._size = block.read

    def kinds(self, columns: Sequence[str]) -> dict[str, Kind]:
        """See ``Sparse``."""
        return dict.fromkeys(columns, Kind.NUMBER)

    def beside(self, columns: Sequence[str]) -> Iterator[Batch]:
        """See ``Sparse``."""
        yield from self.batches(columns)

    def batches(self, columns: Sequence[str]) -> Iterator[Rows]:
        """See ``Sparse``."""
        for block in self._blocks():
            found = self._parsed(block)
            if found is None:
                raise self._blame(block)
            targets, lengths, indices, values = found
            if len(targets):
                made = {name: numbers(targets) for name in columns}
                where = partial(self._where, block.before)
                yield Rows(len(targets), made, where, min(1.0, block.read / self._size), lengths, indices, values)

    def _parsed(self, block: _Block) -> tuple[NDArray[Any], ...] | None:
        """Targets, lengths, indices and values; None if the lines are no such."""
        signs = np.frombuffer(block.text, np.uint8)
        blank = IS_BLANK[signs]
        begins = np.flatnonzero(~blank & np.concatenate([[True], blank[:-1]]))  # of words
        if not len(begins):
            return tuple(np.zeros(0, kind) for kind in (np.float64, np.int64, np.int64, np.float64))
        colons = np.flatnonzero(signs == COLON)
        of = np.searchsorted(begins, colons, side="right") - 1  # the word that each is in
        ends = np.flatnonzero(signs == END)
        lines = np.searchsorted(ends, begins)
        first = np.concatenate([[True], np.diff(lines) > 0])
        starts = np.flatnonzero(first)
        if len(of) != len(begins) - len(starts) or not np.array_equal(of, np.flatnonzero(~first)):
            return None
        values = self._numbers(block.text)
        if values is None or len(values) != len(begins) + len(colons):
            return None
        lengths = np.diff(np.append(starts, len(begins))) - 1
        places = np.cumsum(2 * lengths + 1) - (2 * lengths + 1)
        pairs = np.delete(values, places).reshape(-1, 2)
        indices = pairs[:, 0].astype(np.int64) - 1
        rises = np.diff(indices, prepend=-1) > 0
        rises[(np.cumsum(lengths) - lengths)[lengths > 0]] = True
        good = rises & (indices >= 0) & (indices < MOST) & (indices + 1 == pairs[:, 0])
        if not good.all() or not np.isfinite(values).all():
            return None
        return values[places], lengths, indices, np.ascontiguousarray(pairs[:, 1])

    def _numbers(self, text: bytes) -> NDArray[np.float64] | None:
        """All of them, in their order; None if one is none."""
        from pyarrow import csv

        pa = self._pa
        plain = text.translate(BLANKS)
        if b"+" in plain:
            plain = (b"\n" + plain).replace(b"\n+", b"\n")
        try:
            table = csv.read_csv(
                pa.BufferReader(plain),
                csv.ReadOptions(column_names=["value"], block_size=1 << 20),
                csv.ParseOptions(quote_char=False, delimiter=","),
                csv.ConvertOptions(column_types={"value": pa.float64()}, null_values=[]),
            )
        except pa.ArrowException:
            return None
        found: NDArray[np.float64] = table.column(0).to_numpy()
        return found

    def _blocks(self) -> Iterator[_Block]:
        """The file in whole lines."""
        left, before, read = b"", 0, 0
        try:
            with unpacked(self.path) as file:
                while True:
                    piece = file.read(BLOCK)
                    read += len(piece)
                    text = left + piece
                    cut = text.rfind(b"\n") + 1 if piece else len(text)
                    if len(text) - cut > LONGEST:
                        raise InputError(f"{self.path} has a line of more than {LONGEST:,} bytes: expected lines of pairs")
                    whole, left = text[:cut], text[cut:]
                    if whole:
                        lines = whole.count(b"\n")
                        yield _Block(_plain(whole), before, read)
                        before += lines
                    if not piece:
                        return
        except InputError:
            raise
        except (*DAMAGED, self._pa.ArrowException) as error:
            raise unreadable(self.path, error) from None

    def _where(self, before: int, row: int) -> str:
        for block in self._blocks():
            if block.before == before:
                lines = (number for number, line in enumerate(block.text.split(b"\n"), 1) if line.strip())
                return f"line {before + next(islice(lines, row, None))} of {self.path}"
        return f"{self.path}"

    def _blame(self, block: _Block) -> InputError:
        """The sentence about the first line that is none."""
        for number, line in enumerate(block.text.split(b"\n"), block.before + 1):
            if why := _wrong(line.split()):
                return InputError(f"line {number} of {self.path} {why}: expected a target, and pairs as in 3:0.5; mend it")
        return InputError(f"{self.path} can't be read after line {block.before}: expected lines as in 1 3:0.5 7:2")


def _plain(text: bytes) -> bytes:
    """Without comments and queries; it ends with a line."""
    if not text.endswith(b"\n"):
        text += b"\n"
    if b"#" in text:
        text = COMMENT.sub(b"", text)
    return QUERY.sub(b"", text) if b"qid:" in text else text


def _lines(text: bytes) -> int:
    """Those that are not blank."""
    some = text[:1] in BEFORE or any(b"\n" + sign in text for sign in BEFORE)
    return text.count(b"\n") - (len(BLANK.findall(text)) if some else 0)


def _wrong(words: list[bytes]) -> str:
    """What is wrong with a line of such words; nothing if it is one."""
    if not words:
        return ""
    if not _finite(words[0]):
        return f"has the target {_cited(words[0])}, which is no finite number"
    last = 0
    for word in words[1:]:
        index, colon, value = word.partition(b":")
        if not colon or not re.fullmatch(rb"[+]?[0-9]{1,20}", index) or not _finite(value):
            return f"has {_cited(word)}, which is no index from 1 on and a finite number"
        if int(index) == 0:
            return "has the index 0, as if they were counted from 0 (dump_svmlight_file has zero_based=False)"
        if int(index) <= last or int(index) > MOST:
            return f"has the index {int(index)} behind {last}, and they have to ascend, to {MOST:,} at most"
        last = int(index)
    return ""


def _finite(word: bytes) -> bool:
    return bool(NUMBER.fullmatch(word)) and abs(float(word)) < float("inf")


def _cited(word: bytes) -> str:
    text = printable(word)
    return f'"{text if len(text) <= 40 else text[:40] + "..."}"'


def refuse(path: str, _: Reading) -> Table:
    """As a table of columns. Raises InputError: it is none."""
    raise InputError(f"{path} has sparse rows, and no columns with names: make HDF5 of it with data convert, and give that")
