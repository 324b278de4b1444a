"""The files that a run reads: found by name, and known again by what the file system says of them. It opens none."""

import glob
import os
import re
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from mpi_pgd.errors import InputError

# Opening them, or reading from them, may wait for ever.
NO_FILES = ((stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"), (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"))


class Stamp(NamedTuple):
    """A file as it was when it was looked at."""

    path: str  # absolute, with the links that it was opened through, so that one that leads elsewhere later is noticed
    size: int  # bytes
    changed: int  # nanoseconds
    inode: int  # with the device it tells two files apart, whatever their names; both mean something on one node only
    device: int

    @classmethod
    def of(cls, path: str) -> "Stamp":
        """As it is now; an OSError if it is not there."""
        found = Path(path).stat()
        return cls(os.path.abspath(path), found.st_size, found.st_mtime_ns, found.st_ino, found.st_dev)  # noqa: PTH100  (it keeps links)


class Span(NamedTuple):
    """For which rows a file matters, and whether it is HDF5, not raw numbers."""

    first: int
    stop: int
    hdf5: bool


def named(words: str) -> list[str]:
    """The names in a list of them, with commas between."""
    return [name.strip() for name in words.split(",") if name.strip()]


def find(patterns: Sequence[str]) -> list[str]:
    """The files that the arguments name, globs expanded, in natural order (``part10`` comes after ``part2``); each has to have one.

    Their names are absolute: found again, they are the same files in the same order, wherever that is done.
    """
    paths: list[str] = []
    for pattern in patterns:
        found = [pattern] if os.path.exists(pattern) else glob.glob(pattern, recursive=True)  # noqa: PTH110, PTH207  (a path may be absolute, or climb, or be too long)
        if not found:
            words = "no file matches" if glob.has_magic(pattern) else "there is no file"
            raise InputError(f"{words} {pattern}: give one or more HDF5 files")
        paths += map(os.path.abspath, found)
    return sorted(paths, key=natural)


def regular(path: str | os.PathLike[str]) -> None:
    """Refuse a pipe, a socket or a device, before it is opened; what is not there, or a folder, is left to whoever opens it."""
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):  # the last: a name with a NUL
        return
    for is_one, kind in NO_FILES:
        if is_one(mode):
            raise InputError(f"{os.fspath(path)} is {kind}, not a file: copy what it gives into a file, and give that")


def natural(path: str) -> list[tuple[int, int, str]]:
    """The key by which digits compare as numbers: part2 before part10."""
    pieces = re.split(r"([0-9]+)", path)  # every other one is a number; str.isdigit takes more for one than int
    return [(i % 2, int(piece) if i % 2 else 0, piece) for i, piece in enumerate(pieces) if piece]


def check_unchanged(stamps: Iterable[Stamp], node: str) -> None:
    """Refuse files that have gone, have changed, or were never on this node: rows that are read again have to be those of before.

    ``node`` is where the ``stamps`` were taken. On another one, inodes and devices have other numbers.
    """
    here = os.uname().nodename
    kept = 4 if node == here else 2
    for before in stamps:
        try:
            found = os.stat(before.path)  # noqa: PTH116  (before and after each read: a Path takes several times as long)
        except OSError as error:
            if node != here:
                raise InputError(
                    f"{before.path} is on node {node}, but not on node {here} ({error.strerror}): put it where all nodes see it"
                ) from None
            raise InputError(f"{before.path} has gone since the run began ({error.strerror}): bring it back") from None
        now = found.st_size, found.st_mtime_ns, found.st_ino, found.st_dev
        if now[:kept] != before[1 : 1 + kept]:
            where = "" if node == here else f", or is another file on node {here} than on node {node}"
            raise InputError(f"{before.path} has changed since the run began{where}: fit again, with data that stay as they are")
