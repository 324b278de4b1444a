"""HDF5 files as one long table of rows: found and checked by one rank, read by each rank for itself.

Only the serial h5py is needed: files are opened read-only, and disjoint rows are read independently.
"""

import os
import sys
from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import h5py
import numpy as np

from mpi_pgd.data.behind import Behind, Span
from mpi_pgd.data.categories import in_place_of
from mpi_pgd.data.decode import STRIP, read_features, read_targets
from mpi_pgd.data.files import Stamp, check_unchanged
from mpi_pgd.data.meaning import PLAIN, Meaning, check_units, meaning
from mpi_pgd.data.names import Names, names_of, places, repeated
from mpi_pgd.data.opening import data_sets, linked, opened, prefixes, reading, search_as
from mpi_pgd.data.orientation import creator, turned
from mpi_pgd.data.sources import Source, with_names, with_sources
from mpi_pgd.data.storage import load_plugin, raw_files
from mpi_pgd.data.twice import Origin, Taken, check_once
from mpi_pgd.engine.arrays import Rows, Vector
from mpi_pgd.errors import InputError, nearest

FILES = 100  # that are open at once: a process may have some hundreds, and HDF5 reads zeros where it can't open one


@dataclass(frozen=True)
class Part:
    """One file of a table: its rows come after those of the parts before it."""

    path: str
    rows: int
    chunk_rows: int  # rows that are stored, and so have to be read, together; 1 if contiguous
    layout: str  # what `data info` says of it
    files: tuple[Stamp, ...] = ()  # those that its rows come from: several, if its data sets are links or virtual
    spans: tuple[Span, ...] = ()  # of each of them: for which rows
    chunk_bytes: int = 0  # of the largest chunk, which is in memory while rows of it are read
    columns: "array[int]" = field(default_factory=lambda: array("q"))  # of the table, for each of its own; empty: as they are
    x: Meaning = PLAIN
    y: Meaning = PLAIN

    @property
    def decoding_bytes(self) -> int:
        """Memory that numbers take on their way to values, at most, if chunks are no larger."""
        return 0 if self.x.plain and not self.columns else 3 * STRIP

    def behind(self, rows: range) -> Iterator[tuple[Stamp, Span]]:
        """The files that ``rows`` of this part come from."""
        for stamp, span in zip(self.files, self.spans, strict=True):
            if span.first < rows.stop and rows.start < span.stop:
                yield stamp, span

    def runs(self, rows: range) -> Iterator[range]:
        """``rows`` in runs that come from few files each."""
        if len(rows) > 1 and sum(1 for _ in self.behind(rows)) > FILES:
            middle = (rows.start + rows.stop) // 2
            yield from self.runs(range(rows.start, middle))
            yield from self.runs(range(middle, rows.stop))
        else:
            yield rows

    @contextmanager
    def opened(self, rows: range) -> Iterator[h5py.File]:
        """The file, while ``rows`` are read. HDF5 reads zeros where it can't open a source, so they are opened before."""
        with ExitStack() as sources:
            for stamp, span in self.behind(rows):
                if span.hdf5 and stamp.path != self.files[0].path:
                    sources.enter_context(opened(stamp.path))
            yield sources.enter_context(opened(self.path))


