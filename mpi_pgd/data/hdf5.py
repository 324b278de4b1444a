"""HDF5 files found and checked by one rank, as one long table of rows."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

import h5py
import numpy as np

from mpi_pgd.data.behind import Behind
from mpi_pgd.data.categories import in_place_of, text
from mpi_pgd.data.compressed import compressed, holds_rows
from mpi_pgd.data.filepart import FilePart
from mpi_pgd.data.meaning import PLAIN, Meaning, check_units, meaning
from mpi_pgd.data.names import Names, names_of, places, repeated
from mpi_pgd.data.opening import data_sets, linked, opened, prefixes
from mpi_pgd.data.orientation import creator, of_rows, turned, unclear
from mpi_pgd.data.sources import Source, with_names, with_sources
from mpi_pgd.data.sparsefile import members
from mpi_pgd.data.storage import raw_files, stored_layout
from mpi_pgd.data.table import Table
from mpi_pgd.data.twice import Origin, Taken, check_once
from mpi_pgd.data.words import ATTRIBUTE, Words, of_file
from mpi_pgd.errors import InputError, nearest

CODES = "holds codes of {}, which are no quantities: they are taken as the numbers that they are"


def inspect(paths: Sequence[str], x: str, y: str, weights: str = "", offset: str = "", weighted: bool = False) -> Table:
    """Describe the files as one table; refuse what makes them unusable, as far as it can be known without reading all rows.

    All are names of data sets; ``weights`` and ``offset`` may be empty, and so may ``y`` where targets are not asked for: a shard
    then holds zeros. ``weighted``: rows get weights in any case.
    """
    found = [_inspect_one(path, x, y, weights, offset) for path in paths]
    first = found[0]
    _check_alike(found, y)
    check_once([taken._replace(part=number) for number, one in enumerate(found) for taken in one.taken])
    parts = [_in_order(one, first) for one in found]
    for name, meant in (
        (x, [part.x for part in parts]),
        (y, [part.y for part in parts]),
        (weights, [part.weights for part in parts]),
        (offset, [part.offset for part in parts]),
    ):
        check_units([(part.path, its.units) for part, its in zip(parts, meant, strict=True)], name)
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
        targets=first.targets,
        weights=weights,
        offset=offset,
        weighted=weighted or bool(weights),
        recipe=first.recipe,
        words=first.words if all(one.words == first.words for one in found) else (),
    )
    if table.rows == 0:
        raise InputError(f"{x} in {first.part.path} has no rows: there is nothing to {'fit' if y else 'predict'}")
    return table


class _Seen(NamedTuple):
    """What one file gives; of each warning, which data set, and what of it."""

    part: FilePart
    features: int
    targets: int
    names: Names
    plugin: bool
    warnings: list[tuple[str, str]]
    taken: list[Taken]
    words: Words
    recipe: str = ""


def _check_alike(found: Sequence[_Seen], y: str) -> None:
    """Refuse files that are no parts of one table."""
    first = found[0]
    for other in found[1:]:
        if (other.part.numbers < 0) != (first.part.numbers < 0):
            raise InputError(
                f"one of {first.part.path} and {other.part.path} has sparse rows and the other one dense ones: files read as one "
                f"table need the same"
            )
        for what, its, that in (("features", other.features, first.features), ("targets a row", other.targets, first.targets)):
            if its != that:
                raise InputError(
                    f"{other.part.path} has {its} {what} and {first.part.path} has {that}: "
                    f"files read as one table need the same number"
                )
        if other.words and first.words and other.words != first.words:
            raise InputError(
                f"{y} has other classes in {other.part.path} than in {first.part.path}, by its attribute {ATTRIBUTE}, so that its "
                f"numbers mean others: make both files at once, with data convert"
            )


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


def _inspect_one(path: str, x: str, y: str, weights: str, offset: str) -> _Seen:
    behind = Behind()
    with opened(path) as file:
        behind.note([path], range(0, sys.maxsize))
        group = behind.item(file, path, x)
        if holds_rows(group):
            return _inspect_sparse(behind, file, path, group, x, y, weights, offset)
        features = _data_set(behind, file, path, x, "--x")
        target = _data_set(behind, file, path, y, "--y") if y else None
        means = meaning(features, path, x)
        if features.ndim != 2:
            raise InputError(f"{x} in {path} has shape {features.shape}: expected two dimensions, rows and features")
        made_by = creator(features, target)
        across = turned(features.shape, target.shape, made_by, x, y, path) if target is not None else made_by != ""
        rows, columns = features.shape[::-1] if across else features.shape
        if columns == 0:
            raise InputError(f"{x} in {path} has no features: expected at least one column")
        sources = behind.look(features, range(len(features)))
        means = with_sources(means, sources, f"{x} in {path}")
        upright = target is None or target.ndim < 2 or target.shape == (rows, 1)
        meant = [PLAIN if target is None else _column(behind, target, path, y, across and not upright)]
        for name, flag in ((weights, "--weights"), (offset, "--offset")):
            column = _data_set(behind, file, path, name, flag) if name else None
            way = column is not None and of_rows(column.shape, rows, across, f"{name} in {path}", x)
            meant.append(PLAIN if column is None else _column(behind, column, path, name, way))
        with suppress(KeyError):
            linked(file, path, "feature_names")
        part = FilePart(
            path=path,
            rows=rows,
            chunk_rows=features.chunks[int(across)] if features.chunks else 1,
            layout=", ".join(filter(None, (stored_layout(features), "read transposed" * across, means.words()))),
            files=tuple(behind.files),
            spans=tuple(span._replace(first=0, stop=rows) if across else span for span in behind.files.values()),
            chunk_bytes=behind.chunk_bytes,
            chunks=behind.chunks,
            x=replace(means, turned=across),
            y=meant[0],
            weights=meant[1],
            offset=meant[2],
        )
        warnings = [(name, CODES.format(of.coded)) for name, of in ((x, means), (y, part.y)) if of.coded]
        doubts = unclear(features.shape, () if target is None else target.shape, columns, y, made_by if across else "")
        warnings += [(x, doubt) for doubt in doubts]
        sources = [] if across else sources
        names = with_names(names_of(file, features, columns, int(not across), path, x), path, sources, columns)
        targets = target.size // rows if rows and target is not None else 1
        taken = list(_taken(path, features, sources, rows))
        recipe = text(file.attrs.get("recipe")) if x.strip("/") == "X" else ""
        return _Seen(part, columns, targets, names, behind.plugin, warnings, taken, _words(target), recipe)


def _inspect_sparse(
    behind: Behind, file: h5py.File, path: str, group: h5py.Group, x: str, y: str, weights: str, offset: str
) -> _Seen:
    """Of sparse rows."""
    target = _data_set(behind, file, path, y, "--y") if y else None
    its = compressed(group, path, x, len(target) if target is not None and target.ndim else 0)
    if target is not None and (not target.ndim or len(target) != its.rows or target.ndim > 2):
        raise InputError(f"{y} in {path} has shape {target.shape}: expected ({its.rows},), a target for each row of {x} (or k)")
    for name, one in zip(members(x), its.sets, strict=True):
        behind.item(file, path, name)
        behind.look(one, range(len(one)))
    meant = [PLAIN if target is None else _column(behind, target, path, y, across=False)]
    for name, flag in ((weights, "--weights"), (offset, "--offset")):
        column = _data_set(behind, file, path, name, flag) if name else None
        if column is not None:
            of_rows(column.shape, its.rows, across=False, what=f"{name} in {path}", name=x)
        meant.append(PLAIN if column is None else _column(behind, column, path, name, across=False))
    layouts = ", ".join(dict.fromkeys(map(stored_layout, its.sets)))
    part = FilePart(
        path=path,
        rows=its.rows,
        chunk_rows=1,
        layout=f"sparse, {its.numbers:,} numbers, {layouts}" + ", features first in its shape" * its.turned,
        files=tuple(behind.files),
        spans=tuple(span._replace(first=0, stop=its.rows) for span in behind.files.values()),
        chunk_bytes=behind.chunk_bytes,
        chunks=behind.chunks,
        x=replace(PLAIN, kind=its.dtype),
        y=meant[0],
        weights=meant[1],
        offset=meant[2],
        numbers=its.numbers,
    )
    names = names_of(file, group, its.features, 1, path, x)
    taken = [Taken(0, path, Origin.of(its.sets[0]), f"{x} in {path}", range(its.rows))]
    targets = target.size // its.rows if its.rows and target is not None else 1
    return _Seen(part, its.features, targets, names, behind.plugin, [], taken, _words(target))


def _words(target: h5py.Dataset | None) -> Words:
    return () if target is None else of_file(target)


def _column(behind: Behind, data_set: h5py.Dataset, path: str, name: str, across: bool) -> Meaning:
    """What the numbers stand for of a data set with one or more for each row; ``across``: in the other direction than down."""
    meant = with_sources(meaning(data_set, path, name), behind.look(data_set, range(len(data_set))), f"{name} in {path}")
    return replace(meant, turned=across)


def _taken(path: str, features: h5py.Dataset, sources: Sequence[Source], rows: int) -> Iterator[Taken]:
    """Whatever the rows of a part are rows of: its data set, the sources of that, raw files."""
    here = os.fsdecode(features.file.filename)
    yield Taken(0, path, Origin.of(features), f"{features.name} in {here}", range(rows))
    for one in sources:
        yield from (Taken(0, path, one.origin, f"{one.name} in {one.where}", run) for run in one.rows)
    for raw, (_, start, size) in zip(raw_files(features, here), features.external or (), strict=True):
        yield Taken(0, path, Origin.at(raw), raw, range(start, start + min(size, features.nbytes)), "bytes")


def _in_order(one: _Seen, first: _Seen) -> FilePart:
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
