"""Rows that would count twice: a file that was given twice, whatever its names are, or two ways to one data set."""

import os
from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import h5py

from mpi_pgd.errors import InputError


class Origin(NamedTuple):
    """A data set as the file system and HDF5 know it, whatever names and links lead to it."""

    device: int
    inode: int
    address: int

    @classmethod
    def of(cls, data_set: h5py.Dataset) -> "Origin":
        """Of an open data set."""
        return cls.at(os.fsdecode(data_set.file.filename), h5py.h5o.get_info(data_set.id).addr)

    @classmethod
    def at(cls, path: str, address: int = -1) -> "Origin":
        """Of what lies at an address of a file, or of a file that is not HDF5."""
        found = Path(path).stat()
        return cls(found.st_dev, found.st_ino, address)


class Taken(NamedTuple):
    """Rows that a part of a table takes from a data set."""

    part: int  # its number
    path: str  # of its file, as it was given
    of: Origin  # whose rows
    name: str  # of that data set, in words
    rows: range  # which
    unit: str = "rows"  # what is counted, if it is not rows


END = attrgetter("rows.stop")


def check_once(taken: Sequence[Taken]) -> None:
    """Refuse rows that are in two parts of a table; what a virtual data set does within itself is its own affair."""
    furthest: list[Taken] = []  # that which ends last, and that of the others' which does
    for one in sorted(taken, key=lambda one: (one.of, one.rows.start)):
        furthest = furthest if furthest and furthest[0].of == one.of else []
        for before in furthest:
            if before.part != one.part and one.rows.start < before.rows.stop:
                raise InputError(_twice(before, one))
        mine = [before for before in furthest if before.part == one.part] + [one]
        others = [before for before in furthest if before.part != one.part]
        furthest = sorted([max(mine, key=END), *others], key=END)[:-3:-1]


def _twice(one: Taken, other: Taken) -> str:
    if one.path == other.path:
        return f"{one.path} is given twice, and its rows would count twice: give it once"
    if Path(one.path).samefile(other.path):
        return f"{one.path} and {other.path} are the same file, and its rows would count twice: give it once"
    rows = f"{one.unit} {other.rows.start} to {min(one.rows.stop, other.rows.stop) - 1} of {one.name}"
    return f"{one.path} and {other.path} both lead to {rows}, which would count twice: give one of them"
