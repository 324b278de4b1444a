"""All that is behind a data set, whatever it is made of: every file that its values come from, and that they are all there."""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from math import prod
from pathlib import Path

import h5py

from mpi_pgd.data.files import Span, Stamp
from mpi_pgd.data.opening import VIRTUAL, linked, opened, search
from mpi_pgd.data.sources import Source
from mpi_pgd.data.storage import check_written, chunk_count, needs_plugin, raw_files
from mpi_pgd.data.virtual import Mapping, check_covered, check_source, mappings, numbered
from mpi_pgd.errors import InputError

Chain = tuple[tuple[str, str], ...]  # of data sets that are made of each other, by file and name


class Behind:
    """What is found behind the data sets of one file."""

    def __init__(self) -> None:
        self.files: dict[Stamp, Span] = {}  # each file, and for which rows it matters
        self.plugin = False  # whether hdf5plugin is needed
        self.chunk_bytes = 0  # of the largest chunk, as numbers
        self.chunks = 0  # of all data sets that hold their own values

    def note(self, paths: Iterable[str], rows: range, hdf5: bool = True) -> None:
        """Take the files' stamps, before anything is read from them."""
        for path in paths:
            stamp = Stamp.of(path)
            before = self.files.get(stamp, Span(rows.start, rows.stop, hdf5))
            self.files[stamp] = Span(min(before.first, rows.start), max(before.stop, rows.stop), hdf5)

    def item(self, file: h5py.File, path: str, name: str) -> h5py.Dataset | h5py.Group | None:
        """What has that name, wherever links lead to; None if there is nothing, an InputError if a link leads nowhere."""
        try:
            through = linked(file, path, name)
            item = file[name]
        except InputError:
            raise
        except (KeyError, ValueError):
            return None
        if isinstance(item, h5py.Dataset):
            self.note(through, range(len(item) if item.shape else 0))
        return item

    def look(self, data_set: h5py.Dataset, need: range, rows: range | None = None, above: Chain = ()) -> list[Source]:
        """Refuse a data set of which the rows ``need`` can't be had; returns what a virtual one is made of.

        Args:
            data_set, need: wherever links led to, and those of its rows that matter.
            rows: of the outermost data set that come from this one; as ``need`` if it is the outermost.
            above: the virtual data sets that take rows from this one.
        """
        path = os.fsdecode(data_set.file.filename)
        here = (str(Path(path).resolve()), str(data_set.name))
        if here in above:
            raise InputError(
                f"{data_set.name} in {path} is a virtual data set that is made of itself: make it anew from its sources"
            )
        if data_set.is_virtual:
            return self._sources(data_set, path, need, rows, (*above, here))
        self.note(raw_files(data_set, path), need if rows is None else rows, hdf5=False)
        self.chunk_bytes = max(self.chunk_bytes, prod(data_set.chunks or (0,)) * data_set.id.get_type().get_size())
        self.chunks += chunk_count(data_set)
        self.plugin |= needs_plugin(data_set, path)
        check_written(data_set, path, need)
        return []

    def _sources(self, data_set: h5py.Dataset, path: str, need: range, rows: range | None, above: Chain) -> list[Source]:
        what = f"{data_set.name} in {path}"
        parts: dict[str, list[Mapping]] = defaultdict(list)
        for part in mappings(data_set, path):
            if max(part.rows.start, need.start) < min(part.rows.stop, need.stop):
                parts[part.file].append(part)
        check_covered([part.boxes for some in parts.values() for part in some], data_set.shape, need, what)
        for pattern, count in numbered(data_set):
            _check_last(search(pattern.replace("%b", "0"), path, VIRTUAL), pattern, count, what)
        found: list[Source] = []
        for name, some in parts.items():
            its = rows or range(min(part.rows.start for part in some), max(part.rows.stop for part in some))
            if name == ".":
                found += self._source(data_set.file, path, some, what, its, above)
                continue
            where = search(name, path, VIRTUAL)
            if not os.path.exists(where):  # noqa: PTH110
                raise InputError(f"{what} is made of other files, and {where} is missing: bring it back")
            self.note([where], its)
            with opened(where) as other:
                found += self._source(other, where, some, what, its, above)
        return found

    def _source(
        self, file: h5py.File, where: str, parts: Sequence[Mapping], what: str, rows: range, above: Chain
    ) -> Iterator[Source]:
        """One file's data sets, each with all that is taken from it; of those of the outermost data set it is noted what is."""
        names: dict[str, list[Mapping]] = defaultdict(list)
        for part in parts:
            names[part.name].append(part)
        for name, some in names.items():
            source = self.item(file, where, name)
            if not isinstance(source, h5py.Dataset):
                raise InputError(f"{what} takes its rows from {name} in {where}, which has no such data set: make it anew")
            if any(Path(other).samefile(where) for other in linked(file, where, name)):  # HDF5 crashes when it reads
                raise InputError(
                    f"{what} takes its rows from {name} in {where}, a link by way of that file's own name: link within it"
                )
            taken = [check_source(part, source, where, what) for part in some]
            need = range(min(part.start for part in taken), max(part.stop for part in taken))
            yield Source.of(source, where, some if len(above) == 1 else (), what)
            yield from self.look(source, need, rows, above)


def _check_last(first: str, pattern: str, count: int, what: str) -> None:
    """HDF5 takes the first of numbered sources that is missing for the end: refuse it if there are some after it."""
    before, after = (re.escape(part.replace("%%", "%")) for part in Path(pattern).name.split("%b", 1))
    numbers = [re.fullmatch(f"{before}([0-9]+){after}", file.name) for file in Path(first).parent.iterdir()]
    later = [found for found in numbers if found and int(found[1]) > count]
    if later:
        missing = Path(pattern).name.replace("%b", str(count)).replace("%%", "%")
        raise InputError(f"{what} ends where {missing} is missing, though {later[0][0]} is there: bring it back")
