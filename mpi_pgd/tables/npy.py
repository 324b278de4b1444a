"""NumPy's .npy and .npz: arrays whose rows are read in turn, and nothing is unpickled. Columns without a name are x0, x1, ..."""

import os
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache, partial
from math import prod
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpi_pgd.errors import InputError, printable
from mpi_pgd.tables.batch import Column, Reading
from mpi_pgd.tables.grid import Grid, Layout, Run, columns, kind_of
from mpi_pgd.tables.packed import unreadable

HELD = 256 << 20  # bytes of an array that is stored column by column in an archive
LONG = 1 << 18  # bytes of a header
# What damage makes of reading.
DAMAGED = (
    *(OSError, EOFError, ValueError, TypeError, SyntaxError, LookupError, ArithmeticError, RuntimeError, MemoryError),
    *(zlib.error, zipfile.BadZipFile, tokenize.TokenError),
)
NAMES = "feature_names"  # an array in an archive


class Header(NamedTuple):
    """How an array is stored."""

    shape: tuple[int, ...]
    by_columns: bool
    dtype: np.dtype[Any]
    start: int  # where its numbers begin

    @property
    def bytes(self) -> int:
        """Of its numbers."""
        return prod(self.shape) * self.dtype.itemsize


class Npy(Grid):
    """One array (rows,), (rows, columns), or of structures, whose fields are columns."""

    def __init__(self, path: str, reading: Reading) -> None:
        super().__init__(path, reading, self._layout)

    @contextmanager
    def _layout(self) -> Iterator[Layout]:
        with _sound(self.path), Path(self.path).open("rb") as file:
            header = _header(file, self.path)
            size = os.fstat(file.fileno()).st_size
            if size != header.start + header.bytes:
                raise InputError(
                    f"{self.path} has {size:,} bytes, and its header says {header.start + header.bytes:,}: make it again"
                )
            if len(header.shape) not in (1, 2):
                raise InputError(f"{self.path} has shape {header.shape}: expected rows and columns")
            yield Layout(header.shape[0], _runs("x", header, file, ()))


class Npz(Grid):
    """Arrays by their names: those of as many rows as X, or as the first one with two dimensions."""

    def __init__(self, path: str, reading: Reading) -> None:
        super().__init__(path, reading, self._layout)

    @contextmanager
    def _layout(self) -> Iterator[Layout]:
        with _sound(self.path), ExitStack() as open_files:
            archive = open_files.enter_context(zipfile.ZipFile(self.path))
            found: dict[str, tuple[IO[bytes], Header]] = {}
            for info in archive.infolist():
                if info.filename.endswith(".npy"):
                    file = open_files.enter_context(archive.open(info))
                    header = _header(file, f"{info.filename} in {self.path}")
                    if not header.dtype.hasobject and info.file_size != header.start + header.bytes:
                        raise InputError(f"{info.filename} in {self.path} has not the size that its header says: make it again")
                    found[info.filename.removesuffix(".npy")] = file, header
            yield self._found(found)

    def _found(self, found: dict[str, tuple[IO[bytes], Header]]) -> Layout:
        tall = {name: header for name, (_, header) in found.items() if 1 <= len(header.shape) <= 2 and name != NAMES}
        first = next((header for name, header in tall.items() if name == "X"), None)
        first = (
            first or next((header for header in tall.values() if len(header.shape) == 2), None) or next(iter(tall.values()), None)
        )
        if first is None:
            raise InputError(f"{self.path} has no array with rows: expected X (rows, columns) and y (rows,)")
        names = self._names(found)
        runs = list[Run]()
        for name, header in tall.items():
            if header.shape[0] == first.shape[0]:
                file = found[name][0]
                if header.by_columns and len(header.shape) == 2:
                    file, header = _turned(file, header, f"{name} in {self.path}")
                given = names if header is first or header.shape == first.shape else ()
                runs += _runs(name, header, file, given)
        return Layout(first.shape[0], runs)

    def _names(self, found: dict[str, tuple[IO[bytes], Header]]) -> Sequence[str]:
        if NAMES not in found:
            return ()
        file, header = found[NAMES]
        if header.dtype.kind not in "SU" or header.bytes > LONG * 1000:
            raise InputError(f"{NAMES} in {self.path} holds {header.dtype}: expected a text for each column of X")
        return tuple(map(printable, np.frombuffer(file.read(header.bytes), header.dtype).tolist()))


