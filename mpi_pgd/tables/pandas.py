"""The HDF5 files of pandas' own, fixed and table, as PyTables lays them out. Nothing is unpickled: names are read off the text."""

import pickletools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mpi_pgd.data.categories import text
from mpi_pgd.data.opening import opened
from mpi_pgd.data.storage import needs_plugin
from mpi_pgd.errors import InputError, listed, printable
from mpi_pgd.tables.batch import Column, Kind, Reading
from mpi_pgd.tables.grid import SECONDS, Grid, Layout, Run, coded, columns

KEY = "pandas_type"  # attribute of a group that holds a table
FIXED, TABLE = "frame", "frame_table"
META = "meta"  # group, in which there are tables of categories
LOOKED_AT = 1000  # of what is in a group
DEEP = 3  # groups in groups
TEXTS = ("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "STRING")  # what a pickle calls them
WHOLE = ("INT", "BININT", "BININT1", "BININT2", "LONG")


class Pandas(Grid):
    """The one table of a file."""

    def __init__(self, path: str, reading: Reading) -> None:
        with opened(path) as file:
            group = _group(file, path)
            order = _axis(group) if text(group.attrs[KEY]) == FIXED else _pickled(group.attrs.get("non_index_axes"))
        super().__init__(path, reading, self._layout, order)

    @contextmanager
    def _layout(self) -> Iterator[Layout]:
        with opened(self.path) as file:
            group = _group(file, self.path)
            fixed = text(group.attrs[KEY]) == FIXED
            runs = list((_blocks if fixed else _fields)(group, self.path))
            rows = len(group["axis1"]) if fixed else len(group["table"])
            if fixed:
                for place, _ in enumerate(runs):
                    _check(group, place, rows, self.path)
            yield Layout(rows, runs)


def holds(path: str) -> bool:
    """Whether pandas wrote the file: HDF5 of other kinds has the same endings."""
    try:
        if not Path(path).is_file():  # a pipe would be waited for
            return False
        with h5py.File(path, "r", locking="best-effort") as file:
            return any(True for _ in _groups(file))
    except (OSError, ValueError, KeyError, RuntimeError):
        return False


def _groups(group: h5py.Group, depth: int = 0) -> Iterator[h5py.Group]:
    for name in islice(group, LOOKED_AT):
        link = group.get(name, getlink=True)
        item = group.get(name) if isinstance(link, h5py.HardLink) and name not in (META, "_i_table") else None
        if isinstance(item, h5py.Group):
            if KEY in item.attrs:
                yield item
            elif depth < DEEP:
                yield from _groups(item, depth + 1)


def _group(file: h5py.File, path: str) -> h5py.Group:
    found = list(_groups(file))
    if len(found) != 1:
        named = (
            f"{len(found)} tables of pandas' ({listed([printable(each.name) for each in found])})"
            if found
            else "no table of pandas'"
        )
        raise InputError(f"{path} has {named}: expected one, as to_hdf writes it into a file of its own")
    kind = text(found[0].attrs[KEY])
    if kind not in (FIXED, TABLE) or text(found[0].attrs.get("table_type")) == "appendable_multiframe":
        raise InputError(f"{path} holds a {printable(kind)} of pandas': expected a DataFrame with one index (see reset_index)")
    return found[0]


def _axis(group: h5py.Group) -> tuple[str, ...]:
    return _texts(group, group["axis0"]) if "axis0" in group else ()


def _texts(group: h5py.Group, item: h5py.Dataset) -> tuple[str, ...]:
    """Names of columns, which may be numbers."""
    encoding = text(group.attrs.get("encoding")) or "utf-8"
    values = np.ravel(item[()]).tolist() if item.shape is not None else []
    return tuple(printable(value.decode(encoding, "backslashreplace") if isinstance(value, bytes) else value) for value in values)


def _check(group: h5py.Group, place: int, rows: int, path: str) -> None:
    values = group[f"block{place}_values"]
    count = len(_texts(group, group[f"block{place}_items"]))
    if values.dtype.kind != "O" and "shape" not in values.attrs and sorted(values.shape) != sorted((rows, count)):
        raise InputError(f"{path} has shape {values.shape} in {printable(values.name)}: expected {rows} rows of {count} columns")


def _blocks(group: h5py.Group, path: str) -> Iterator[Run]:
    """Of a fixed table."""
    if text(group.attrs.get("axis0_variety")) not in ("regular", ""):
        raise InputError(f"{path} has columns of several levels: expected one name for each")
    for place in range(int(group.attrs["nblocks"])):
        values = group[f"block{place}_values"]
        needs_plugin(values, path)
        names, said = _texts(group, group[f"block{place}_items"]), text(values.attrs.get("value_type"))
        stored = values.id.get_type().get_class()
        if values.dtype.kind == "O":
            kind, what = None, "pickled objects (format='table' keeps texts)"
        else:
            kind, what = _kind(said or ("bool" if stored == h5py.h5t.BITFIELD else str(values.dtype)))
        yield Run(names, kind, what, partial(_read_block, values, kind, said))


def _kind(called: str) -> tuple[Kind | None, str]:
    """What values of a type are, by the name that pandas gives to it."""
    if called == "bool":
        return Kind.TRUTH, called
    if called.startswith("datetime64"):
        return Kind.SECONDS, called
    if called.startswith(("float", "int", "uint")):
        return Kind.NUMBER, called
    return (Kind.WORDS if called.startswith(("bytes", "string", "str", "|S")) else None), called


def _unit(called: str) -> str:
    """Of times, as in datetime64[ns, UTC]."""
    unit = called.partition("[")[2].partition("]")[0].partition(",")[0]
    return unit if unit in SECONDS else "ns"


def _read_block(values: h5py.Dataset, kind: Kind | None, said: str, rows: range, places: Sequence[int]) -> Sequence[Column]:
    upright = values.attrs.get("transposed", 0)
    found = values[rows.start : rows.stop] if upright else values[:, rows.start : rows.stop].T
    return columns(np.ascontiguousarray(found[:, list(places)]), kind, _unit(said))


def _pickled(value: Any) -> tuple[str, ...]:
    """The texts, or else the whole numbers, of a pickled list, without unpickling it."""
    if not isinstance(value, bytes | np.bytes_):
        return ()
    try:
        found = [(code.name, argument) for code, argument, _ in pickletools.genops(bytes(value))]
    except (ValueError, UnicodeError, IndexError):
        return ()
    texts = [str(argument) for name, argument in found if name in TEXTS]
    return tuple(map(printable, texts or [str(argument) for name, argument in found if name in WHOLE]))


def _fields(group: h5py.Group, path: str) -> Iterator[Run]:
    """Of a table in the format table."""
    table = group["table"]
    needs_plugin(table, path)
    if not table.dtype.names:
        raise InputError(f"{path} holds {table.dtype} in {printable(table.name)}: expected fields, as pandas writes them")
    named = {}
    for field in table.dtype.names:
        names = _pickled(table.attrs.get(f"{field}_kind"))
        if names:
            named[field] = names
    latest = lru_cache(maxsize=1)(lambda rows: table.fields(list(named))[rows.start : rows.stop])
    for field, names in named.items():
        of = table.dtype[field]
        if int(np.prod(of.shape, dtype=np.int64)) != len(names):
            raise InputError(f"{path} has {of} in the field {printable(field)}, and {len(names)} names: write it again")
        said = text(table.attrs.get(f"{field}_dtype")) or str(of.base)
        if text(table.attrs.get(f"{field}_meta")) == "category":
            known = _categories(group, field, path)
            yield Run(names, Kind.WORDS, "categories", partial(_read_coded, latest, field, known))
        else:
            kind, what = _kind(said)
            told = text(group.attrs.get("encoding")) or "utf-8", text(group.attrs.get("nan_rep")) or "nan"
            yield Run(names, kind, what, partial(_read_field, latest, field, kind, said, told))


def _categories(group: h5py.Group, field: str, path: str) -> list[Any]:
    table = group.get(f"{META}/{field}/{META}/table")
    named = [name for name in (table.dtype.names or ()) if name.startswith("values")] if isinstance(table, h5py.Dataset) else []
    if not named:
        raise InputError(f"{path} has no categories of the field {printable(field)}: write the table again, or without categories")
    return list(table[named[0]].ravel().tolist())


def _read_field(
    latest: Any, field: str, kind: Kind | None, said: str, told: tuple[str, str], rows: range, places: Sequence[int]
) -> Sequence[Column]:
    values = latest(rows)[field].reshape(len(rows), -1)
    return columns(np.ascontiguousarray(values[:, list(places)]), kind, _unit(said), *told)


def _read_coded(latest: Any, field: str, known: list[Any], rows: range, places: Sequence[int]) -> Sequence[Column]:
    values = latest(rows)[field].reshape(len(rows), -1)
    return [coded(values[:, place], known) for place in places]
