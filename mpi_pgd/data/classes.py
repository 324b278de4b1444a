"""How much each class counts: a file's word, or as much as its rows are few."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mpi_pgd.data.files import regular
from mpi_pgd.data.labels import BALANCED
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.errors import InputError

HEAVIEST = 1e100  # so that its products with weights of rows stay finite
LARGEST = 1 << 20  # bytes of a file: there are at most some thousand classes
EXAMPLE = 'expected a JSON object as in {"0": 1, "1": 2.5}, or TOML, with a weight for each class'


def read_weights(path: str) -> dict[float, float]:
    """A file's weights by class, in the order of the file.

    Raises:
        InputError: it can't be read, or does not say what is expected.
    """
    regular(path)
    try:
        with Path(path).open("rb") as stream:
            content = stream.read(LARGEST).decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"--class-weight {path} can't be read ({error.strerror}): give {BALANCED}, or a file that can") from None
    except UnicodeDecodeError:
        raise InputError(f"--class-weight {path} is not text: {EXAMPLE}") from None
    found: dict[float, float] = {}
    for label, weight in _table(path, content).items():
        value = _number(label)
        if not math.isfinite(value):
            raise InputError(f"--class-weight {path} has a weight for {label}, which is no number: {EXAMPLE}")
        if value in found:
            raise InputError(f"--class-weight {path} has two weights for class {value:g}: expected one")
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight <= HEAVIEST:
            raise InputError(f"--class-weight {path} has {weight!r} for class {value:g}: expected a number from 0 to {HEAVIEST:g}")
        found[value] = float(weight)
    return found


def _table(path: str, content: str) -> Mapping[str, Any]:
    import tomllib  # not at start-up: hardly anyone asks for it

    try:
        table = tomllib.loads(content) if path.endswith(".toml") else json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"--class-weight {path} can't be understood ({error}): {EXAMPLE}") from None
    if not isinstance(table, dict):
        raise InputError(f"--class-weight {path} holds {type(table).__name__}: {EXAMPLE}")
    return table


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def factors(given: Mapping[float, float], classes: Vector, path: str) -> Vector:
    """What the weights of each class's rows are multiplied by, (k,): as a file says, and 1 where it says nothing.

    Raises:
        InputError: it speaks of a class that the data have not.
    """
    other = sorted(set(given) - set(classes.tolist()))
    if other:
        shown = ", ".join(f"{value:g}" for value in classes[:6]) + ", ..." * (len(classes) > 6)
        raise InputError(
            f"--class-weight {path} has a weight for class {other[0]:g}, and the classes are {shown}: name those alone"
        )
    return np.array([given.get(value, 1.0) for value in classes.tolist()])


def balanced(sums: Vector) -> Vector:
    """What makes classes count alike: W / (k W_class), (k,), from the ``sums`` (k,) of their rows' weights.

    Classes without weight are no classes here.
    """
    there = sums > 0
    return np.divide(math.fsum(sums), np.count_nonzero(there) * sums, out=np.ones(len(sums)), where=there)
