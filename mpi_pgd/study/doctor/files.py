"""What a node sees of the data's files and of the output folder: whether it can read them, how they are laid out, how fast."""

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import islice
from math import prod
from pathlib import Path
from threading import Thread
from time import perf_counter
from typing import IO

import h5py

from mpi_pgd.config import Settings
from mpi_pgd.data.opening import VIRTUAL, opened, search
from mpi_pgd.data.rooms import held
from mpi_pgd.data.stream import SLAB_BYTES
from mpi_pgd.data.table import Table
from mpi_pgd.data.virtual import mappings
from mpi_pgd.errors import InputError
from mpi_pgd.report import bundle
from mpi_pgd.session.inspect import look

FILES = 1000  # whose layout is looked at
LARGEST = 64 << 20  # bytes of a compressed chunk, or of a slab, that is read for its speed
PATIENCE = 2.0  # seconds for a lock: where its service is dead, the call may never come back


@dataclass(frozen=True)
class Store:
    """How one or more files keep a data set.

    Attributes:
        name: of the data set; ``path`` is the first file with it, ``files`` how many are alike.
        shape: of the first; ``chunks`` is empty if it is contiguous.
        itemsize: bytes of a number.
        filters: names of those that have to be undone.
        cache: bytes of HDF5's chunk cache.
        virtual: whether it is the source of a virtual data set.
    """

    name: str
    path: str
    shape: tuple[int, ...]
    itemsize: int = 8
    chunks: tuple[int, ...] = ()
    filters: tuple[str, ...] = ()
    cache: int = 1 << 20
    virtual: bool = False
    files: int = 1

    @property
    def chunk_bytes(self) -> int:
        """Of a chunk when it is decompressed."""
        return prod(self.chunks) * self.itemsize if self.chunks else 0


@dataclass(frozen=True)
class Folder:
    """A folder's file system: its type, and why a file there can't be locked (empty if it can). ``error``: it can't be used."""

    path: str
    system: str = ""
    lock: str = ""
    error: str = ""


def table(chosen: Settings) -> tuple[Table | None, str]:
    """The data as this node sees them, with all that a fit would read beside them, or why it can't."""
    try:
        return look(chosen).table, ""
    except InputError as error:
        return None, str(error)


def stores(seen: Table) -> list[Store]:
    """The different layouts among the files."""
    found: dict[tuple[object, ...], Store] = {}
    for part in seen.parts[:FILES]:
        with opened(part.path) as file:
            for name in filter(None, (seen.x, seen.y, seen.weights, seen.offset)):
                for store in _stores(file[name], name, part.path, file):
                    alike = (name, store.chunks, store.filters, store.itemsize, store.virtual)
                    first = found.get(alike)
                    found[alike] = replace(first, files=first.files + 1) if first else store
    return list(found.values())


def _stores(data_set: h5py.Dataset, name: str, path: str, file: h5py.File, virtual: bool = False) -> Iterator[Store]:
    if not data_set.is_virtual:
        yield _store(data_set, name, path, virtual)
        return
    for source, inner in {(part.file, part.name): None for part in islice(mappings(data_set, path), FILES)}:
        where = path if source == "." else search(source, path, VIRTUAL)
        with nullcontext(file) if source == "." else opened(where) as other:
            yield from _stores(other[inner], name, where, other, True)


def _store(data_set: h5py.Dataset, name: str, path: str, virtual: bool) -> Store:
    properties = data_set.id.get_create_plist()
    filters = [properties.get_filter(i) for i in range(properties.get_nfilters())]
    return Store(
        name=name,
        path=path,
        shape=data_set.shape,
        itemsize=data_set.id.get_type().get_size(),
        chunks=data_set.chunks or (),
        filters=tuple(words.decode() or str(code) for code, _, _, words in filters),
        cache=data_set.id.get_access_plist().get_chunk_cache()[1],
        virtual=virtual,
    )


def timed_read(seen: Table, layouts: Sequence[Store]) -> tuple[int, float]:
    """Bytes and seconds of reading the first rows as a fit would; nothing if that could take long."""
    slab = next(seen.slabs(range(seen.rows), SLAB_BYTES))
    size = seen.bytes(len(slab))
    if size > LARGEST or any(store.filters and store.chunk_bytes > LARGEST for store in layouts):
        return 0, 0.0
    room = held(seen, slab)
    start = perf_counter()
    room.read(seen, slab)
    return size, perf_counter() - start


def data_folder(path: str) -> Folder:
    """The folder of a data file, which is locked as a reader would."""
    return Folder(str(Path(path).parent), file_system(path), _lock(lambda: Path(path).open("rb"), fcntl.LOCK_SH))


def out_folder(path: str) -> Folder:
    """The output folder, which is made if need be; a file in it is locked as a writer would."""
    try:
        with bundle.claim(path):
            return Folder(path, file_system(path), _lock(lambda: tempfile.TemporaryFile(dir=path), fcntl.LOCK_EX))
    except InputError as error:
        return Folder(path, error=str(error))


def _lock(opening: Callable[[], IO[bytes]], kind: int) -> str:
    """Why the file can't be locked. A thread of its own waits for the file system: it can be left behind, this one can't."""
    answers: list[str] = []

    def attempt() -> None:
        try:
            with opening() as file:
                fcntl.flock(file, kind | fcntl.LOCK_NB)
            answers.append("")
        except OSError as error:
            answers.append(error.strerror or str(error))

    thread = Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return answers[0] if answers else f"no answer in {PATIENCE:g} s"


def file_system(path: str) -> str:
    """The type of the file system that holds ``path``, as the kernel names it: ext4, nfs4, lustre."""
    return mounted(os.path.realpath(path), Path("/proc/self/mountinfo").read_text(errors="replace").splitlines())


def mounted(path: str, lines: Sequence[str]) -> str:
    """The type of the mount that holds the absolute ``path``: the deepest, and of those the last, of mountinfo's ``lines``."""
    best, system = "", ""
    for line in lines:
        before, _, after = line.partition(" - ")
        point = _unescaped(before.split(" ")[4])
        if (path + "/").startswith(point.rstrip("/") + "/") and len(point) >= len(best):
            best, system = point, after.split(" ")[0]
    return system


def _unescaped(point: str) -> str:
    for code in (" ", "\t", "\n", "\\"):
        point = point.replace(f"\\{ord(code):03o}", code)
    return point
