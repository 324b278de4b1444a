"""JSON files read, and held against the shape that they should have.

A shape is a dictionary of shapes by key ("?" after a key: it may be missing or null; "*" is every other key), a list of the one
shape of all items, or a word: text, class (a text, or true or false), number, whole, with a bound if need be ("number above 0",
"whole from 2").
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from mpi_pgd.data.files import regular
from mpi_pgd.errors import InputError

Record = Mapping[str, Any]
Shape = dict[str, Any]
PARTS = ("compute", "wait", "wire", "update", "input")  # of a round on one rank; they add up to it


def fields(**keys: str) -> Shape:
    """A shape from the keys of each kind: ``fields(text="name mode?", whole="ranks")``."""
    return {key: kind for kind, words in keys.items() for key in words.split()}


SPLIT = fields(number=" ".join(PARTS))


def document(path: Path) -> Record:
    """The JSON object in a file. Raises InputError: it can't be read, or holds something else."""
    regular(path)
    try:
        value = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair can't be written again
    except OSError as error:
        raise InputError(f"{path} can't be read ({error.strerror}): give a folder whose files can") from None
    except (ValueError, RecursionError) as error:  # undecodable bytes, too
        raise InputError(f"{path} is damaged, it is not JSON ({error}): make it again") from None
    if not isinstance(value, dict):
        damaged(path, "the file", "an object")
    return value


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def check(path: Path, value: Any, shape: Any, where: str = "") -> None:
    """Raise InputError unless ``value``, at ``where`` in the file, has the shape."""
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            damaged(path, where, "an object")
        for key, inner in shape.items():
            name = key.removesuffix("?")
            if key == "*":
                for other in value.keys() - {one.removesuffix("?") for one in shape}:
                    check(path, value[other], inner, f"{where}.{other}".lstrip("."))
            elif name == key or value.get(name) is not None:
                check(path, value.get(name), inner, f"{where}.{name}".lstrip("."))
    elif isinstance(shape, list):
        if not isinstance(value, list):
            damaged(path, where, "a list")
        for place, item in enumerate(value):
            check(path, item, shape[0], f"{where}[{place}]")
    elif not _fits(value, shape):
        damaged(path, where, f"a {shape.replace('whole', 'whole number')}")


def _fits(value: Any, shape: str) -> bool:
    if shape == "text":
        return isinstance(value, str)
    if shape == "class":
        return isinstance(value, str | bool)
    kind, *bound = shape.split()
    if not isinstance(value, int if kind == "whole" else int | float) or isinstance(value, bool):
        return False
    if not abs(value) <= sys.float_info.max:  # nor is NaN
        return False
    return not bound or value > float(bound[1]) or (bound[0] == "from" and value == float(bound[1]))


def damaged(path: Path, where: str, expected: str) -> NoReturn:
    """Raise InputError: what is at ``where`` is something else."""
    raise InputError(f"{path} is damaged, {where} is not {expected}: make it again")
