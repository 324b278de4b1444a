"""What a program gives to ``fit``, as what a run begins from; and settings as files keep them."""

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

from mpi_pgd.config import Settings
from mpi_pgd.errors import InputError
from mpi_pgd.recovery.resume import Start, begun


def read_options(data: Any, more: Sequence[Any], options: Mapping[str, Any], who: str = "fit") -> Start:
    """Settings from the arguments of ``who``, a function, and the checkpoint to go on from, if they name one.

    Raises:
        InputError: they can't be used.
    """
    arrays = [value for value in (data, *more, options.get("X")) if _numbers(value)]
    if arrays or (more and not all(isinstance(value, str | os.PathLike) for value in more)):
        from mpi_pgd.data.foreign import of_arrays  # not at start-up: it looks into archives

        what = "arrays" if arrays else f"{len(more) + 1} arguments"
        words = f"{who} was given {what}: expected the name of an HDF5 file, from which each rank reads its own rows; "
        raise InputError(words + "these three lines make it of arrays X and y (on one rank):", *of_arrays())
    if more:
        raise InputError(f"{who} was given {len(more) + 1} files one by one: expected them in a list, {who}([...])")
    found = begun({"quiet": True, **options, **({} if data is None else {"data": data})}, {})
    if not found.settings["data"]:
        raise InputError("no data were given: name one or more HDF5 files")
    return found


def _numbers(value: Any) -> bool:
    """Whether it is an array, a table, or a list of numbers, rather than names."""
    if isinstance(value, list | tuple):
        return bool(value) and (isinstance(value[0], int | float) or _numbers(value[0]))
    names = str(getattr(value, "dtype", "")).startswith(("<U", "object"))
    return hasattr(value, "__array__") and hasattr(value, "shape") and len(value.shape) > 0 and not names


def jsonable(chosen: Settings) -> dict[str, Any]:
    """Settings as JSON has them: None for infinity."""
    return {key: None if value == math.inf else value for key, value in chosen.as_dict().items()}
