"""HDF5 files as one long table of rows: found and checked by one rank, read by each rank for itself.

Only the serial h5py is needed: files are opened read-only, and disjoint rows are read independently.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import h5py
import numpy as np

from mpi_pgd.arrays import Rows, Vector
from mpi_pgd.data.files import Stamp, check_unchanged
from mpi_pgd.data.opening import opened, reading
from mpi_pgd.data.storage import load_plugin, readable, sources
from mpi_pgd.errors import InputError, nearest


@dataclass(frozen=True)
class Part:
    """One file of a table: its rows come after those of the parts before it."""

    path: str
    rows: int
    chunk_rows: int  # rows that are stored, and so have to be read, together; 1 if contiguous
    layout: str  # what `data info` says of it
    files: tuple[Stamp, ...] = ()  # those that its rows come from: several, if its data sets are virtual


@dataclass(frozen=True)
class Table:
    """The checked description of the input, small enough to be sent to every rank.

    Attributes:
        parts: the files in the order of their rows.
        x, y: names of the data sets with the features (n, p) and the targets (n,) or (n, 1).
        features: p.
        x_type, y_type: numpy dtype names in native byte order; ``x_type`` is what a shard keeps in memory.
        names: the features' names, if the input has them.
        plugin: whether a filter of hdf5plugin is needed to read it.
        node: the one that looked at the files.
        first: the first row, features then target, as float64.
    """

    parts: tuple[Part, ...]
    x: str
    y: str
    features: int
    x_type: str
    y_type: str
    names: tuple[str, ...]
    plugin: bool
    node: str
    first: tuple[float, ...]

    @property
    def rows(self) -> int:
        """n, over all parts."""
        return sum(part.rows for part in self.parts)

    @property
    def first_row(self) -> Vector:
        """``first`` as an array (p + 1,)."""
        return np.array(self.first)

    def as_dict(self) -> dict[str, Any]:
        """For the wire; ``from_dict`` undoes it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "Table":
        """The table that ``as_dict`` described."""
        parts = tuple(Part(**{**part, "files": tuple(Stamp(*file) for file in part["files"])}) for part in fields["parts"])
        tuples = {name: tuple(fields[name]) for name in ("names", "first")}
        return cls(**{**fields, **tuples, "parts": parts})

    def bytes(self, rows: int) -> int:
        """Memory that a shard of so many rows takes."""
        return rows * (self.features * np.dtype(self.x_type).itemsize + 8)

    def pieces(self, rows: range) -> Iterator[tuple[Part, range]]:
        """The parts that hold ``rows``, each with the run of its own rows."""
        start = 0
        for part in self.parts:
            here = range(max(rows.start - start, 0), min(rows.stop - start, part.rows))
            if len(here):
                yield part, here
            start += part.rows

    def slabs(self, rows: range, size: int) -> Iterator[range]:
        """``rows`` in runs of about ``size`` bytes that end where chunks end, so that no chunk is decompressed twice."""
        row_bytes = self.features * np.dtype(self.x_type).itemsize
        offset = rows.start
        for part, here in self.pieces(rows):
            shift = offset - here.start
            step = max(1, size // row_bytes // part.chunk_rows) * part.chunk_rows
            start = here.start
            while start < here.stop:
                stop = min((start // part.chunk_rows) * part.chunk_rows + step, here.stop)
                yield range(start + shift, stop + shift)
                start = stop
            offset += len(here)

    def read(self, rows: range, x: Rows, y: Vector) -> None:
        """Fill ``x`` (len(rows), p) and ``y`` (len(rows),) with ``rows``, converting to the arrays' types.

        Raises:
            InputError: a file has gone, has changed, or can't be read there.
        """
        if self.plugin:
            load_plugin()
        done = 0
        for part, here in self.pieces(rows):
            with opened(part.path) as file, reading(part.path, here):
                target = slice(done, done + len(here))
                source = np.s_[here.start : here.stop]
                file[self.x].read_direct(x, source, np.s_[target])
                targets = file[self.y]
                column = np.s_[source, 0] if targets.ndim == 2 else source
                targets.read_direct(y, column, np.s_[target])
            check_unchanged(part.files, self.node)
            done += len(here)


def inspect(paths: Sequence[str], x: str, y: str) -> Table:
    """Check every file and describe them as one table.

    Raises:
        InputError: anything that makes them unusable, as far as it can be known without reading all rows.
    """
    found = [_inspect_one(path, x, y) for path in paths]
    first, part, _ = found[0]
    for other, its_part, _ in found[1:]:
        if other["features"] != first["features"]:
            raise InputError(
                f"{its_part.path} has {other['features']} features and {part.path} has {first['features']}: "
                f"files read as one table need the same number"
            )
    types = {name: _common([details[name] for details, _, _ in found]) for name in ("x_type", "y_type")}
    table = Table(
        parts=tuple(part for _, part, _ in found),
        x=x,
        y=y,
        features=first["features"],
        names=first["names"],
        plugin=any(plugin for _, _, plugin in found),
        node=os.uname().nodename,
        first=(),
        **types,
    )
    if table.rows == 0:
        raise InputError(f"{x} in {part.path} has no rows: there is nothing to fit")
    top, target = np.empty((1, table.features)), np.empty(1)
    table.read(range(1), top, target)
    return Table(**{**vars(table), "first": (*top[0].tolist(), float(target[0]))})


def _inspect_one(path: str, x: str, y: str) -> tuple[dict[str, Any], Part, bool]:
    with opened(path) as file:
        features, target = _data_set(file, path, x, "--x"), _data_set(file, path, y, "--y")
        types = {"x_type": _number_type(features, path, x), "y_type": _number_type(target, path, y)}
        if features.ndim != 2:
            raise InputError(f"{x} in {path} has shape {features.shape}: expected two dimensions, rows and features")
        if target.shape not in ((len(features),), (len(features), 1)):
            raise InputError(
                f"{y} in {path} has shape {target.shape}: expected ({len(features)},) or ({len(features)}, 1), "
                f"a target for each row of {x}"
            )
        if features.shape[1] == 0:
            raise InputError(f"{x} in {path} has no features: expected at least one column")
        details = {"features": features.shape[1], "names": _names(file, features), **types}
        plugin = readable(features, path, file) | readable(target, path, file)
        chunk_rows = features.chunks[0] if features.chunks else 1
        files = [path, *sources(features, path), *sources(target, path)]
        stamps = tuple(Stamp.of(name) for name in dict.fromkeys(files))
        return details, Part(path, len(features), chunk_rows, _layout(features), stamps), plugin


def _data_set(file: h5py.File, path: str, name: str, flag: str) -> h5py.Dataset:
    try:
        item = file[name]
    except (KeyError, ValueError):
        item = None
    if isinstance(item, h5py.Dataset):
        return item
    there: list[str] = []
    file.visititems(lambda key, item: there.append(_text(key)) if isinstance(item, h5py.Dataset) else None)
    if name in there:
        raise InputError(f"{path} is damaged, its data set {name} can't be read: copy or make it again")
    listed = ", ".join(there[:20]) + (", ..." if len(there) > 20 else "") if there else "none"
    raise InputError(
        f"{path} has no data set {name}{nearest(name, there)}; its data sets are: {listed}; name the right one with {flag}"
    )


def _number_type(data_set: h5py.Dataset, path: str, name: str) -> str:
    dtype = data_set.dtype
    if dtype.kind in "fiub" and dtype.itemsize <= 8:
        return str(np.dtype(dtype.newbyteorder("=")))
    words = {"c": "complex numbers", "V": "a compound type", "O": "strings or objects", "S": "strings", "U": "strings"}
    what = words.get(dtype.kind, f"the type {dtype}")
    raise InputError(f"{name} in {path} holds {what}: expected real numbers (float64, float32, or integers)")


def _common(types: list[str]) -> str:
    return str(np.result_type(*types)) if len(set(types)) > 1 else types[0]


def _names(file: h5py.File, features: h5py.Dataset) -> tuple[str, ...]:
    names = features.attrs.get("feature_names", file.get("feature_names"))
    if not isinstance(names, np.ndarray | h5py.Dataset) or names.shape != (features.shape[1],):
        return ()
    return tuple(_text(name) for name in names[()])


def _text(name: object) -> str:
    """Names in a file may hold bytes that are no text, line breaks, and what a terminal would obey."""
    text = name.decode(errors="backslashreplace") if isinstance(name, bytes) else str(name)
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def _layout(data_set: h5py.Dataset) -> str:
    if data_set.is_virtual:
        return f"virtual, {len(data_set.virtual_sources())} sources"
    if data_set.chunks is None:
        return "contiguous"
    filters = data_set.id.get_create_plist()
    names = [filters.get_filter(i)[3].decode() or str(filters.get_filter(i)[0]) for i in range(filters.get_nfilters())]
    return f"chunks {data_set.chunks}" + (f", {' + '.join(names)}" if names else "")
