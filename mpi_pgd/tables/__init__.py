"""Tables as people have them. A new format is a file here, and its line in ``FORMATS``."""

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

from mpi_pgd.data.files import regular
from mpi_pgd.errors import InputError
from mpi_pgd.tables.batch import Reading, Table
from mpi_pgd.tables.csv import Csv
from mpi_pgd.tables.h5ad import H5ad, open_sparse
from mpi_pgd.tables.ipc import open_ipc
from mpi_pgd.tables.joined import Joined
from mpi_pgd.tables.mat import Mat
from mpi_pgd.tables.npy import Npy, Npz
from mpi_pgd.tables.pandas import Pandas, holds
from mpi_pgd.tables.parquet import open_parquet
from mpi_pgd.tables.rows import Sparse
from mpi_pgd.tables.svmlight import Svmlight, refuse


class Format(NamedTuple):
    """A way in which tables are kept."""

    endings: tuple[str, ...]  # of the files' names, in small letters
    opened: Callable[[str, Reading], Table]
    text: str  # for the help
    sparse: Callable[[str, Reading], Sparse | None] = lambda *_: None  # the rows, where they are sparse
    holds: Callable[[str], bool] = lambda _: True  # whether a file of such a name is one, where others have that, too


PACKED = ("", ".gz", ".bz2", ".xz", ".zst")
TEXTS = tuple(f".{name}{packed}" for name in ("csv", "tsv") for packed in PACKED)
PAIRS = tuple(f".{name}{packed}" for name in ("svmlight", "svm", "libsvm") for packed in PACKED)
FORMATS = {
    "csv": Format(TEXTS, Csv, "lines of fields, also compressed"),
    "parquet": Format((".parquet", ".pq"), open_parquet, "Parquet"),
    "arrow": Format((".arrow", ".feather", ".ipc"), open_ipc, "Arrow's files and streams, and Feather"),
    "npy": Format((".npy",), Npy, "NumPy's arrays"),
    "npz": Format((".npz",), Npz, "NumPy's archives of arrays, X and y"),
    "matlab": Format((".mat",), Mat, "MATLAB's from 7.3 on, X and y"),
    "h5ad": Format((".h5ad",), H5ad, "AnnData's, dense or sparse, with targets from obs", open_sparse),
    "svmlight": Format(PAIRS, refuse, "svmlight's and LIBSVM's sparse rows, also compressed", Svmlight),
    "pandas": Format((".h5", ".hdf5", ".hdf"), Pandas, "pandas' own HDF5, fixed and table", holds=holds),
}


def format_of(path: str) -> Format | None:
    """The format that a file's name says, or what is in it, where several have that ending; None: it is no table's."""
    name = os.path.basename(path).lower()  # noqa: PTH119  (a text, not a path that is there)
    return next((each for each in FORMATS.values() if name.endswith(each.endings) and each.holds(path)), None)


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


def sparse_rows(paths: Sequence[str], reading: Reading) -> Sparse | None:
    """The rows in a file, if they are sparse. Raises InputError as ``open_table``, or where there are several files of such."""
    found = format_of(paths[0])
    if found:
        regular(paths[0])
    rows = found.sparse(paths[0], reading) if found else None
    if rows is not None and len(paths) > 1:
        raise InputError(f"{paths[0]} has sparse rows: expected one such file at a time; a fit takes several, once they are HDF5")
    return rows


def open_tables(paths: Sequence[str], reading: Reading) -> Table:
    """Several files as one table, in this order. Raises InputError as ``open_table``, or where they have not the same columns."""
    tables = [open_table(path, reading) for path in paths]
    return tables[0] if len(tables) == 1 else Joined(tables)
