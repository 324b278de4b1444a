"""The features' names, and files whose columns are in another order."""

import math
from array import array
from collections import Counter
from collections.abc import Iterable
from typing import Any

import h5py
import numpy as np

from mpi_pgd.data.categories import text
from mpi_pgd.data.orientation import scales
from mpi_pgd.errors import InputError, printable

Names = tuple[str, ...]
LONGEST = 1000  # characters of a name: it stands in tables and pictures


def names_of(file: h5py.File, x: h5py.Dataset | h5py.Group, features: int, axis: int, path: str, name: str) -> Names:
    """The names that the file gives to the features, along ``axis`` of ``x``; empty if none, refused if not as many."""
    given = x.attrs.get("feature_names")
    if given is None:
        given = file.get("feature_names")
    if given is None or isinstance(given, h5py.Group):
        given = _elsewhere(file, x, features, axis)
        return _texts(given, file, path) if given is not None else ()
    shape = getattr(given, "shape", ())  # a single text has none
    size = 0 if shape is None else math.prod(shape)
    if size != features:
        raise InputError(f"{name} in {path} has {features} features and {size} feature_names: give each a name, or none")
    return _texts(given, file, path)


def _elsewhere(file: h5py.File, x: h5py.Dataset | h5py.Group, features: int, axis: int) -> h5py.Dataset | None:
    """Where AnnData, pandas and netCDF keep names."""
    own = printable(x.name)
    var = file.get("var") if own == "/X" or own.startswith("/layers/") else None
    candidates = [var.get(text(var.attrs.get("_index")))] if isinstance(var, h5py.Group) else []
    candidates.append(file.get(f"{own}/features/id"))  # of 10x Genomics
    if own.endswith("_values"):
        candidates.append(x.file.get(f"{own.removesuffix('_values')}_items"))
    candidates += [scale for scale in scales(x, axis) if scale.dtype.kind in "SO"]
    return next((found for found in candidates if isinstance(found, h5py.Dataset) and found.shape == (features,)), None)


def _texts(given: Any, file: h5py.File, path: str) -> Names:
    if given.dtype.kind == "S" and given.dtype.itemsize > 4 * LONGEST:  # all of them might not fit into memory
        raise _too_long(path, given.dtype.itemsize, "bytes")
    values = np.asarray(given[()] if isinstance(given, h5py.Dataset) else given).ravel().tolist()
    names = [_spelled(file[value][()]) if isinstance(value, h5py.Reference) else value for value in values]
    size = max((len(name) for name in names if isinstance(name, str | bytes)), default=0)
    if size > LONGEST:
        raise _too_long(path, size, "characters")
    return tuple(map(printable, names))


def _too_long(path: str, size: int, unit: str) -> InputError:
    return InputError(f"{path} has feature_names of {size:,} {unit}: expected at most {LONGEST:,} characters, give shorter ones")


def _spelled(signs: Any) -> object:
    """A text in a cell of MATLAB's, of which each sign is a number."""
    return "".join(map(chr, signs.ravel())) if isinstance(signs, np.ndarray) and signs.dtype == np.uint16 else signs


def places(names: Names, path: str, first: Names, first_path: str) -> "array[int]":
    """The column of the table, named as in the ``first`` file, for each column of another file; empty if they are the same.

    Refuses names that don't tell.
    """
    if names == first:
        return array("q")
    for has, mine, lacks, its in ((path, names, first_path, first), (first_path, first, path, names)):
        if mine and not its:
            raise InputError(
                f"{has} has feature_names and {lacks} has none, so that nobody can tell whether their columns are in one order: "
                f"name them in all files, or in none"
            )
    for where, found in ((first_path, first), (path, names)):
        twice = repeated(found)
        if twice:
            raise InputError(
                f"{where} has two features {twice}, and {path} and {first_path} have theirs in different orders, "
                f"so that nobody can tell which is which: give each a name of its own"
            )
    other = set(names) - set(first)
    if other:
        example, absent = min(other), min(set(first) - set(names))
        raise InputError(
            f"{path} has the feature {example}, which {first_path} has not ({len(other)} differ; that has {absent}, for example): "
            f"files read as one table need the same features"
        )
    there = {name: place for place, name in enumerate(first)}
    return array("q", map(there.__getitem__, names))


def called(names: Names, columns: Iterable[int]) -> list[str]:
    """Those of some columns: x and the number from 0 if they have none."""
    return [names[column] if names else f"x{column}" for column in columns]


def place_of(name: str, names: Names, features: int) -> int:
    """The feature that is called so, as of ``called``; -1 if there is none."""
    if names:
        return names.index(name) if name in names else -1
    digits = name.removeprefix("x")
    found = int(digits) if name != digits and digits.isdecimal() and len(digits) < LONGEST else -1
    return found if name == f"x{found}" and found < features else -1


def repeated(names: Names) -> str:
    """One of those that occur twice; empty if none does."""
    if len(set(names)) == len(names):
        return ""
    return next(name for name, times in Counter(names).items() if times > 1)
