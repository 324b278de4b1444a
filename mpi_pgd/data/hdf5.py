"""HDF5 files as one long table of rows: found and checked by one rank, read by each rank for itself.

Only the serial h5py is needed: files are opened read-only, and disjoint rows are read independently.
"""

import glob
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from mpi_pgd.arrays import Rows, Vector
from mpi_pgd.errors import InputError, nearest

Chain = tuple[tuple[str, str], ...]  # of data sets that are made of each other

# What h5py raises when HDF5 can't make sense of a file.
DAMAGED = (OSError, LookupError, TypeError, ValueError, ArithmeticError, RuntimeError, MemoryError)


class Stamp(NamedTuple):
    """A file as it was when it was looked at."""

    path: str
    size: int
    changed: int  # nanoseconds

    @classmethod
    def of(cls, path: str) -> "Stamp":
        """As it is now."""
        found = Path(path).stat()
        return cls(path, found.st_size, found.st_mtime_ns)


@dataclass(frozen=True)
class Part:
    """One file of a table: its rows come after those of the parts before it."""

    path: str
    rows: int
    chunk_rows: int  # rows that are stored, and so have to be read, together; 1 if contiguous
    layout: str  # what `data info` says of it
    files: tuple["Stamp", ...] = ()  # those that its rows come from: several, if its data sets are virtual


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
            _load_plugin()
        done = 0
        for part, here in self.pieces(rows):
            with opened(part.path) as file, _reading(part.path, here):
                target = slice(done, done + len(here))
                source = np.s_[here.start : here.stop]
                file[self.x].read_direct(x, source, np.s_[target])
                targets = file[self.y]
                column = np.s_[source, 0] if targets.ndim == 2 else source
                targets.read_direct(y, column, np.s_[target])
            _check_unchanged(part)
            done += len(here)


def _check_unchanged(part: Part) -> None:
    """Rows that are read again, or by another rank, have to be the rows that were there before."""
    for before in part.files:
        try:
            now = Stamp.of(before.path)
        except OSError as error:
            raise InputError(f"{before.path} has gone since the run began ({error.strerror}): bring it back") from None
        if now != before:
            raise InputError(f"{before.path} has changed since the run began: fit again, with data that stay as they are")


def find(patterns: Sequence[str]) -> list[str]:
    """The files that the arguments name, globs expanded, in natural order (``part10`` comes after ``part2``)."""
    paths: list[str] = []
    for pattern in patterns:
        found = [pattern] if Path(pattern).exists() else glob.glob(pattern, recursive=True)  # noqa: PTH207  (a path may be absolute, or climb)
        if not found:
            words = "no file matches" if glob.has_magic(pattern) else "there is no file"
            raise InputError(f"{words} {pattern}: give one or more HDF5 files")
        paths += found
    return sorted(paths, key=_natural)


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
        first=(),
        **types,
    )
    if table.rows == 0:
        raise InputError(f"{x} in {part.path} has no rows: there is nothing to fit")
    top, target = np.empty((1, table.features)), np.empty(1)
    table.read(range(1), top, target)
    return Table(**{**vars(table), "first": (*top[0].tolist(), float(target[0]))})


