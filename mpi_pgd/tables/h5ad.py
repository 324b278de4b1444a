"""AnnData's .h5ad: X, dense here, with the names of var; columns of obs are targets, and no features unless they are asked for."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mpi_pgd.data.categories import text
from mpi_pgd.data.columns import Entries, runs
from mpi_pgd.data.compressed import BY_COLUMNS, compressed, encoding, holds_rows
from mpi_pgd.data.opening import opened
from mpi_pgd.data.sparsefile import INDPTR, MEMBERS
from mpi_pgd.data.storage import needs_plugin
from mpi_pgd.errors import InputError, printable
from mpi_pgd.tables.batch import Batch, Column, Kind, Reading
from mpi_pgd.tables.grid import Grid, Layout, Run, coded, columns, kind_of
from mpi_pgd.tables.rows import Rows, Sparse
from mpi_pgd.tables.turned import Turned

ENCODING = "encoding-type"  # attribute of all that AnnData writes since 0.7


class H5ad(Grid):
    """Observations as rows. Of sparse X it has the columns of obs alone."""

    def __init__(self, path: str, reading: Reading) -> None:
        super().__init__(path, reading, self._layout)

    @contextmanager
    def _layout(self) -> Iterator[Layout]:
        with opened(self.path) as file:
            yield layout(file, self.path)


class SparseH5ad:
    """Those whose X is sparse, see ``Sparse``."""

    target = ""

    def __init__(self, path: str, reading: Reading) -> None:
        self.path, self._obs = path, H5ad(path, reading)
        with opened(path) as file:
            group = file["X"]
            self._turned = encoding(group).startswith(BY_COLUMNS)
            found = compressed(group, path, "X", len(group[MEMBERS[INDPTR]]) - 1 if self._turned else self._obs.rows or 0)
            for one in found.sets:
                needs_plugin(one, path)
            self.rows, self.features = (found.features, found.rows) if self._turned else (found.rows, found.features)
            self.numbers, self.dtype = found.numbers, found.dtype
            if self.rows != self._obs.rows:
                raise InputError(f"{path} has {self.rows} rows in X and {self._obs.rows} in obs: write it again (write_h5ad)")
            self.names, self.columns = names(file, self.features, path), self._obs.names

    def kinds(self, columns: Sequence[str]) -> dict[str, Kind]:
        """See ``Sparse``."""
        return self._obs.kinds(columns)

    def beside(self, columns: Sequence[str]) -> Iterator[Batch]:
        """See ``Sparse``."""
        return self._obs.batches(columns)

    def batches(self, columns: Sequence[str]) -> Iterator[Rows]:
        """See ``Sparse``."""
        kinds = self.kinds(columns)
        with opened(self.path) as file:
            found, group = layout(file, self.path), file["X"]
            stored = Turned(group, self.path, self.rows).runs() if self._turned else self._stored(group)
            for rows, lengths, places, values in stored:
                beside = self._obs.batch(found, rows, kinds)
                yield Rows(len(rows), beside.columns, beside.where, beside.share, lengths, places, values)

    def _stored(self, group: h5py.Group) -> Iterator[tuple[range, NDArray[np.int64], NDArray[Any], NDArray[Any]]]:
        data, indices, starts = (group[name] for name in MEMBERS)
        for rows, lengths in runs(Entries(data, starts), range(self.rows)):
            first = int(starts[rows.start])
            here = np.s_[first : first + int(lengths.sum())]
            if lengths.min() < 0:
                raise InputError(f"{self.path} has X/indptr that do not ascend at row {rows.start}: write it again")
            places = indices[here].astype(np.int64)
            self._check(rows, lengths, places)
            yield rows, lengths, places, data[here]

    def _check(self, rows: range, lengths: NDArray[np.int64], places: NDArray[np.int64]) -> None:
        bad = np.flatnonzero((places < 0) | (places >= self.features))
        if len(bad):
            row = rows.start + int(np.searchsorted(np.cumsum(lengths), bad[0], side="right"))
            raise InputError(
                f"row {row + 1} of {self.path} has a number in column {places[bad[0]]} of {self.features}: write it again"
            )


def open_sparse(path: str, reading: Reading) -> Sparse | None:
    """The rows of a file whose X is sparse, if it is so."""
    with opened(path) as file:
        sparse = holds_rows(file.get("X"))
    return SparseH5ad(path, reading) if sparse else None


def layout(file: h5py.File, path: str) -> Layout:
    """The columns of obs, and those of X if it is dense."""
    obs, x = file.get("obs"), file.get("X")
    if isinstance(obs, h5py.Dataset) or (isinstance(obs, h5py.Group) and text(obs.attrs.get(ENCODING)) != "dataframe"):
        raise InputError(f"{path} is of an AnnData before 0.7: read it with one of today, and write it again (write_h5ad)")
    if not isinstance(obs, h5py.Group) or x is None:
        raise InputError(f"{path} has no {'obs' if x is not None else 'X'}: expected what write_h5ad of AnnData writes")
    index = obs.get(text(obs.attrs.get("_index")))
    if not isinstance(index, h5py.Dataset) or index.ndim != 1:
        raise InputError(f"{path} has no index of obs: expected what write_h5ad of AnnData writes")
    runs = [_observed(obs, str(name), len(index), path) for name in np.ravel(obs.attrs.get("column-order", ())).tolist()]
    if isinstance(x, h5py.Dataset):
        if x.ndim != 2 or len(x) != len(index):
            raise InputError(f"{path} has shape {x.shape} in X: expected {len(index)} rows, as obs has")
        needs_plugin(x, path)
        runs.insert(0, Run(names(file, x.shape[1], path), kind_of(x.dtype), str(x.dtype), partial(_read, x)))
    return Layout(len(index), runs)


def names(file: h5py.File, count: int, path: str) -> tuple[str, ...]:
    """Of the features, by the index of var."""
    var = file.get("var")
    index = var.get(text(var.attrs.get("_index"))) if isinstance(var, h5py.Group) else None
    if not isinstance(index, h5py.Dataset) or index.shape != (count,):
        raise InputError(f"{path} has not {count} names in var, one for each column of X: write it again (write_h5ad)")
    return tuple(printable(value) for value in index[()].tolist())


def _observed(obs: h5py.Group, name: str, rows: int, path: str) -> Run:
    """One column."""
    item = obs.get(name)
    how = text(item.attrs.get(ENCODING)) if item is not None else ""
    main = {"categorical": "codes"}.get(how, "values")
    data = item if isinstance(item, h5py.Dataset) else item.get(main) if isinstance(item, h5py.Group) else None
    if not isinstance(data, h5py.Dataset) or data.shape != (rows,):
        raise InputError(f"{path} has no column {printable(name)} of {rows} values in obs: write it again (write_h5ad)")
    needs_plugin(data, path)
    called = (printable(name),)
    if how == "categorical":
        known = item.get("categories")
        if not isinstance(known, h5py.Dataset):
            raise InputError(f"{path} has no categories of {printable(name)} in obs: write it again (write_h5ad)")
        return Run(called, Kind.WORDS, how, partial(_read_coded, data, known[()].tolist()), features=False)
    kind = Kind.WORDS if h5py.check_string_dtype(data.dtype) else kind_of(data.dtype)
    mask = item.get("mask") if isinstance(item, h5py.Group) else None
    return Run(called, kind, how or str(data.dtype), partial(_read_masked, data, mask, kind), features=False)


def _read(x: h5py.Dataset, rows: range, places: Sequence[int]) -> Sequence[Column]:
    values = x[rows.start : rows.stop]
    return columns(values if len(places) == x.shape[1] else values[:, list(places)], kind_of(x.dtype))


def _read_coded(data: h5py.Dataset, known: list[Any], rows: range, _: Sequence[int]) -> Sequence[Column]:
    return [coded(data[rows.start : rows.stop], known)]


def _read_masked(
    data: h5py.Dataset, mask: h5py.Dataset | None, kind: Kind | None, rows: range, _: Sequence[int]
) -> Sequence[Column]:
    here = np.s_[rows.start : rows.stop]
    (column,) = columns(data[here][:, np.newaxis], kind)
    if mask is not None:
        gone = mask[here].astype(bool)
        if kind is Kind.WORDS:
            column.codes[gone] = -1
        else:
            column.values[gone] = np.nan
    return [column]
