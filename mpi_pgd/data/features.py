"""What the user gives for each feature, read from the data sets that the settings name: once, by one rank."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import h5py
import numpy as np

from mpi_pgd.data.behind import Behind
from mpi_pgd.data.decode import read_whole
from mpi_pgd.data.meaning import meaning
from mpi_pgd.data.opening import data_sets, opened
from mpi_pgd.data.sides import Sides
from mpi_pgd.data.sources import with_sources
from mpi_pgd.data.table import Part, Table
from mpi_pgd.engine.arrays import Rows, Vector
from mpi_pgd.errors import InputError, nearest

Side = str | float | Sequence[float] | Rows
LARGEST = 2.0**53  # of a group's number: all whole ones below it are told apart


class _Wanted(NamedTuple):
    """A setting, what its values are expected to be, and which are so."""

    flag: str
    expected: str
    good: Callable[[Vector], Rows]


_FACTORS = _Wanted("--penalty-factors", "a finite number, and none below 0", lambda values: (values >= 0) & (values < np.inf))
_GROUPS = _Wanted("--groups", "a whole number", lambda values: (np.rint(values) == values) & (np.abs(values) < LARGEST))
_LOWER = _Wanted("--lower", "a finite number, or -inf for none", lambda values: values < np.inf)
_UPPER = _Wanted("--upper", "a finite number, or inf for none", lambda values: values > -np.inf)


def read_sides(table: Table, penalty_factors: Side, groups: Side, lower: Side, upper: Side) -> Sides:
    """What the settings name, of the first file that has it, or are; an empty text names nothing, a number is one for all features.

    Raises:
        InputError: it is not there, or not what it has to be.
    """
    numbers = _vector(table, _GROUPS, groups)
    found = Sides(
        factors=_vector(table, _FACTORS, penalty_factors),
        groups=None if numbers is None else numbers.astype(np.int64),
        lower=_vector(table, _LOWER, lower),
        upper=_vector(table, _UPPER, upper),
    )
    if found.lower is not None and found.upper is not None and (found.lower > found.upper).any():
        place = int(np.argmax(found.lower > found.upper))
        raise InputError(
            f"feature {place} has the lower bound {found.lower[place]:g} and the upper one {found.upper[place]:g}: expected "
            f"--lower to be at most --upper"
        )
    return found


def _vector(table: Table, wanted: _Wanted, given: Side) -> Vector | None:
    if isinstance(given, int | float):
        return np.full(table.features, float(given))
    if not isinstance(given, str):
        return _good(wanted, _numbers(wanted, given, table.features), wanted.flag, "")
    if not given:
        return None
    part, values = _found(table, wanted, given)
    _good(wanted, values, f"{given} in {part.path}", ", as in that file")
    if not part.columns:
        return values
    ordered = np.empty_like(values)
    ordered[np.asarray(part.columns)] = values
    return ordered


def _good(wanted: _Wanted, values: Vector, what: str, counted: str) -> Vector:
    good = wanted.good(values)
    if not good.all():
        place = int(np.argmin(good))
        raise InputError(
            f"{what} is {values[place]:g} for feature {place}: {wanted.flag} expects {wanted.expected} "
            f"(features are counted from 0{counted})"
        )
    return values


def _numbers(wanted: _Wanted, given: Any, features: int) -> Vector:
    """Of an array, one for each feature."""
    try:
        found = np.asarray(given).astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{wanted.flag} was given what is no array of numbers ({error}): expected ({features},)") from None
    if found.shape not in ((features,), (features, 1), (1, features)):
        raise InputError(f"{wanted.flag} has shape {found.shape}: expected ({features},), a number for each feature")
    return found.ravel()


def _found(table: Table, wanted: _Wanted, name: str) -> tuple[Part, Vector]:
    """The first file that has the data set, and what is in it, (p,)."""
    listed: list[str] = []
    for part in table.parts:
        behind = Behind()
        with opened(part.path) as file:
            item = behind.item(file, part.path, name)
            if isinstance(item, h5py.Dataset):
                return part, _read(behind, item, part.path, name, table.features)
            listed = listed or data_sets(file)
    raise InputError(
        f"{table.parts[0].path} has no data set {name}{nearest(name, listed)}{', nor has another file' * (len(table.parts) > 1)}: "
        f"name the right one with {wanted.flag}, with a number for each feature"
    )


def _read(behind: Behind, data_set: h5py.Dataset, path: str, name: str, features: int) -> Vector:
    if data_set.shape not in ((features,), (features, 1), (1, features)):
        raise InputError(f"{name} in {path} has shape {data_set.shape}: expected ({features},), a number for each feature")
    meant = with_sources(meaning(data_set, path, name), behind.look(data_set, range(len(data_set))), f"{name} in {path}")
    values, bad = read_whole(data_set, meant)
    missing = np.isnan(values) if bad is None else bad | np.isnan(values)
    if missing.any():
        raise InputError(f"{name} in {path} has no value for feature {int(np.argmax(missing))}: every feature needs one")
    return values