@contextmanager
def opened(path: str) -> Iterator[h5py.File]:
    """The file, open for reading only.

    Raises:
        InputError: it is not there, may not be read, is not HDF5, is cut short, is being written, or turns out to be damaged
            while it is used.
    """
    try:
        file = h5py.File(path, "r", locking="best-effort")
    except FileNotFoundError:
        raise InputError(f"there is no file {path}: give one or more HDF5 files") from None
    except PermissionError:
        raise InputError(f"{path} may not be read by this user: change its permissions") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder: give the files in it, for example {path}/*.h5") from None
    except BlockingIOError:
        raise InputError(f"{path} is being written by another program: wait until that has closed it") from None
    except OSError as error:
        raise InputError(_why_not_opened(path, str(error))) from None
    try:
        with file:
            yield file
    except InputError:
        raise
    except DAMAGED as error:
        raise InputError(f"{path} is damaged, it can't be read: {_brief(str(error))}; copy or make it again") from None


def _why_not_opened(path: str, message: str) -> str:
    if Path(path).is_dir():
        return f"{path} is a folder: give the files in it, for example {path}/*.h5"
    if "truncated file" in message:
        return f"{path} is cut short (an HDF5 file, but its end is missing): copy or make it again"
    if "signature not found" in message:
        return f"{path} is not an HDF5 file: give one, for example made with h5py or `python -m mpi_pgd data make`"
    return f"{path} can't be opened as HDF5: {_brief(message)}"


@contextmanager
def _reading(path: str, rows: range) -> Iterator[None]:
    try:
        yield
    except DAMAGED as error:
        raise InputError(f"rows {rows.start} to {rows.stop - 1} of {path} can't be read: {_brief(str(error))}") from None


def _brief(message: str) -> str:
    return " ".join(message.split())[:200]


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
        plugin = _readable(features, path, file) | _readable(target, path, file)
        chunk_rows = features.chunks[0] if features.chunks else 1
        files = [path, *_sources(features, path), *_sources(target, path)]
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


def _readable(data_set: h5py.Dataset, path: str, file: h5py.File, above: Chain = ()) -> bool:
    """Whether hdf5plugin is needed; an error if the bytes can't be had: a missing filter or a virtual data set's missing source.

    ``above`` are the virtual data sets, by file and name, that take rows from this one.
    """
    here = (str(Path(path).resolve()), str(data_set.name))
    if here in above:
        raise InputError(f"{data_set.name} in {path} is a virtual data set that is made of itself: make it anew from its sources")
    if data_set.is_virtual:
        return _check_sources(data_set, path, file, (*above, here))
    _check_outside(data_set, path)
    filters = data_set.id.get_create_plist()
    missing = [i for i in range(filters.get_nfilters()) if not h5py.h5z.filter_avail(filters.get_filter(i)[0])]
    if missing and _load_plugin():
        missing = [i for i in missing if not h5py.h5z.filter_avail(filters.get_filter(i)[0])]
        if not missing:
            return True
    if missing:
        code, _, _, name = filters.get_filter(missing[0])
        raise InputError(
            f"{data_set.name} in {path} is compressed with a filter that is not installed ({name.decode() or 'unnamed'}, "
            f"number {code}): install it, for most with pip install hdf5plugin"
        )
    return False


def _load_plugin() -> bool:
    try:
        import hdf5plugin  # noqa: F401  (registers its filters; wanted by few files, so not at start-up)
    except ImportError:
        return False
    return True


def _check_outside(data_set: h5py.Dataset, path: str) -> None:
    """HDF5 reads zeros where a file of raw numbers beside the HDF5 file is too short."""
    for name, offset, size in data_set.external or ():
        where = Path(os.fsdecode(name))
        there = where.stat().st_size - offset if where.is_file() else 0
        if there < min(size, data_set.nbytes):
            raise InputError(f"{data_set.name} in {path} has its numbers in {where}, which is missing or too short: bring it back")


def _sources(data_set: h5py.Dataset, path: str) -> list[str]:
    """The files that a virtual data set is made of."""
    sources = data_set.virtual_sources() if data_set.is_virtual else []
    return [str(Path(path).parent / source) for _, source, _, _ in sources if source != "."]


def _check_sources(data_set: h5py.Dataset, path: str, file: h5py.File, above: Chain) -> bool:
    """HDF5 reads zeros where a virtual data set's source is missing, without an error; so look at each source first."""
    mapped, plugin = 0, False
    for vspace, source, name, _ in data_set.virtual_sources():
        mapped += vspace.get_select_npoints()
        where = Path(path) if source == "." else Path(path).parent / source
        if not where.exists():
            raise InputError(f"{data_set.name} in {path} is made of other files, and {where} is missing: bring it back")
        if source == ".":
            plugin |= _source(file, str(where), name, data_set, path, above)
        else:
            with opened(str(where)) as other:
                plugin |= _source(other, str(where), name, data_set, path, above)
    if mapped < data_set.size:
        raise InputError(
            f"{data_set.name} in {path} is a virtual data set whose sources give {mapped} of its {data_set.size} values: "
            f"the rest would read as zeros; map them all"
        )
    return plugin


def _source(file: h5py.File, where: str, name: str, virtual: h5py.Dataset, path: str, above: Chain) -> bool:
    source = file.get(name)
    if not isinstance(source, h5py.Dataset):
        raise InputError(f"{virtual.name} in {path} takes its rows from {name} in {where}, which has no such data set")
    return _readable(source, where, file, above)


def _natural(path: str) -> list[tuple[int, int, str]]:
    """Digits compare as numbers: part2 before part10."""
    pieces = re.split(r"(\d+)", path)
    return [(1, int(piece), piece) if piece.isdigit() else (0, 0, piece) for piece in pieces if piece]
