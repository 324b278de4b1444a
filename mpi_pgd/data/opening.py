"""HDF5 files found as HDF5 finds them and opened for reading, with a sentence for each way in which that fails."""

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import islice
from pathlib import Path

import h5py

from mpi_pgd.data.files import regular
from mpi_pgd.errors import InputError, printable

# Where HDF5 looks for files that others name. Ranks on other nodes may have been started without them.
VIRTUAL, LINKED, RAW = "HDF5_VDS_PREFIX", "HDF5_EXT_PREFIX", "HDF5_EXTFILE_PREFIX"
LISTED = 1000  # names of data sets, to find the right one among them
SHOWN = 1000  # characters of such a name
LINKS = 64  # one behind the other: more are a circle

# What h5py raises when HDF5 can't make sense of a file.
DAMAGED = (OSError, LookupError, TypeError, ValueError, ArithmeticError, RuntimeError, MemoryError)
# Where the operating system does not let it be opened.
REFUSED: dict[type[Exception], str] = {
    FileNotFoundError: "there is no file {}: give one or more HDF5 files",
    PermissionError: "{} may not be read by this user: change its permissions",
    BlockingIOError: "{} is being written by another program: wait until that has closed it",
}


@contextmanager
def opened(path: str) -> Iterator[h5py.File]:
    """The file, open for reading only.

    Refuses what is not there, may not be read, is not HDF5, cut short, being written, or found to be damaged while it is used.
    """
    regular(path)
    try:
        file = h5py.File(path, "r", locking="best-effort")
    except (OSError, ValueError) as error:
        raise _why_not_opened(path, error) from None
    with _sound(f"{path} is damaged, it can't be read", "; copy or make it again"), file:
        yield file


def _why_not_opened(path: str, error: Exception) -> InputError:
    if type(error) in REFUSED:
        return InputError(REFUSED[type(error)].format(path))
    if os.path.isdir(path):  # noqa: PTH112  (Path.is_dir raises for names that are too long)
        return InputError(f"{path} is a folder: give the files in it, for example {path}/*.h5")
    message = str(error)
    if "truncated file" in message:
        return InputError(f"{path} is cut short (an HDF5 file, but its end is missing): copy or make it again")
    if "signature not found" in message:
        from mpi_pgd.data import foreign  # not at start-up: it looks into archives

        kind, lines = foreign.recipe(path)
        if lines:
            taken = "a fit takes it (--target) if its name ends as such a table's does, or else " * (kind in foreign.CONVERTED)
            return InputError(
                f"{path} is not an HDF5 file but {kind}: {taken}these three lines of Python make an HDF5 file of it:", *lines
            )
        return InputError(f"{path} is not an HDF5 file: give one, for example made with h5py or `python -m mpi_pgd data make`")
    if "Too many open files" in message:
        return InputError(f"{path} can't be opened, as this process has too many files open already: raise its limit (ulimit -n)")
    return InputError(f"{path} can't be opened as HDF5: {brief(message)}")


def reading(path: str, rows: range) -> AbstractContextManager[None]:
    """What HDF5 says while it reads ``rows`` of the file as an InputError."""
    return _sound(f"rows {rows.start} to {rows.stop - 1} of {path} can't be read")


@contextmanager
def _sound(trouble: str, advice: str = "") -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except DAMAGED as error:
        raise InputError(f"{trouble}: {brief(str(error))}{advice}") from None


def brief(message: str) -> str:
    """HDF5's words on one line."""
    return " ".join(message.split())[:200]


