"""Files that an action of ``data`` makes, all of them or none."""

import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import h5py

from mpi_pgd.data.rewritten import MADE
from mpi_pgd.errors import InputError
from mpi_pgd.system import conflicts, output
from mpi_pgd.system.placed import of_file, told


def place(action: str, contents: Sequence[tuple[str, output.Content]], inputs: Iterable[str], force: bool) -> None:
    """Write the files.

    Args:
        action: as in ``data split``; a file that was made by the same may be replaced.
        contents: each of them, and what writes it.
        inputs: files that are read, and so are never written over.
        force: any other file may be replaced, too.

    Raises:
        InputError: one can't be written, or would be lost.
    """
    files = {Path(os.path.realpath(path)): (path, content) for path, content in contents}
    for path, _ in contents:
        _check(path)
    conflicts.protect([(Path(path), f"{action} {path}") for path, _ in contents], inputs)
    with ExitStack() as claims:
        for file, (path, _) in files.items():
            claims.enter_context(of_file(f"{action} {path}", path))
            conflicts.spare(f"{action} {path}", {file: lambda path: _foreign(path, action)}, force)
        with told(" and ".join(path for path, _ in contents)):
            output.replace({file: content for file, (_, content) in files.items()})


def _check(path: str) -> None:
    folder = Path(path).parent
    if not os.path.isdir(folder):  # noqa: PTH112  (unlike Path.is_dir, no exception for names that are too long)
        raise InputError(f"{path} can't be written, as there is no folder {folder}: make it, or choose another")
    if os.path.isdir(path):  # noqa: PTH112
        raise InputError(f"{path} is a folder, but has to be the name of the file to write: add a file name")


def _foreign(path: Path, action: str) -> str:
    """Why a file that is there would be lost; nothing if it was made by the same, and so can be made again."""
    with suppress(*output.FAILURES), h5py.File(path, "r", locking=False) as file:
        if str(file.attrs.get(MADE, "")).startswith(f"{action} "):
            return ""
    return "it has not made"