@dataclass(frozen=True)
class Table:
    """The checked description of the input, small enough to be sent to every rank."""

    parts: tuple[Part, ...]  # the files in the order of their rows
    x: str  # name of the data set with the features, (n, p)
    y: str  # and of that with the targets, (n,) or (n, 1)
    features: int  # p
    x_type: str  # numpy's name of the type that a shard keeps in memory, in native byte order
    y_type: str  # likewise, of the targets in the files
    labels: str  # the features' names, a line each, if the input has them: a million in one text, as they are sent to every rank
    plugin: bool  # whether a filter of hdf5plugin is needed to read it
    node: str  # the one that looked at the files
    prefixes: tuple[str, ...] = ()  # where HDF5 looked for files that others name
    warnings: tuple[str, ...] = ()  # sentences on what may not be meant as it is read

    @property
    def rows(self) -> int:
        """n, over all parts."""
        return sum(part.rows for part in self.parts)

    @property
    def names(self) -> tuple[str, ...]:
        """The features' names, if the input has them."""
        return tuple(self.labels.split("\n")[:-1])

    @property
    def reading_bytes(self) -> int:
        """Memory that reading takes beside the rows: two of a chunk, and numbers on their way to values."""
        return max(2 * part.chunk_bytes + part.decoding_bytes for part in self.parts)

    def bytes(self, rows: int) -> int:
        """Memory that a shard of so many rows takes."""
        return rows * (self.features * np.dtype(self.x_type).itemsize + 8)

    def pieces(self, rows: range) -> Iterator[tuple[Part, range]]:
        """The parts that hold ``rows``, each with the run of its own rows."""
        start = 0
        for part in self.parts:
            here = range(max(rows.start - start, 0), min(rows.stop - start, part.rows))
            if len(here):
                yield from ((part, run) for run in part.runs(here))
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

        Refuses a file that has gone, has changed, or can't be read there, and a number that stands for a missing value.
        """
        if self.plugin:
            load_plugin()
        search_as(self.prefixes)
        done = 0
        for part, here in self.pieces(rows):
            self._check_unchanged(part, here)
            with part.opened(here) as file, reading(part.path, here):
                target, first = slice(done, done + len(here)), rows.start + done
                read_features(file[self.x], part.x, part.columns, here, first, x[target], self.x)
                read_targets(file[self.y], part.y, here, first, y[target], self.y)
            self._check_unchanged(part, here)
            done += len(here)

    def _check_unchanged(self, part: Part, rows: range) -> None:
        check_unchanged((stamp for stamp, _ in part.behind(rows)), self.node)


def inspect(paths: Sequence[str], x: str, y: str) -> Table:
    """Describe the files as one table; refuse what makes them unusable, as far as it can be known without reading all rows."""
    found = [_inspect_one(path, x, y) for path in paths]
    first = found[0]
    for other in found[1:]:
        if other.features != first.features:
            raise InputError(
                f"{other.part.path} has {other.features} features and {first.part.path} has {first.features}: "
                f"files read as one table need the same number"
            )
    check_once([taken._replace(part=number) for number, one in enumerate(found) for taken in one.taken])
    parts = [_in_order(one, first) for one in found]
    check_units([(part.path, part.x.units) for part in parts], x)
    check_units([(part.path, part.y.units) for part in parts], y)
    table = Table(
        parts=tuple(parts),
        x=x,
        y=y,
        features=first.features,
        x_type=str(np.result_type(*{part.x.type for part in parts})),
        y_type=str(np.result_type(*{part.y.type for part in parts})),
        labels="".join(f"{name}\n" for name in first.names),
        plugin=any(one.plugin for one in found),
        node=os.uname().nodename,
        prefixes=prefixes(),
        warnings=tuple(_warnings(found)),
    )
    if table.rows == 0:
        raise InputError(f"{x} in {first.part.path} has no rows: there is nothing to fit")
    return table


class _Seen(NamedTuple):
    """What one file gives; of each warning, which data set, and what of it."""

    part: Part
    features: int
    names: Names
    plugin: bool
    warnings: list[tuple[str, str]]
    taken: list[Taken]


def _warnings(found: Sequence[_Seen]) -> Iterator[str]:
    """Each once, however many files it is about."""
    first = found[0]
    if twice := repeated(first.names):
        yield f"{first.part.path} has two features {twice}: which is which, only their order tells"
    about: dict[tuple[str, str], list[str]] = {}
    for one in found:
        for warning in one.warnings:
            about.setdefault(warning, []).append(one.part.path)
    for (name, words), paths in about.items():
        more = f" (and {len(paths) - 1} more files)" if len(paths) > 1 else ""
        yield f"{name} in {paths[0]}{more} {words}"


def _inspect_one(path: str, x: str, y: str) -> _Seen:
    behind = Behind()
    with opened(path) as file:
        behind.note([path], range(0, sys.maxsize))
        features, target = (_data_set(behind, file, path, name, flag) for name, flag in ((x, "--x"), (y, "--y")))
        means, meant = meaning(features, path, x), meaning(target, path, y)
        if features.ndim != 2:
            raise InputError(f"{x} in {path} has shape {features.shape}: expected two dimensions, rows and features")
        made_by = creator(features, target)
        across = turned(features.shape, target.shape, made_by, x, y, path)
        rows, columns = features.shape[::-1] if across else features.shape
        if columns == 0:
            raise InputError(f"{x} in {path} has no features: expected at least one column")
        sources, behind_y = (behind.look(data_set, range(len(data_set))) for data_set in (features, target))
        means, meant = with_sources(means, sources, f"{x} in {path}"), with_sources(meant, behind_y, f"{y} in {path}")
        with suppress(KeyError):
            linked(file, path, "feature_names")
        part = Part(
            path=path,
            rows=rows,
            chunk_rows=features.chunks[int(across)] if features.chunks else 1,
            layout=", ".join(filter(None, (_layout(features), "read transposed" * across, means.words()))),
            files=tuple(behind.files),
            spans=tuple(span._replace(first=0, stop=rows) if across else span for span in behind.files.values()),
            chunk_bytes=behind.chunk_bytes,
            x=replace(means, turned=across),
            y=replace(meant, turned=target.ndim == 2 and target.shape != (rows, 1)),
        )
        codes = "holds codes of {}, which are no quantities: they are taken as the numbers that they are"
        warnings = [(name, codes.format(of.coded)) for name, of in ((x, means), (y, meant)) if of.coded]
        if rows == columns > 1:
            way = f"read transposed, as it is {made_by}" if across else "read with rows first"
            warnings.append((x, f"is square, so its shape can't tell rows from features: it is {way}"))
        sources = [] if across else sources
        names = with_names(names_of(file, features, columns, int(not across), path, x), path, sources, columns)
        return _Seen(part, columns, names, behind.plugin, warnings, list(_taken(path, features, sources, rows)))


def _taken(path: str, features: h5py.Dataset, sources: Sequence[Source], rows: int) -> Iterator[Taken]:
    """Whatever the rows of a part are rows of: its data set, the sources of that, raw files."""
    here = os.fsdecode(features.file.filename)
    yield Taken(0, path, Origin.of(features), f"{features.name} in {here}", range(rows))
    for one in sources:
        yield from (Taken(0, path, one.origin, f"{one.name} in {one.where}", run) for run in one.rows)
    for raw, (_, start, size) in zip(raw_files(features, here), features.external or (), strict=True):
        yield Taken(0, path, Origin.at(raw), raw, range(start, start + min(size, features.nbytes)), "bytes")


def _in_order(one: _Seen, first: _Seen) -> Part:
    """The part, its columns matched with the first one's by their names."""
    columns = places(one.names, one.part.path, first.names, first.part.path)
    if not columns:
        return one.part
    return replace(one.part, columns=columns, layout=f"{one.part.layout}, columns in another order (matched by their names)")


def _data_set(behind: Behind, file: h5py.File, path: str, name: str, flag: str) -> h5py.Dataset:
    item = behind.item(file, path, name)
    if isinstance(item, h5py.Dataset):
        return item
    if isinstance(item, h5py.Group) and (what := in_place_of(item, name)):
        raise InputError(f"{name} in {path} is {what} ({flag} names the data set)")
    there = data_sets(file)
    if name in there:
        raise InputError(f"{path} is damaged, its data set {name} can't be read: copy or make it again")
    listed = ", ".join(there[:20]) + (", ..." if len(there) > 20 else "") if there else "none"
    raise InputError(
        f"{path} has no data set {name}{nearest(name, there)}; its data sets are: {listed}; name the right one with {flag}"
    )


def _layout(data_set: h5py.Dataset) -> str:
    if data_set.is_virtual:
        return f"virtual, {data_set.id.get_create_plist().get_virtual_count()} sources"
    if data_set.chunks is None:
        return "contiguous"
    filters = data_set.id.get_create_plist()
    names = [filters.get_filter(i)[3].decode() or str(filters.get_filter(i)[0]) for i in range(filters.get_nfilters())]
    return f"chunks {data_set.chunks}" + (f", {' + '.join(names)}" if names else "")
