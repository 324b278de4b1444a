"""Numbers, arrays, and dicts, lists and tuples of them, nested: as vectors, and back.

A *form* is such a value with a ``Leaf`` in place of each number or array. Forms can be compared, pickled and printed.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.errors import InputError

EXPECTED = "expected a number, an array, or a dict, list or tuple of them"
EXACT = 2**53  # whole numbers up to it are float64s


@dataclass(frozen=True)
class Leaf:
    """An array, or a number: what is no float is a whole number."""

    shape: tuple[int, ...]
    whole: bool
    number: bool  # no array, but a number of Python's or numpy's

    @property
    def size(self) -> int:
        """How many numbers."""
        return math.prod(self.shape)

    def __str__(self) -> str:
        kind = "whole number" if self.whole else "number"
        return f"a {kind}" if self.number else f"an array of {kind}s of shape {self.shape}"


def form(value: Any) -> Any:
    """The form of ``value``; ``InputError`` if it has one that is not known."""
    if isinstance(value, dict):
        return {key: form(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return _made(value, [form(part) for part in value])
    kind = getattr(getattr(value, "dtype", None), "kind", None) or np.asarray(value).dtype.kind
    if kind not in "fiub" or (kind == "f" and np.asarray(value).itemsize > 8):
        raise InputError(f"{type(value).__name__}{f' of {value.dtype}' if hasattr(value, 'dtype') else ''}: {EXPECTED}")
    return Leaf(np.shape(value), kind != "f", np.ndim(value) == 0)


def told(like: Any) -> str:
    """A form in words."""
    if isinstance(like, dict):
        return "{" + ", ".join(f"{key!r}: {told(part)}" for key, part in like.items()) + "}"
    if isinstance(like, Leaf):
        return str(like)
    return f"{type(like).__name__}({', '.join(map(told, like))})"


def width(like: Any) -> int:
    """How many numbers a value of this form has."""
    return sum(leaf.size for leaf in leaves(like))


def leaves(like: Any) -> list[Leaf]:
    """Of a form, in the order in which their numbers lie in a vector."""
    if isinstance(like, Leaf):
        return [like]
    return [leaf for part in (like.values() if isinstance(like, dict) else like) for leaf in leaves(part)]


def write(value: Any, like: Any, out: Vector) -> None:
    """The numbers of ``value`` into ``out`` (width,); ``InputError`` if its form is not ``like``, or a whole number too large."""
    found = form(value)
    if found != like:
        raise InputError(f"{told(found)} in place of {told(like)}")
    _write(value, like, out, 0)


def _write(value: Any, like: Any, out: Vector, place: int) -> int:
    if not isinstance(like, Leaf):
        for key in like if isinstance(like, dict) else range(len(like)):
            place = _write(value[key], like[key], out, place)
        return place
    size = like.size
    array = np.asarray(value)
    if like.whole and size and max(int(array.max()), -int(array.min())) > EXACT:
        raise InputError("a whole number beyond 2**53, which float64 does not hold exactly")
    out[place : place + size] = array.ravel()
    return place + size


def read(vector: Vector, like: Any, part: Callable[[Vector, Leaf], Any]) -> Any:
    """The value of the form ``like`` that lies in ``vector`` (width,); ``part`` makes a leaf's numbers what they were."""
    parts = iter(np.split(vector, np.cumsum([leaf.size for leaf in leaves(like)])))
    return _read(parts, like, part)


def _read(parts: Any, like: Any, leaf: Callable[[Vector, Leaf], Any]) -> Any:
    if isinstance(like, Leaf):
        return leaf(next(parts), like)
    if isinstance(like, dict):
        return {key: _read(parts, part, leaf) for key, part in like.items()}
    return _made(like, [_read(parts, part, leaf) for part in like])


def view(part: Vector, like: Leaf) -> Any:
    """A part as it is: an array of floats is a view."""
    return floats(part.astype(np.int64) if like.whole else part, like)


def floats(part: Any, like: Leaf) -> Any:
    """A part in its shape; whole numbers may be floats now."""
    return part.item() if like.number else part.reshape(like.shape)


def shaped(vector: Any, like: Any) -> Any:
    """Numbers, such as ``Result.coef``, as what ``like`` is: an array, or dicts, lists and tuples of arrays.

    Args:
        vector: (size,) float64.
        like: what the ``init`` of the model gave, or anything of the same shapes.

    Raises:
        InputError: they are not as many.
    """
    numbers, found = np.asarray(vector, dtype=np.float64), form(like)
    if numbers.shape != (width(found),):
        raise InputError(f"the numbers are of shape {numbers.shape}: expected ({width(found)},) for {told(found)}")
    return read(numbers, found, floats)


def _made(like: Any, parts: list[Any]) -> Any:
    return type(like)(*parts) if hasattr(like, "_fields") else type(like)(parts)
