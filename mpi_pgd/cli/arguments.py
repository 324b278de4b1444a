"""Flags, read by one rank: a parser that complains in one sentence, and the settings of a fit. The other ranks don't import it."""

import argparse
import os
import stat
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from mpi_pgd import config
from mpi_pgd.cli.commands import COMMANDS
from mpi_pgd.errors import InputError, nearest

if TYPE_CHECKING:
    from mpi_pgd.recovery.resume import Start

WIDTH = 80  # of what is no terminal
SHIPPED = Path(__file__).parents[1] / "data" / "diamonds.h5"


class Page(argparse.RawDescriptionHelpFormatter):
    """As wide as the terminal. argparse would ask ``shutil``, also where no page is shown: then each run loads compressors."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


def _columns() -> int:
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given):
        return int(given)
    with suppress(ValueError, OSError, AttributeError):  # no terminal; closed; no stream at all
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or WIDTH  # type: ignore[union-attr]
    return WIDTH


class Parser(argparse.ArgumentParser):
    """Complains in one sentence."""

    def __init__(self, usage: str, description: str) -> None:
        super().__init__("mpi_pgd", usage, description, allow_abbrev=False, formatter_class=Page)

    def error(self, message: str) -> NoReturn:
        """Not argparse's exit."""
        raise InputError(f"{message}; see --help")

    def read(self, words: Sequence[str]) -> argparse.Namespace:
        """The known flags; an unknown one is named, with the nearest that there is."""
        arguments, unknown = self.parse_known_intermixed_args(words)
        if unknown:
            flags = [word for word in unknown if word.startswith("-")]
            word = (flags or unknown)[0].split("=")[0]
            known = [flag for action in self._actions for flag in action.option_strings]
            raise InputError(f"unknown flag {word}{nearest(word, known)}: see --help for those that there are")
        return arguments

    def add_quiet(self) -> None:
        """Of commands that take no settings of a fit."""
        self.add_argument("--quiet", action="store_true", help=config.OPTIONS["quiet"].metadata["text"])

    def add_settings(self, names: Iterable[str]) -> None:
        """The data, settings of a fit as flags, and --config."""
        self.add_argument("data", nargs="*", metavar="DATA", help=config.FILES)
        for name in names:
            self.add_setting(name)
        self.add_argument("--config", metavar="FILE.toml", help="settings by these names, - or _; flags win")

    def add_setting(self, name: str) -> None:
        """One setting of a fit as a flag, as it says of itself; None if it is not given."""
        option = config.OPTIONS[name]
        text, group = option.metadata["text"], self._group(option.metadata["group"])
        if option.default is True:
            group.add_argument(config.flag(name), action=argparse.BooleanOptionalAction, help=f"{text} (default: on)")
        elif option.type is bool:
            group.add_argument(config.flag(name), action="store_const", const=True, help=text)
        else:
            shown = "|".join(option.metadata["choices"]) or name.upper()
            default = "" if option.default in ("", float("inf")) else f" (default: {option.default})"
            group.add_argument(config.flag(name), metavar=shown, help=text + default)

    def _group(self, title: str) -> argparse._ArgumentGroup:
        return next((group for group in self._action_groups if group.title == title), None) or self.add_argument_group(title)


def number(arguments: argparse.Namespace, name: str, kind: type[int] | type[float], least: float | None = None) -> Any:
    """A flag's value as a number.

    Raises:
        InputError: it is none, or below ``least``.
    """
    given = getattr(arguments, name.replace("-", "_"))
    what = "a whole number" if kind is int else "a number"
    if least is not None:
        what += f" of at least {least:g}"
    try:
        value = kind(given)
        good = least is None or value >= least
    except (TypeError, ValueError):
        good = False
    if not good:
        raise InputError(f"--{name} was given {given!r}: expected {what}")
    return value


def shipped() -> str:
    """The data that come with the program."""
    if SHIPPED.exists():
        return str(SHIPPED)
    raise InputError(f"no data was given, and the shipped {SHIPPED} is not there: name one or more HDF5 files")


def settings(arguments: argparse.Namespace, **defaults: Any) -> config.Settings:
    """Defaults, then the TOML file, then the flags; the shipped data if none are given."""
    return config.settings(begun(arguments, **defaults).settings)


def begun(arguments: argparse.Namespace, **defaults: Any) -> "Start":
    """As ``settings``, with the checkpoint to go on from, if it names one: each file is read once."""
    from mpi_pgd.recovery import resume

    given = {name: value for name, value in vars(arguments).items() if value is not None and name in {*config.OPTIONS, "data"}}
    path = arguments.config
    if not given["data"]:
        del given["data"]
    elif given["data"][0] in COMMANDS and not Path(given["data"][0]).exists():
        raise InputError(f"{given['data'][0]} is a command: it comes first, as in python -m mpi_pgd {given['data'][0]}")

    def label(name: str) -> str:
        if name in given:
            return name if name == "data" else config.flag(name)
        return f"{name} in {path}" if path else config.flag(name)

    told = {**({} if path is None else _toml(path)), **given}
    found = resume.begun(told, defaults, label)
    if path:
        from mpi_pgd.session import places
        from mpi_pgd.system import conflicts

        conflicts.protect(places.targets(config.settings(found.settings)), [path])
    return found if found.settings["data"] else found._replace(settings=found.settings | {"data": (shipped(),)}, shipped=True)


def _toml(path: str) -> dict[str, Any]:
    """Settings by name, from the top of the file or its table [fit]."""
    import tomllib

    try:
        values = tomllib.loads(_decoded(path))
    except InputError:
        raise
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits and endless brackets, too
        raise InputError(f"--config {path} is not TOML: {error}") from None
    table = values.pop("fit") if isinstance(values.get("fit"), dict) else {}
    for name, value in values.items():
        if isinstance(value, dict) or name == "fit":
            raise InputError(f"--config {path} has a table [{name}]: expected settings without a table, or in one named [fit]")
    told: dict[str, Any] = {}
    for name, value in [*values.items(), *table.items()]:
        setting = name.replace("-", "_")
        if setting in told:
            raise InputError(f"--config {path} sets {setting} twice: expected it once")
        told[setting] = value
    return told


def _decoded(path: str) -> str:
    """The text of a settings file: UTF-8, with or without a byte order mark."""
    try:
        regular = stat.S_ISREG(Path(path).stat().st_mode)  # a pipe would be waited for
        content = Path(path).read_bytes() if regular else b""
    except OSError as error:
        raise InputError(f"--config {path} can't be read ({error.strerror}): give a TOML file") from None
    if not regular:
        raise InputError(f"--config {path} is not a regular file: give a TOML file")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"--config {path} is written in UTF-16: save it as UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InputError(
            f"--config {path} is not UTF-8 (byte 0x{content[error.start]:02x} in line {line}): save it as UTF-8"
        ) from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise InputError(f"--config {path} is not text, it has the character NUL in line {line}: save it as UTF-8 text")
    return text
