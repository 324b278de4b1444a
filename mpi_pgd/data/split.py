"""Rows on two sides, each by a hash: it stays where it is when other rows are added."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from mpi_pgd.data.columns import Entries, runs
from mpi_pgd.data.filepart import parts_of
from mpi_pgd.data.hashes import Hashes, mixed, of_values
from mpi_pgd.data.names import place_of
from mpi_pgd.data.opening import data_sets, opened
from mpi_pgd.data.picked import Picked
from mpi_pgd.data.placing import place
from mpi_pgd.data.rewritten import Watch, rewrite, tell
from mpi_pgd.data.sparsefile import MEMBERS
from mpi_pgd.data.table import Table
from mpi_pgd.engine.arrays import Rows
from mpi_pgd.errors import InputError, nearest

STEP = 1 << 20  # rows that are hashed at a time


def split(table: Table, train: str, test: str, share: float, by: str, seed: int, force: bool, watch: Watch) -> tuple[int, int]:
    """Write about ``share`` of the rows of a table of one file to ``test`` and the others to ``train``; how many each has.

    Args:
        table, train, test: what is split, and the files to make.
        share: of the rows that are tested with, between 0 and 1.
        by: a data set or a feature, of which equal values are on one side; none: the row's number decides.
        seed: another one, other sides.
        force: other files may be replaced.
        watch: see ``rewrite``.

    Raises:
        InputError: a side would have no rows, there is no such feature, or a file can't be written.
    """
    sides = np.concatenate([np.packbits(side) for side in _sides(table, share, by, seed)])
    tested, trained = Picked(sides, table.rows), Picked(~sides, table.rows)
    source = Path(table.parts[0].path).name
    how = f"--test {share:g} --by {by or 'row'} --seed {seed}"
    for path, order in ((train, trained), (test, tested)):
        if not order.rows:
            raise InputError(
                f"{path} would have none of the {table.rows:,} rows, with {how}: expected some on either side; take another "
                f"--test, --by or --seed"
            )
    tell(table)
    place(
        "data split",
        [
            (path, partial(rewrite, table=table, order=order, made=f"data split {how}: {side} rows of {source}", watch=watch))
            for path, order, side in ((train, trained, "train"), (test, tested, "test"))
        ],
        [stamp.path for stamp in table.parts[0].files],
        force,
    )
    return trained.rows, tested.rows


def _sides(table: Table, share: float, by: str, seed: int) -> Iterator[NDArray[np.bool_]]:
    """Which rows are tested with, so many at a time that they fill bytes."""
    bound = np.uint64(int(share * 2.0**64))
    with opened(table.parts[0].path) as file:
        hashes = _of_column(file, table, by, seed) if by else partial(_of_numbers, seed)
        for start in range(0, table.rows, STEP):
            yield hashes(range(start, min(start + STEP, table.rows))) < bound


def _of_numbers(seed: int, rows: range) -> Hashes:
    return mixed(np.arange(rows.start, rows.stop, dtype=np.uint64), seed)


def _of_column(file: h5py.File, table: Table, by: str, seed: int) -> Callable[[range], Hashes]:
    """The hashes of rows, of the values of a data set or a feature."""
    path, x = table.parts[0].path, file[table.x]
    item = file.get(by)
    if isinstance(item, h5py.Dataset):
        if item.shape not in ((table.rows,), (table.rows, 1)):
            raise InputError(f"--by {by} in {path} has shape {item.shape}: expected ({table.rows},), a value for each row")
        return lambda rows: of_values(item[rows.start : rows.stop].ravel(), seed)
    feature = place_of(by, table.names, table.features)
    if feature < 0:
        known = [*table.names, *data_sets(file)]
        raise InputError(
            f"--by was given {by}{nearest(by, known)}: expected a feature or a data set of {path}, a value for each row"
        )
    if isinstance(x, h5py.Group):
        return lambda rows: of_values(_sparse(x, rows, feature), seed)
    if parts_of(table)[0].x.turned:
        return lambda rows: of_values(x[feature, rows.start : rows.stop], seed)
    return lambda rows: of_values(x[rows.start : rows.stop, feature], seed)


def _sparse(group: h5py.Group, rows: range, feature: int) -> Rows:
    """Of sparse rows, (rows,) of one feature."""
    data, indices, starts = (group[name] for name in MEMBERS)
    found = np.zeros(len(rows), data.dtype)
    for some, lengths in runs(Entries(data, starts), rows):
        first = int(starts[some.start])
        here = np.s_[first : first + int(lengths.sum())]
        hits = np.flatnonzero(indices[here] == feature)
        owners = np.repeat(np.arange(len(some)), lengths)[hits]
        found[some.start - rows.start + owners] = data[here][hits]
    return found
