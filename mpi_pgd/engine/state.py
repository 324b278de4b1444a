"""A solver's state as numbers for the wire and for a file: nested tuples of arrays of any shape and kind."""

from typing import Any

import numpy as np

from mpi_pgd.engine.arrays import Vector

ROOM = "scratch"  # fields whose names begin so are room to work in, and no part of the state


def dump(state: Any) -> Vector:
    """A state as one array of float64, for ``load``; its length is that of any state of the same solver and size.

    Whole numbers and flags keep their bits, in the place of a float64.
    """
    return np.concatenate([np.zeros(0), *(_floats(part) for part in _parts(state))])


def load(vector: Vector, like: Any) -> Any:
    """The state that ``dump`` made ``vector`` of; ``like`` is any state of the same solver and size."""
    return _loaded(like, iter(np.split(vector, np.cumsum([np.size(part) for part in _parts(like)]))))


def _parts(state: Any) -> list[Any]:
    found = []
    for name, part in zip(state._fields, state, strict=True):
        if not name.startswith(ROOM):
            found += _parts(part) if hasattr(part, "_fields") else [part]
    return found


def _floats(part: Any) -> Vector:
    numbers = np.ravel(part)
    if numbers.dtype.kind in "iub":
        return numbers.astype(np.int64).view(np.float64)
    return numbers.astype(np.float64)


def _loaded(like: Any, parts: Any) -> Any:
    made = []
    for name, old in zip(like._fields, like, strict=True):
        if name.startswith(ROOM):
            made.append(np.empty_like(old))
        elif hasattr(old, "_fields"):
            made.append(_loaded(old, parts))
        else:
            kind, part = np.asarray(old).dtype, next(parts)
            numbers = (part.view(np.int64) if kind.kind in "iub" else part).astype(kind).reshape(np.shape(old))
            made.append(numbers if isinstance(old, np.ndarray) else numbers.item())
    return type(like)(*made)
