"""A file with the rows of another one, some of them or in another order: names, attributes, types, chunks and filters stay."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import h5py
import numpy as np
from numpy.typing import NDArray

from mpi_pgd.data.columns import Column, Entries, Lengths, Ragged
from mpi_pgd.data.contents import Found, contents
from mpi_pgd.data.filepart import parts_of
from mpi_pgd.data.files import check_unchanged
from mpi_pgd.data.names import names_of
from mpi_pgd.data.opening import opened
from mpi_pgd.data.sparsefile import DATA, INDICES, INDPTR, MEMBERS
from mpi_pgd.data.table import Table
from mpi_pgd.engine.arrays import Rows
from mpi_pgd.errors import printable
from mpi_pgd.system.log import LOG

MADE = "made_by"  # attribute of the file
SHAPES = ("shape", "h5sparse_shape")  # attributes of sparse rows
CACHE = 64 << 20  # bytes of chunks that are being filled


class Order(Protocol):
    """Which rows a file has, and in which order."""

    rows: int

    def column(self, column: Column) -> Iterator[Rows]:
        """What is to be written of a data set, piece by piece."""

    def total(self, ragged: Ragged) -> int:
        """How many units that is of what has another length for each row."""

    def ragged(self, ragged: Ragged) -> Iterator[tuple[Lengths, NDArray[np.void]]]:
        """The same of what has another length for each row, with these."""


Watch = Callable[[tuple[Found, ...]], Iterable[Found]]


def tell(table: Table) -> None:
    """Warn of what will not be in the new file."""
    with opened(table.parts[0].path) as source:
        for name, why in contents(source, table).left:
            LOG.warning(f"{printable(name)} in {table.parts[0].path} {why}: it is left out")


def rewrite(path: Path, table: Table, order: Order, made: str, watch: Watch) -> None:
    """Write the file ``path`` with rows of the ``table``, of one file.

    Args:
        path, table: the new one, and the old.
        order: which rows, and in which order.
        made: a text for the attribute ``made_by``, before what that says already.
        watch: is given what is written, and gives it back one by one, to tell how far it is.
    """
    with opened(table.parts[0].path) as source:
        size = source.userblock_size
        with h5py.File(path, "w", libver=("earliest", "v110"), userblock_size=size, rdcc_nbytes=CACHE) as target:
            found = contents(source, table)
            rows = {each.name for each in found.rows}
            _copy(source, target, "", rows, rows | {name for name, _ in found.left})
            for each in watch(found.rows):
                if each.column is not None:
                    _write(each.column, target, each.name, order)
                elif each.sparse is not None:
                    _write_sparse(each.sparse, target, each.name, order)
            _name(target, table)
            before = target.attrs.get(MADE)
            target.attrs[MADE] = f"{made}; before: {before}" if isinstance(before, str) else made
        check_unchanged(table.parts[0].files, table.node)
        if size:
            with Path(table.parts[0].path).open("rb") as old, path.open("r+b") as new:
                new.write(old.read(size))


def _copy(source: h5py.Group, target: h5py.Group, prefix: str, rows: set[str], not_whole: set[str]) -> None:
    """All that has no rows, links within the file, and the groups."""
    _attributes(source, target)
    for name in source:
        link, where = source.get(name, getlink=True), prefix + name
        if isinstance(link, h5py.SoftLink):
            target[name] = link
        elif where in not_whole and where not in rows:
            continue
        elif isinstance(source.get(name), h5py.Group):
            members = {f"{where}/{member}" for member in MEMBERS} if where in rows else set()
            _copy(source[name], target.create_group(name), f"{where}/", rows, not_whole | members)
        elif where not in not_whole and isinstance(source.get(name), h5py.Dataset):
            source.copy(source[name], target, name)


def _attributes(source: Any, target: Any) -> None:
    """All but references, which lead into the old file."""
    for name in source.attrs:
        kind = source.attrs.get_id(name)
        if not kind.get_type().detect_class(h5py.h5t.REFERENCE):
            made = h5py.h5a.create(target.id, kind.name, kind.get_type(), kind.get_space())
            value = source.attrs[name]
            if not isinstance(value, h5py.Empty):
                _put(made, kind)


def _put(made: h5py.h5a.AttrID, kind: h5py.h5a.AttrID) -> None:
    room = np.empty(kind.shape, kind.dtype)
    kind.read(room)
    made.write(room)


def _write(column: Column, target: h5py.File, name: str, order: Order) -> None:
    shape = list(column.data.shape)
    shape[column.axis] = order.rows
    made = Column(_made(column.data, target, name, tuple(shape)), column.axis)
    done = 0
    for values in order.column(column):
        made.write(done, values)
        done += len(values)


def _write_sparse(group: h5py.Group, target: h5py.File, name: str, order: Order) -> None:
    old = group[MEMBERS[INDPTR]]
    starts = _made(old, target, f"{name}/{MEMBERS[INDPTR]}", (order.rows + 1,))
    starts[0] = 0
    _shape(target[name], len(old) - 1, order.rows)
    total = order.total(Entries(group[MEMBERS[DATA]], old))
    for member in (MEMBERS[DATA], MEMBERS[INDICES]):
        column = Column(_made(group[member], target, f"{name}/{member}", (total,)), 0)
        row, done = 1, 0
        for lengths, units in order.ragged(Entries(group[member], old)):
            column.write(done, units)
            if member == MEMBERS[DATA]:
                starts[row : row + len(lengths)] = np.cumsum(lengths) + done
            row, done = row + len(lengths), done + len(units)


def _shape(group: h5py.Group, before: int, rows: int) -> None:
    """Have the group say how many rows it has now."""
    key = next((key for key in SHAPES if key in group.attrs), "")
    given = group.attrs[key] if key else group["shape"][()]
    given[0 if given[0] == before else 1] = rows
    if key:
        group.attrs.modify(key, given)
    else:
        group["shape"][...] = given


def _made(data: h5py.Dataset, target: h5py.File, name: str, shape: tuple[int, ...]) -> h5py.Dataset:
    """One like ``data``, of another shape, chunked and compressed as that is."""
    plan = data.id.get_create_plist()
    if data.chunks is None:
        plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_obj_track_times(False)
    most = tuple(h5py.h5s.UNLIMITED if new != old else new for new, old in zip(shape, data.shape, strict=True))
    space = h5py.h5s.create_simple(shape, most if data.chunks else shape)
    h5py.h5d.create(target.id, name.encode(), data.id.get_type(), space, plan)
    _attributes(data, target[name])
    return target[name]


def _name(target: h5py.File, table: Table) -> None:
    """Keep the features' names where they stood in what is not copied, as in scales that references lead to."""
    x = target[table.x]
    if table.names and not names_of(target, x, table.features, int(not parts_of(table)[0].x.turned), str(target.filename), table.x):
        target["feature_names"] = np.array(table.names, h5py.string_dtype())
