"""What a person gave as the value of a setting: text, or what Python has, read as the setting's type, or refused."""

import math
import operator
import os
import re
from collections.abc import Mapping
from dataclasses import Field
from typing import Any

from mpi_pgd.errors import InputError, nearest

LONGEST = 4096  # characters of a text: of a path, by Linux
SHOWN = 300  # characters of a value in a sentence


def period(every: str) -> tuple[float, int]:
    """Seconds and rounds of ``--every``; one of them is inf or 0, for never."""
    return (math.inf, int(every.removesuffix("rounds"))) if every.endswith("rounds") else (float(every.removesuffix("s")), 0)


def size(text: str) -> float:
    """Bytes of ``--memory``; inf for what there is. Raises ValueError: it is no size."""
    if text == "auto":
        return math.inf
    found = re.fullmatch(r"(\d+|\d*\.\d+)\s*([KMGT]?)(iB)?", text, re.ASCII)
    if not found:
        raise ValueError
    return float(found[1]) * 2.0 ** (10 * " KMGT".index(found[2] or " "))


def plain(value: Any) -> Any:
    """Numpy's scalars as Python's own, and paths as text; what else there is, unchanged."""
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        value = value.item()
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    return str(value) if isinstance(value, str) else value  # numpy's text is a class of its own


def names(value: Any) -> tuple[str, ...]:
    """The names of files that are data. Raises InputError: it is something else."""
    given = plain(value)
    files = [given] if isinstance(given, str) else given.tolist() if hasattr(given, "tolist") else given
    found: list[Any] = [plain(file) for file in files] if isinstance(files, list | tuple) else [None]
    if not all(isinstance(name, str) for name in found):
        raise InputError(f"data was given {_brief(value)}: expected the name of an HDF5 file, or several")
    if any("\0" in name or len(name) > LONGEST for name in found):
        raise InputError(f"data was given {_brief(value)}: expected names of at most {LONGEST} characters, and NUL is none of them")
    return tuple(found)


def _brief(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def checked(option: Field[Any], value: Any, called: str, synonyms: Mapping[str, str]) -> Any:
    """A value as that of an option of which people speak as ``called``. Raises InputError: it can't be one."""
    try:
        typed = _typed(option.type, plain(value))
        good = option.metadata["check"](typed)
    except (TypeError, ValueError, OverflowError):
        good = False
    if not good:
        hint = nearest(value, option.metadata["choices"], synonyms) if isinstance(value, str) else ""
        raise InputError(f"{called} was given {_brief(value)}{hint}: expected {option.metadata['expected']}")
    return typed


def _typed(wanted: Any, value: Any) -> Any:
    """``value`` as the type of a field; text is read as the type, another type is refused, but a whole number is a number.

    Where both text and numbers are taken, it is a number if it can be read as one.
    """
    if isinstance(value, bool) != (wanted is bool) or (wanted is str and not isinstance(value, str)):
        raise TypeError
    if isinstance(value, str) and ("\0" in value or len(value) > LONGEST):  # no name of a file or a data set
        raise ValueError
    if wanted is bool or wanted is str:
        return value
    whole = wanted in (int, str | int)
    try:
        return float(value) if not whole else int(value) if isinstance(value, str) else operator.index(value)
    except ValueError:
        if wanted in (int, float):
            raise
        return value
