"""What users write themselves: functions in a module that can be imported, or in a file of Python."""

import hashlib
import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from mpi_pgd.errors import InputError, nearest

EXPECTED = "expected package.module:function or FILE.py:function"


class Misfit(TypeError):
    """A function of a user's gave what can't be used: in the rounds a bug, which ends all ranks, as the others wait."""


def load(text: str) -> Callable[..., Any]:
    """The function that ``package.module:function`` or ``FILE.py:function`` names.

    A file is run once, and again when it has changed; what lies beside it can be imported, as if it were a script. Modules are
    looked for in the current folder, too. What goes wrong while the user's own lines run is raised as it is, with its traceback.

    Raises:
        InputError: there is no such file, module or function, or it is no Python.
    """
    place, colon, name = text.rpartition(":")
    if not (colon and place and name):
        raise InputError(f"{text} names no function: {EXPECTED}")
    found = _found(text)
    if not callable(found):
        known = [one for one, value in vars(_opened(place)).items() if callable(value) and not one.startswith("_")]
        raise InputError(f"{place} has no function {name}{nearest(name, known)}: {EXPECTED}")
    return found  # type: ignore[no-any-return]


def beside(text: str, what: str) -> Callable[..., Any]:
    """The function that belongs to the one of that name: its attribute ``what``, or else ``name_what`` or ``what`` of its module.

    Raises:
        InputError: there is none.
    """
    place, _, name = text.rpartition(":")
    for found in (_found(f"{text}.{what}"), _found(f"{text}_{what}"), _found(f"{place}:{what}")):
        if callable(found):
            return found  # type: ignore[no-any-return]
    raise InputError(f"{place} has no function {name}_{what}: expected it, or {what}, beside {name}")


def _found(text: str) -> Any:
    """What is called so; None if nothing is."""
    place, _, name = text.rpartition(":")
    found: Any = _opened(place)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _opened(place: str) -> ModuleType:
    return _file(Path(place)) if place.endswith(".py") or os.sep in place else _module(place)


def _file(path: Path) -> ModuleType:
    try:
        source = path.read_bytes()
    except (OSError, ValueError) as error:
        raise InputError(f"can't read {path}: {getattr(error, 'strerror', error)}; {EXPECTED}") from None
    path = path.resolve()
    digest = hashlib.sha256(bytes(path) + b"\0" + source).hexdigest()
    name = f"{path.stem}_{digest[:16]}"
    if name not in sys.modules:
        try:
            code = compile(source, str(path), "exec")
        except (SyntaxError, ValueError) as error:
            line = f", line {error.lineno}," if isinstance(error, SyntaxError) and error.lineno else ""
            raise InputError(f"{path}{line} is no Python: {getattr(error, 'msg', error)}") from None
        made = ModuleType(name)
        made.__file__ = str(path)
        _visible(str(path.parent))
        sys.modules[name] = made  # before its lines run: data classes look for their module there
        try:
            exec(code, made.__dict__)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]


def _module(name: str) -> ModuleType:
    _visible(str(Path.cwd()))  # the console script does not look there by itself
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise InputError(f"there is no module {name}: {EXPECTED}; {error}") from None
        raise  # one that the user's module wants
    except (TypeError, ValueError):  # "..x", "": no name of a module
        raise InputError(f"{name} is no name of a module: {EXPECTED}") from None


def _visible(folder: str) -> None:
    if folder not in sys.path:
        sys.path.append(folder)
