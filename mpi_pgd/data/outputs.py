"""Files of predictions, a family: HDF5, CSV and Parquet, told by the end of a name. They are written rows by rows, in order."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import h5py
import numpy as np

from mpi_pgd import kernel
from mpi_pgd.data.cells import inert
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.errors import InputError

GROUP = 1 << 18  # rows of a row group of Parquet


class Column(NamedTuple):
    """What is written of each row: a number, several, or a word.

    Attributes:
        name: of it.
        parts: what the numbers are of, where there are several: each is a column of a table.
        words: of which the number is the place of one; () where it is a number.
    """

    name: str
    parts: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Numbers a row."""
        return max(1, len(self.parts))

    @property
    def heads(self) -> list[str]:
        """Names of the columns of a table."""
        return [f"{self.name}_{part}" for part in self.parts] or [self.name]


Put = Callable[[Any], object]  # writes what ``encode`` made of the next rows


class Output(Protocol):
    """A kind of file.

    Attributes:
        needs: a module that is no dependency of the program; or "".
    """

    needs: str

    def encode(self, columns: Sequence[Column], numbers: Sequence[Vector]) -> Any:
        """Some rows as they are written, on any rank: of each column (width, rows) float64."""

    def open(self, path: Path, columns: Sequence[Column], rows: int) -> AbstractContextManager[Put]:
        """The file ``path``, which is there and empty, for so many rows."""


class Hdf5:
    """A data set a column, (n,), or (n, k) with the names of its parts as an attribute."""

    needs = ""

    def encode(self, columns: Sequence[Column], numbers: Sequence[Vector]) -> list[Any]:
        """As ``Output``."""
        return [
            np.array(column.words, dtype=object)[found[0].astype(np.intp)]
            if column.words
            else found.T
            if column.parts
            else found[0]
            for column, found in zip(columns, numbers, strict=True)
        ]

    @contextmanager
    def open(self, path: Path, columns: Sequence[Column], rows: int) -> Iterator[Put]:
        """As ``Output``."""
        with h5py.File(path, "w", libver=("earliest", "v108")) as file:
            sets = [self._made(file, column, rows) for column in columns]
            done = 0

            def put(some: list[Any]) -> None:
                nonlocal done
                for data_set, found in zip(sets, some, strict=True):
                    data_set[done : done + len(found)] = found
                done += len(some[0])

            yield put

    def _made(self, file: h5py.File, column: Column, rows: int) -> h5py.Dataset:
        dtype = h5py.string_dtype(length=max(1, *(len(word.encode()) for word in column.words))) if column.words else "<f8"
        shape = (rows, len(column.parts)) if column.parts else (rows,)
        made = file.create_dataset(column.name, shape, dtype, track_times=False)
        if column.parts:
            made.attrs["names"] = np.array(column.parts, dtype=h5py.string_dtype())
        return made


class Csv:
    """A line a row under a line of names; numbers as Python writes them, so that they are read back to the bit."""

    needs = ""

    def encode(self, columns: Sequence[Column], numbers: Sequence[Vector]) -> bytes:
        """As ``Output``."""
        if not any(column.words for column in columns):
            return kernel.decimals(np.concatenate(numbers))
        cells = [
            list(map(list(map(_cell, column.words)).__getitem__, found[0].astype(np.intp).tolist()))
            if column.words
            else kernel.decimals(found).decode().splitlines()
            for column, found in zip(columns, numbers, strict=True)
        ]
        return ("\n".join(map(",".join, zip(*cells, strict=True))) + "\n").encode()

    @contextmanager
    def open(self, path: Path, columns: Sequence[Column], rows: int) -> Iterator[Put]:
        """As ``Output``."""
        with path.open("wb") as file:
            file.write((",".join(_cell(head) for column in columns for head in column.heads) + "\n").encode())
            yield file.write


def _cell(text: str) -> str:
    """Text as a cell, which no spreadsheet runs."""
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow([inert(text)])
    return out.getvalue()


class Parquet:
    """A column a number, in row groups of a fixed number of rows."""

    needs = "pyarrow.parquet"

    def encode(self, columns: Sequence[Column], numbers: Sequence[Vector]) -> list[Vector]:
        """As ``Output``."""
        return [line for found in numbers for line in found]

    @contextmanager
    def open(self, path: Path, columns: Sequence[Column], rows: int) -> Iterator[Put]:
        """As ``Output``."""
        import pyarrow as arrow  # heavy, and an extra
        from pyarrow import parquet

        heads = [(head, column.words) for column in columns for head in column.heads]
        schema = arrow.schema([(head, arrow.string() if words else arrow.float64()) for head, words in heads])
        kept: list[list[Vector]] = []

        def write(final: bool = False) -> None:
            nonlocal kept
            lines = [np.concatenate(line) for line in zip(*kept, strict=True)]
            whole = len(lines[0]) if final else len(lines[0]) // GROUP * GROUP
            for start in range(0, whole, GROUP):
                arrays = [self._array(line[start : start + GROUP], words) for line, (_, words) in zip(lines, heads, strict=True)]
                file.write_table(arrow.Table.from_arrays(arrays, schema=schema), row_group_size=GROUP)
            kept = [[line[whole:].copy() for line in lines]]

        def put(some: list[Vector]) -> None:
            kept.append(some)
            if sum(len(lines[0]) for lines in kept) >= GROUP:
                write()

        with parquet.ParquetWriter(path, schema) as file:
            yield put
            write(final=True)

    def _array(self, line: Vector, words: tuple[str, ...]) -> Any:
        import pyarrow as arrow

        return arrow.array(line) if not words else arrow.array(np.array(words, dtype=object)[line.astype(np.intp)])


OUTPUTS: dict[str, Callable[[], Output]] = {".h5": Hdf5, ".csv": Csv, ".parquet": Parquet}


def output_of(name: str) -> Output:
    """The kind of file that a name ends with. Raises InputError: it is none that is known, or needs what is not installed."""
    ending = Path(name).suffix
    if ending not in OUTPUTS:
        raise InputError(f"OUT was given {name}: expected a name that ends with {', '.join(OUTPUTS)}")
    made = OUTPUTS[ending]()
    try:
        if made.needs:
            import_module(made.needs)
    except ImportError as error:
        raise InputError(f"{name} needs pyarrow, which can't be loaded ({error}): pip install mpi_pgd[tables]") from None
    return made
