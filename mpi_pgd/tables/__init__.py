"""Tables as people have them. A new format is a file here, and its line in ``FORMATS``."""

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

from mpi_pgd.data.files import regular
from mpi_pgd.errors import InputError
from mpi_pgd.tables.batch import Reading, Table
from mpi_pgd.tables.csv import Csv
from mpi_pgd.tables.ipc import open_ipc
from mpi_pgd.tables.joined import Joined
from mpi_pgd.tables.parquet import open_parquet


class Format(NamedTuple):
    """A way in which tables are kept."""

    endings: tuple[str, ...]  # of the files' names, in small letters
    opened: Callable[[str, Reading], Table]
    text: str  # for the help


TEXTS = tuple(f".{name}{packed}" for name in ("csv", "tsv") for packed in ("", ".gz", ".bz2", ".xz", ".zst"))
FORMATS = {
    "csv": Format(TEXTS, Csv, "lines of fields, also compressed"),
    "parquet": Format((".parquet", ".pq"), open_parquet, "Parquet"),
    "arrow": Format((".arrow", ".feather", ".ipc"), open_ipc, "Arrow's files and streams, and Feather"),
}


def format_of(path: str) -> Format | None:
    """The format that a file's name says; None: it is no table's."""
    name = os.path.basename(path).lower()  # noqa: PTH119  (a text, not a path that is there)
    return next((each for each in FORMATS.values() if name.endswith(each.endings)), None)


def open_table(path: str, reading: Reading) -> Table:
    """The table in a file.

    Raises:
        InputError: it can't be read, or is none.
    """
    found = format_of(path)
    if not found:
        known = ", ".join(ending for each in FORMATS.values() for ending in each.endings)
        raise InputError(f"{path} is no table by its name: expected one that ends in {known}")
    regular(path)
    return found.opened(path, reading)


def open_tables(paths: Sequence[str], reading: Reading) -> Table:
    """Several files as one table, in this order. Raises InputError as ``open_table``, or where they have not the same columns."""
    tables = [open_table(path, reading) for path in paths]
    return tables[0] if len(tables) == 1 else Joined(tables)