def _turned(file: IO[bytes], header: Header, what: str) -> tuple[IO[bytes], Header]:
    """An array that is stored column by column, by rows: in memory, as an archive is read from its begin."""
    if header.bytes > HELD:
        raise InputError(f"{what} is stored column by column: expected rows, as numpy.ascontiguousarray makes them")
    import io

    whole = np.frombuffer(file.read(header.bytes), header.dtype).reshape(header.shape, order="F")
    return io.BytesIO(np.ascontiguousarray(whole).tobytes()), header._replace(by_columns=False, start=0)


def _header(file: IO[bytes], what: str) -> Header:
    """What the header says; refuses objects, which would have to be unpickled."""
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise InputError(f"{what} is of the version {version} of .npy: expected 1 to 3")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, by_columns, dtype = read(file, max_header_size=LONG)
    if dtype.hasobject:
        raise InputError(f"{what} holds pickled objects, which are not unpickled here: expected numbers or texts of a fixed length")
    if not all(isinstance(size, int) and 0 <= size < 2**48 for size in shape):
        raise InputError(f"{what} has shape {shape}: make it again")
    return Header(shape, by_columns and len(shape) > 1, dtype, file.tell())


def _runs(name: str, header: Header, file: IO[bytes], given: Sequence[str]) -> list[Run]:
    """The columns of an array."""
    if header.dtype.names:
        latest = lru_cache(maxsize=1)(partial(_rows, file, header))
        fields = [(field, header.dtype[field]) for field in header.dtype.names]
        return [Run((_decoded(field),), kind_of(of), str(of), partial(_read_field, latest, field)) for field, of in fields]
    if len(header.shape) == 1:
        names: Sequence[str] = [name]
    else:
        count = header.shape[1]
        names = given if len(given) == count else [f"{name}{column}" for column in range(count)]
    return [Run(tuple(names), kind_of(header.dtype), str(header.dtype), partial(_read, file, header))]


def _read(file: IO[bytes], header: Header, rows: range, places: Sequence[int]) -> Sequence[Column]:
    kind = kind_of(header.dtype)
    if header.by_columns:
        size, lines = header.dtype.itemsize, []
        for place in places:
            file.seek(header.start + (place * header.shape[0] + rows.start) * size)
            lines.append(_taken(file, len(rows), header.dtype))
        return columns(np.stack(lines, axis=1), kind)
    values = _rows(file, header, rows)
    return columns(values[:, np.asarray(places)] if len(places) < values.shape[1] else values, kind)


def _read_field(latest: Callable[[range], NDArray[Any]], field: str, rows: range, _: Sequence[int]) -> Sequence[Column]:
    values = np.ascontiguousarray(latest(rows)[field])
    return columns(values, kind_of(values.dtype))


def _rows(file: IO[bytes], header: Header, rows: range) -> NDArray[Any]:
    """(rows, columns)."""
    width = prod(header.shape[1:])
    file.seek(header.start + rows.start * width * header.dtype.itemsize)
    return _taken(file, len(rows) * width, header.dtype).reshape(len(rows), width)


def _taken(file: IO[bytes], count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    content = file.read(count * dtype.itemsize)
    if len(content) < count * dtype.itemsize:
        raise EOFError("its end is missing")
    return np.frombuffer(content, dtype)


def _decoded(field: str) -> str:
    """NumPy writes names in UTF-8, and reads these in latin-1 where it is told the version 2."""
    try:
        return field.encode("latin-1").decode()
    except UnicodeError:
        return field


@contextmanager
def _sound(path: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except DAMAGED as error:
        raise unreadable(path, error) from None