def search(name: str, parent: str, variable: str) -> str:
    """Where HDF5 finds the file that ``parent`` calls ``name``: the first of some places; beside ``parent`` if it is in none.

    ``parent`` is the path by which that file was opened, and ``variable`` is ``VIRTUAL`` or ``LINKED``.
    """
    beside = str(Path(os.path.abspath(parent)).parent)  # noqa: PTH100  (the link's folder, not that of the file it leads to)
    prefixes = os.environ.get(variable, "")
    base = Path(name).name if name.startswith("/") else name
    folders = [*filter(None, prefixes.split(":")), beside, "", str(Path(parent).resolve().parent)]
    if variable == VIRTUAL and prefixes.startswith("${ORIGIN}"):
        folders.insert(-3, beside + prefixes.removeprefix("${ORIGIN}"))
    places = [*([name] if name.startswith("/") else []), *(os.path.join(folder, base) for folder in folders)]  # noqa: PTH118
    there = [place for place in places if os.path.exists(place) and not os.path.isdir(place)]  # noqa: PTH110, PTH112  (as above)
    for place in there:
        regular(place)  # HDF5 would wait for a pipe
        if h5py.is_hdf5(place):
            return place
    return there[0] if there else places[0] if name.startswith("/") else os.path.join(Path(parent).parent, name)  # noqa: PTH118


def prefixes() -> tuple[str, ...]:
    """Where HDF5 looks for files that others name, as this process was told."""
    return tuple(os.environ.get(name, "") for name in (VIRTUAL, LINKED, RAW))


def search_as(wanted: Sequence[str]) -> None:
    """Have HDF5 look where that of another process did, which may have been started with other variables."""
    for name, value in zip((VIRTUAL, LINKED, RAW), wanted, strict=False):
        if os.environ.get(name, "") != value:
            os.environ[name] = value


def data_sets(file: h5py.File) -> list[str]:
    """The names of the data sets in a file, or of the first of very many, and of links, which may lead to others."""
    found: dict[str, None] = {}
    _note_links("", file, found)

    def note(name: str | bytes, item: object) -> bool | None:
        if isinstance(item, h5py.Dataset):
            found[printable(name[:SHOWN])] = None
        elif isinstance(item, h5py.Group):
            _note_links(f"{printable(name[:SHOWN])}/", item, found)
        return True if len(found) >= LISTED else None

    file.visititems(note)
    return list(found)


def _note_links(prefix: str, group: h5py.Group, found: dict[str, None]) -> None:
    for name in islice(group.id, LISTED):
        if group.id.links.get_info(name).type != h5py.h5l.TYPE_HARD:
            found[prefix + printable(name[:SHOWN])] = None


def linked(file: h5py.File, path: str, name: str, depth: int = 0) -> list[str]:
    """The files that the way to ``name`` leads through, after ``file`` itself.

    HDF5 would open them without a look: a link may lead to a pipe, for which it waits, or to nowhere, of which it says nothing.

    Raises:
        KeyError: there is nothing of that name, and no link.
        InputError: a link leads to nothing.
    """
    group: h5py.Group | h5py.Dataset = file
    words = [word for word in name.split("/") if word not in ("", ".")]
    for place, word in enumerate(words):
        link = group.get(word, getlink=True) if isinstance(group, h5py.Group) else None
        if link is None:
            raise KeyError(name)
        if isinstance(link, h5py.SoftLink | h5py.ExternalLink):
            if depth == LINKS:
                raise InputError(f"{name} in {path} is a link that leads back to itself: mend it")
            return _behind(file, path, group.name, word, link, words[place + 1 :], depth + 1)
        group = group[word]
    return []


def _behind(
    file: h5py.File, path: str, group: str, word: str, link: h5py.SoftLink | h5py.ExternalLink, rest: list[str], depth: int
) -> list[str]:
    """Of ``linked``: what is behind a link."""
    what = f"{group.rstrip('/').lstrip('/')}/{word}".lstrip("/") + f" in {path} is a link to {link.path}"
    if isinstance(link, h5py.SoftLink):
        target = link.path if link.path.startswith("/") else f"{group}/{link.path}"
        try:
            return linked(file, path, "/".join([target, *rest]), depth)
        except KeyError:
            raise InputError(f"{what}, which is missing: mend the link") from None
    where = search(link.filename, path, LINKED)
    if not os.path.exists(where):  # noqa: PTH110
        raise InputError(f"{what} in {link.filename}, which is missing: bring that file back, or mend the link")
    with opened(where) as other:
        try:
            return [where, *linked(other, where, "/".join([link.path, *rest]), depth)]
        except KeyError:
            raise InputError(f"{what} in {where}, which has no such data set: mend the link") from None
