"""HDF5 files opened for reading, with a sentence for each way in which that fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from mpi_pgd.data import foreign
from mpi_pgd.errors import InputError

# What h5py raises when HDF5 can't make sense of a file.
DAMAGED = (OSError, LookupError, TypeError, ValueError, ArithmeticError, RuntimeError, MemoryError)


@contextmanager
def opened(path: str) -> Iterator[h5py.File]:
    """The file, open for reading only.

    Raises:
        InputError: it is not there, may not be read, is not HDF5, is cut short, is being written, or turns out to be damaged
            while it is used.
    """
    try:
        file = h5py.File(path, "r", locking="best-effort")
    except FileNotFoundError:
        raise InputError(f"there is no file {path}: give one or more HDF5 files") from None
    except PermissionError:
        raise InputError(f"{path} may not be read by this user: change its permissions") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder: give the files in it, for example {path}/*.h5") from None
    except BlockingIOError:
        raise InputError(f"{path} is being written by another program: wait until that has closed it") from None
    except OSError as error:
        raise _why_not_opened(path, str(error)) from None
    try:
        with file:
            yield file
    except InputError:
        raise
    except DAMAGED as error:
        raise InputError(f"{path} is damaged, it can't be read: {brief(str(error))}; copy or make it again") from None


def _why_not_opened(path: str, message: str) -> InputError:
    if Path(path).is_dir():
        return InputError(f"{path} is a folder: give the files in it, for example {path}/*.h5")
    if "truncated file" in message:
        return InputError(f"{path} is cut short (an HDF5 file, but its end is missing): copy or make it again")
    if "signature not found" in message:
        kind, lines = foreign.recipe(path)
        if lines:
            return InputError(
                f"{path} is not an HDF5 file but {kind}: these three lines of Python make an HDF5 file of it:", *lines
            )
        return InputError(f"{path} is not an HDF5 file: give one, for example made with h5py or `python -m mpi_pgd data make`")
    return InputError(f"{path} can't be opened as HDF5: {brief(message)}")


@contextmanager
def reading(path: str, rows: range) -> Iterator[None]:
    """What HDF5 says while it reads ``rows`` of the file as an InputError."""
    try:
        yield
    except InputError:
        raise
    except DAMAGED as error:
        raise InputError(f"rows {rows.start} to {rows.stop - 1} of {path} can't be read: {brief(str(error))}") from None


def brief(message: str) -> str:
    """HDF5's words on one line."""
    return " ".join(message.split())[:200]
