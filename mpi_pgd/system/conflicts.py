"""What is there already where something is to be written, and is not to be lost."""

import os
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from mpi_pgd.errors import InputError

Judge = Callable[[Path], str]  # why the file there, an ordinary one, is not to be replaced; nothing if it may be


def spare(flag: str, judges: Mapping[Path, Judge], force: bool) -> None:
    """Refuse to replace what the program did not write, or what is of another problem.

    Args:
        flag: what the user gave, as in ``--out DIR``.
        judges: of each file that is to be written.
        force: the user has said that it may be replaced; folders and devices may not.

    Raises:
        InputError: there is such a file.
    """
    for path, judge in judges.items():
        try:
            mode = path.stat().st_mode
        except OSError:
            continue  # nothing there; that it can't be written is found out by writing
        if not stat.S_ISREG(mode):
            what = "a folder" if stat.S_ISDIR(mode) else "no ordinary file"
            raise InputError(f"{flag} can't be written, as {path} is {what}: move it away, or give another place")
        why = "" if force else judge(path)
        if why:
            raise InputError(f"{flag} would overwrite {path}, which {why}: give another place, or --force to overwrite it")


def protect(targets: Sequence[tuple[Path, str]], inputs: Iterable[str | Path]) -> None:
    """Refuse to write over what this run reads, whatever it is called there, and to write two things into one place.

    Args:
        targets: each file or folder that is to be written, and what the user gave for it, as in ``--out DIR``.
        inputs: files that are read.

    Raises:
        InputError: a file is both, or two targets are one.
    """
    seen: dict[str, str] = {}
    for path, flag in targets:
        other = seen.setdefault(os.path.realpath(path), flag)
        if other is not flag:
            raise InputError(f"{other} and {flag} would both write {path}: give two places")
    there = {identity: (path, flag) for path, flag in targets if (identity := _identity(path))}
    for name in inputs if there else ():
        found = there.get(_identity(name))
        if found:
            raise InputError(f"{found[1]} would overwrite {found[0]}, which this run reads: give another place")


def _identity(path: str | Path) -> tuple[int, ...]:
    with suppress(OSError):
        found = Path(path).stat()
        return found.st_dev, found.st_ino
    return ()
