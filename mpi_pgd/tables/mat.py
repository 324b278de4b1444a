"""MATLAB 7.3: variables in HDF5, whose dimensions come there in the other order. Columns of a matrix X are X1, X2, ..."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import h5py
import numpy as np

from mpi_pgd.data.categories import text
from mpi_pgd.data.opening import opened
from mpi_pgd.data.storage import needs_plugin
from mpi_pgd.errors import InputError, printable
from mpi_pgd.tables.batch import Column, Kind, Reading
from mpi_pgd.tables.grid import Grid, Layout, Run, columns

OLD = b"MATLAB 5.0"
NAMES = "feature_names"  # a cell array of texts


class Mat(Grid):
    """Matrices (rows, columns) and vectors of as many rows as X, or as the first matrix."""

    def __init__(self, path: str, reading: Reading) -> None:
        try:
            with Path(path).open("rb") as file:
                old = file.read(len(OLD)) == OLD
        except OSError:
            old = False  # whoever opens it says why
        if old:
            raise InputError(f"{path} is of MATLAB's format before 7.3: write it with save(name, variables, '-v7.3')")
        super().__init__(path, reading, self._layout)

    @contextmanager
    def _layout(self) -> Iterator[Layout]:
        with opened(self.path) as file:
            found = {name: file[name] for name in file if not name.startswith("#") and isinstance(file.get(name), h5py.Dataset)}
            tables = {name: item for name, item in found.items() if item.ndim == 2 and name != NAMES and not _empty(item)}
            matrices = [item for item in tables.values() if min(item.shape) > 1]
            first = tables.get("X") or next(iter(matrices), None)
            rows = first.shape[1] if first is not None else max((item.size for item in tables.values()), default=0)
            if not rows:
                sparse = [name for name in file if isinstance(file.get(name), h5py.Group) and "MATLAB_sparse" in file[name].attrs]
                more = f"; {printable(sparse[0])} is sparse and stored by columns, which is not read" if sparse else ""
                raise InputError(f"{self.path} has no variable with rows: expected X (rows, columns) and y (rows, 1){more}")
            yield Layout(rows, [run for name, item in tables.items() for run in self._runs(file, name, item, rows, item is first)])

    def _runs(self, file: h5py.File, name: str, item: h5py.Dataset, rows: int, main: bool) -> Iterator[Run]:
        vector = 1 in item.shape and item.size == rows
        if not vector and item.shape[1] != rows:
            return
        needs_plugin(item, self.path)
        kind, what = _kind(item)
        if vector:
            yield Run((printable(name),), kind, what, partial(_read_vector, item, kind))
            return
        given = _names(file, item.shape[0]) if main else ()
        names = given or tuple(f"{printable(name)}{column + 1}" for column in range(item.shape[0]))
        yield Run(names, kind, what, partial(_read, item, kind))


def _empty(item: h5py.Dataset) -> bool:
    return bool(np.any(item.attrs.get("MATLAB_empty", 0))) or not item.size


def _kind(item: h5py.Dataset) -> tuple[Kind | None, str]:
    """What a variable holds, and that in words."""
    called = text(item.attrs.get("MATLAB_class"))
    if called == "logical":
        return Kind.TRUTH, called
    if called in ("cell", "char", "struct") or item.dtype.kind not in "fiub":
        return None, {"cell": "a cell array", "char": "text in a char array"}.get(called, f"MATLAB's {called or item.dtype}")
    return Kind.NUMBER, called


def _read(item: h5py.Dataset, kind: Kind | None, rows: range, places: Sequence[int]) -> Sequence[Column]:
    if len(places) == item.shape[0]:
        return columns(item[:, rows.start : rows.stop].T, kind)
    return columns(item[list(places), rows.start : rows.stop].T, kind)


def _read_vector(item: h5py.Dataset, kind: Kind | None, rows: range, _: Sequence[int]) -> Sequence[Column]:
    here = np.s_[rows.start : rows.stop]
    return columns((item[here, 0] if item.shape[1] == 1 else item[0, here])[:, np.newaxis], kind)


def _names(file: h5py.File, count: int) -> tuple[str, ...]:
    """Of the columns, by a cell array of texts; none if there is none of as many."""
    item = file.get(NAMES)
    if not isinstance(item, h5py.Dataset) or item.size != count or item.dtype.kind != "O":
        return ()
    texts = [file[reference][()] for reference in item[()].ravel().tolist()]
    if not all(isinstance(signs, np.ndarray) and signs.dtype == np.uint16 for signs in texts):
        return ()
    return tuple(printable("".join(map(chr, signs.ravel().tolist()))) for signs in texts)
