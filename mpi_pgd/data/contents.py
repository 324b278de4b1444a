"""What a file holds: which of its data sets have something for each row, and which are copied as they are."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import h5py

from mpi_pgd.data.columns import Column
from mpi_pgd.data.compressed import holds_rows
from mpi_pgd.data.filepart import parts_of
from mpi_pgd.data.sparsefile import INDPTR, MEMBERS
from mpi_pgd.data.table import Table
from mpi_pgd.errors import InputError, printable

WHOLE = ("categories", "feature_names", "true_coef", "shape")  # have no rows, whatever their length is
DEEP = 32  # groups in groups: more are a circle


class Found(NamedTuple):
    """What has something for each row.

    Attributes:
        name: its path in the file.
        column: of a data set.
        sparse: the group, of sparse rows.
    """

    name: str
    column: Column | None = None
    sparse: h5py.Group | None = None


class Contents(NamedTuple):
    """Of a file; ``left`` are those that can't have other rows, with why."""

    rows: tuple[Found, ...]
    left: tuple[tuple[str, str], ...]


def contents(file: h5py.File, table: Table) -> Contents:
    """What a file has for each row; those that ``table`` names are, whatever their shape says otherwise."""
    part = parts_of(table)[0]
    named = {table.x: part.x.turned, table.y: part.y.turned, table.weights: part.weights.turned, table.offset: part.offset.turned}
    known = {name.strip("/"): int(turned) for name, turned in named.items() if name}
    rows, left = list[Found](), list[tuple[str, str]]()
    for name, item in _items(file):
        if isinstance(item, h5py.Group):
            why = _no_rows(item, table.rows, name in known)
            if why is None:
                continue
        else:
            axis = known.get(name, _axis(item, name, table, part.x.turned))
            if axis < 0:
                continue
            why = _fixed(item, table.rows, name in known)
        if why:
            left.append((name, why))
        else:
            rows.append(Found(name, sparse=item) if isinstance(item, h5py.Group) else Found(name, Column(item, axis)))
    for name, why in left:
        if name in known:
            raise InputError(f"{name} in {part.path} {why}: expected numbers or texts that can be had in another order")
    return Contents(tuple(rows), tuple(left))


def _items(group: h5py.Group, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, h5py.Dataset | h5py.Group]]:
    """Data sets and sparse rows, by their paths, but not those behind links within the file."""
    for name in group:
        if isinstance(group.get(name, getlink=True), h5py.SoftLink):
            continue
        item = group.get(name)
        where = prefix + name
        if isinstance(item, h5py.Dataset) or holds_rows(item):
            yield where, item
        if isinstance(item, h5py.Group):
            if depth == DEEP:
                raise InputError(f"{printable(where)} lies in {DEEP} groups, one in the other: expected a file without circles")
            inner = _items(item, f"{where}/", depth + 1)
            yield from (each for each in inner if not (holds_rows(item) and each[0].removeprefix(f"{where}/") in MEMBERS))


def _axis(item: h5py.Dataset, name: str, table: Table, across: bool) -> int:
    """That of the rows; -1 if there is none."""
    if not item.shape or name.rpartition("/")[2] in WHOLE or table.rows == table.features:
        return -1
    if item.shape[0] == table.rows and not (across and item.shape[-1] == table.rows):
        return 0
    return item.ndim - 1 if across and item.shape[-1] == table.rows else -1


def _no_rows(group: h5py.Group, rows: int, named: bool) -> str | None:
    """Why sparse rows can't be had in another order; nothing if they can, None if they are no rows of the table."""
    shape: Sequence[int] = tuple(group.attrs.get("shape", ()))
    if len(group[MEMBERS[INDPTR]]) == rows + 1 and (named or (tuple(shape[:1]) == (rows,) and tuple(shape) != (rows, rows))):
        return ""
    return "is sparse and not stored by rows" if rows in shape else None


def _fixed(item: h5py.Dataset, rows: int, named: bool) -> str:
    """Why a data set can't have other rows; nothing if it can."""
    if not named and item.ndim > 1 and tuple(item.shape[:2]) == (rows, rows):
        return "has a number for each pair of rows"
    if item.dtype.hasobject and (h5py.check_string_dtype(item.dtype) is None or item.ndim > 1):
        return f"holds {printable(item.dtype)}"
    return ""
