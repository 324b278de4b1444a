"""Files that the program writes: whole or not at all."""

import errno
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

Content = Callable[[Path], None]  # writes one file, which is there and empty

# What the disk, or a file that is damaged, makes of reading and writing: h5py's close hides a full disk in a RuntimeError.
FAILURES = (OSError, RuntimeError, ValueError)
_TOKEN = 8  # random bytes in a name
_ASIDE = r"\.(?P<name>.+)\.(?P<token>[0-9a-f]{16})\.(?P<kind>part|old)"


class _Change(NamedTuple):
    """One of the files that are replaced together."""

    target: Path
    part: Path  # what it will be
    old: Path  # what it was
    content: Content | None  # None: it goes


def replace(contents: Mapping[Path, Content | None]) -> None:
    """Write files aside, have the disk confirm them, and give all of them their names in this order, or none.

    A link stays one: the file behind it is replaced. What maps to None is removed with the others.

    Raises:
        OSError, RuntimeError, ValueError: that can't be done; the files that were there are as they were, and nothing is left of
            the attempt.
    """
    token = os.urandom(_TOKEN).hex()
    # What goes is first: as long as there are parts, ``tidy`` knows that an exchange was not finished.
    first = sorted(contents.items(), key=lambda item: item[1] is not None)
    changes = [_change(path, token, content) for path, content in first]
    try:
        for change in changes:
            if change.content:
                create(change.part, change.content)
        _swap(changes)
    finally:
        for change in changes:
            for path in (change.part, change.old):
                with suppress(OSError):
                    path.unlink(missing_ok=True)


@contextmanager
def aside(path: Path) -> Iterator[Path]:
    """A file, there and empty, to be written while this lasts: at the end it takes the name ``path``, or nothing is changed.

    Raises:
        OSError: that can't be done.
    """
    change = _change(path, os.urandom(_TOKEN).hex(), lambda _: None)
    try:
        os.close(os.open(change.part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield change.part
        _sync(change.part)
        _swap([change])
    finally:
        for left in (change.part, change.old):
            with suppress(OSError):
                left.unlink(missing_ok=True)


def create(path: Path, content: Content) -> None:
    """Write a file that is not there, and have the disk confirm it. All that the program writes goes through here.

    Raises:
        OSError, RuntimeError, ValueError: that can't be done, or there is something of this name, be it a link; part of the file
            may be left.
    """
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    content(path)
    _sync(path)


def rehearse(contents: Mapping[Path, Content]) -> None:
    """Write files aside and remove them: what would fail after the work fails now. Raises what ``replace`` does."""
    token = os.urandom(_TOKEN).hex()
    for path, content in contents.items():
        part = _change(path, token, content).part
        try:
            create(part, content)
        finally:
            part.unlink(missing_ok=True)


def tidy(folder: Path, names: Iterable[str]) -> None:
    """Remove what killed runs left beside the files of these names; an exchange that one was killed in is undone.

    Only while nobody else writes them.
    """
    known = set(names)
    found: dict[str, list[tuple[str, Path, str]]] = {}
    for path in folder.iterdir():
        match = re.fullmatch(_ASIDE, path.name)
        if match and match["name"] in known:
            found.setdefault(match["token"], []).append((match["kind"], path, match["name"]))
    for left in found.values():
        unfinished = any(kind == "part" for kind, _, _ in left)
        for kind, path, name in left:
            if kind == "old" and unfinished:
                path.replace(folder / name)
            path.unlink(missing_ok=True)  # also where both names are of one file: then nothing was renamed


def says(path: Path) -> dict[str, Any]:
    """The object that a file, opened anew so that NFS asks the server, holds as JSON; an empty one if it is something else."""
    with suppress(OSError, ValueError, RecursionError):
        found = json.loads(path.read_bytes())
        if isinstance(found, dict):
            return found
    return {}


def begins(path: Path, head: str) -> bool:
    """Whether the file's first bytes are these."""
    with suppress(OSError), path.open("rb") as file:
        return file.read(len(head.encode())) == head.encode()
    return False


def document(record: Mapping[str, Any]) -> Content:
    """A record as a file of JSON, in which a list of numbers is a line."""
    words = json.dumps(record, indent=1, allow_nan=False)
    return text(re.sub(r"\[\n\s*(-?\d[^][{}\"]*?)\n\s*\]", lambda found: f"[{' '.join(found[1].split())}]", words) + "\n")


def text(words: str) -> Content:
    """A text as a file, UTF-8 whatever the terminal speaks."""
    return raw(words.encode())


def raw(*pieces: bytes) -> Content:
    """Bytes, one piece after the other, as a file."""

    def written(path: Path) -> None:
        with path.open("wb") as file:
            file.writelines(pieces)

    return written


def readable(value: Any) -> Any:
    """A JSON value with escapes for what no file of text holds: the bytes of a file's name need not be UTF-8."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
    if isinstance(value, dict):
        return {readable(key): readable(item) for key, item in value.items()}
    return [readable(item) for item in value] if isinstance(value, list | tuple) else value


def reason(error: Exception) -> str:
    """What went wrong, if the operating system said so in its words, as in "No space left on device"."""
    found = number(error)
    return os.strerror(found) if found else " ".join(str(error).split())[:200]


def number(error: Exception) -> int:
    """Of the operating system's error, which HDF5 has in its text; 0 if it was none."""
    found = re.search(r"errno = (\d+)", str(error))
    return getattr(error, "errno", None) or (int(found[1]) if found else 0)


@contextmanager
def made(folder: Path) -> Iterator[list[Path]]:
    """The folder, made if it is not there; gives the folders that were. Those go again if what follows fails."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield missing
    except BaseException:
        unmake(missing)
        raise


def unmake(folders: Iterable[Path]) -> None:
    """Remove folders that are empty, the innermost first."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def _change(path: Path, token: str, content: Content | None) -> _Change:
    target = Path(os.path.realpath(path))
    part, old = (target.with_name(f".{target.name}.{token}.{kind}") for kind in ("part", "old"))
    return _Change(target, part, old, content)


def _swap(changes: Sequence[_Change]) -> None:
    done: list[_Change] = []
    try:
        for change in changes:
            if change.target.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(change.target))
        for change in changes:
            done.append(change)
            if change.target.exists():
                _keep(change)
            if change.content:
                change.part.replace(change.target)
        for folder in {change.target.parent for change in changes}:
            _sync(folder)
    except BaseException:
        for change in reversed(done):
            _undo(change)
        raise


def _keep(change: _Change) -> None:
    """The earlier file under a second name; under another, if it goes, or where the file system has no links."""
    if change.content:
        with suppress(OSError):
            os.link(change.target, change.old)
            return
    change.target.replace(change.old)


def _undo(change: _Change) -> None:
    if change.old.exists():
        change.old.replace(change.target)
    elif change.content and not change.part.exists():
        change.target.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Have the disk confirm a file, or the names in a folder, which are to outlive a power cut, too."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system that can't do that for folders: the file itself is safe
            raise
    finally:
        os.close(handle)
