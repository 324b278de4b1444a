"""What a program gives to ``fit``, as what a run begins from; and settings as files keep them."""

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mpi_pgd.config import Settings
from mpi_pgd.errors import InputError
from mpi_pgd.recovery.resume import Start, begun

SIDES = ("penalty_factors", "groups", "lower", "upper")  # what may be given for each feature


def read_options(data: Any, more: Sequence[Any], options: Mapping[str, Any], who: str = "fit") -> Start:
    """Settings from the arguments of ``who``, a function, and the checkpoint to go on from, if they name one.

    Raises:
        InputError: they can't be used.
    """
    if not all(isinstance(value, str | os.PathLike) for value in more):
        raise InputError(f"{who} was given {len(more) + 1} arguments: expected the name of an HDF5 file, or arrays as X and y")
    if more:
        raise InputError(f"{who} was given {len(more) + 1} files one by one: expected them in a list, {who}([...])")
    found = begun({"quiet": True, **options, **({} if data is None else {"data": data})}, {})
    if not found.settings["data"]:
        raise InputError("no data were given: name one or more HDF5 files, or give arrays X and y")
    return found


def is_array(value: Any) -> bool:
    """Whether it is an array, a table, or a list of numbers, rather than names of files."""
    if isinstance(value, list | tuple):
        return bool(value) and (isinstance(value[0], int | float | np.generic) or is_array(value[0]))
    if hasattr(value, "__dataframe__") or hasattr(value, "tocsr"):
        return True
    shape, kind = getattr(value, "shape", ()), getattr(getattr(value, "dtype", None), "kind", "")
    return hasattr(value, "__array__") and len(shape) > 0 and not (kind in "UO" and len(shape) == 1)


def jsonable(chosen: Settings) -> dict[str, Any]:
    """Settings as JSON has them: None for infinity."""
    return {key: None if value == math.inf else value for key, value in chosen.as_dict().items()}
