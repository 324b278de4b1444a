"""What is stored of a data set with values of its own: its layout, filters, raw files beside it, and chunks never written."""

import os
from array import array
from math import prod
from pathlib import Path

import h5py
import numpy as np

from mpi_pgd.data.opening import RAW
from mpi_pgd.data.virtual import some_rows
from mpi_pgd.errors import InputError


def stored_layout(data_set: h5py.Dataset) -> str:
    """In words: in one piece, in chunks of which size with which filters, or of how many others."""
    if data_set.is_virtual:
        return f"virtual, {data_set.id.get_create_plist().get_virtual_count()} sources"
    if data_set.chunks is None:
        return "contiguous"
    filters = data_set.id.get_create_plist()
    names = [filters.get_filter(i)[3].decode() or str(filters.get_filter(i)[0]) for i in range(filters.get_nfilters())]
    return f"chunks {data_set.chunks}" + (f", {' + '.join(names)}" if names else "")


def needs_plugin(data_set: h5py.Dataset, path: str) -> bool:
    """Whether hdf5plugin is needed to read it; refuses a filter that is not installed."""
    plan = data_set.id.get_create_plist()
    filters = [plan.get_filter(i) for i in range(plan.get_nfilters())]
    loaded = not all(h5py.h5z.filter_avail(code) for code, *_ in filters) and load_plugin()
    for code, _, _, name in filters:
        if not h5py.h5z.filter_avail(code):
            raise InputError(
                f"{data_set.name} in {path} is compressed with a filter that is not installed ({name.decode() or 'unnamed'}, "
                f"number {code}): install it, for most with pip install hdf5plugin"
            )
    return loaded


def load_plugin() -> bool:
    """Have hdf5plugin register its filters, if it is there."""
    try:
        import hdf5plugin  # noqa: F401  (registers its filters; wanted by few files, so not at start-up)
    except ImportError:
        return False
    return True


def raw_files(data_set: h5py.Dataset, path: str) -> list[str]:
    """The files of raw numbers that hold its values, if any does; refuses one that is too short, where HDF5 reads zeros."""
    prefix = os.environ.get(RAW, "")
    if prefix.startswith("${ORIGIN}"):
        prefix = os.path.abspath(Path(path).parent) + prefix.removeprefix("${ORIGIN}")  # noqa: PTH100  (it keeps links)
    found, left = [], data_set.size * data_set.id.get_type().get_size()
    for name, offset, size in data_set.external or ():
        where = Path("" if prefix == "." else prefix, os.fsdecode(name))
        wanted = min(size, left)
        there = where.stat().st_size - offset if where.is_file() else 0
        if there < wanted:
            raise InputError(f"{data_set.name} in {path} has its numbers in {where}, which is missing or too short: bring it back")
        left -= wanted
        found.append(str(where))
    return found


def check_written(data_set: h5py.Dataset, path: str, need: range) -> None:
    """Refuse rows among ``need`` that were never written: HDF5 gives the fill value for them, or what the memory holds.

    What was allocated is taken as written; HDF5 keeps no other record of it.
    """
    what = f"{data_set.name} in {path}"
    if not need or not data_set.size or data_set.external:
        return
    if data_set.chunks is None:
        layout = data_set.id.get_create_plist().get_layout()
        if layout == h5py.h5d.CONTIGUOUS and data_set.id.get_offset() is None:
            raise InputError(f"{what} was made, but nothing of it was ever written: write its {len(data_set)} rows first")
        return
    chunks = chunk_count(data_set)
    stored = data_set.id.get_num_chunks()  # takes a second for some million of them
    if stored < chunks:
        unwritten = _unwritten(data_set, need)
        if unwritten:
            raise InputError(
                f"{what} is not complete: {stored} of {chunks} chunks are stored, {unwritten} never written; write them first"
            )


def chunk_count(data_set: h5py.Dataset) -> int:
    """How many it has when all are written; 0 if it is in none."""
    if data_set.chunks is None:
        return 0
    return prod(-(-size // step) for size, step in zip(data_set.shape, data_set.chunks, strict=True))


def _unwritten(data_set: h5py.Dataset, need: range) -> str:
    """The rows among ``need`` of which a chunk is not stored, in words. Memory is taken for stored chunks only."""
    step, found = data_set.chunks[0], array("q")
    first, last = need.start // step, -(-need.stop // step)

    def note(chunk: h5py.h5d.StoreInfo) -> None:
        if first <= chunk.chunk_offset[0] // step < last:
            found.append(chunk.chunk_offset[0] // step)

    data_set.id.chunk_iter(note)
    bands, counts = np.unique(np.frombuffer(found, dtype=np.int64) if found else np.zeros(0, np.int64), return_counts=True)
    across = chunk_count(data_set) // -(-len(data_set) // step)
    whole = np.concatenate([[first - 1], bands[counts == across], [last]])
    gaps = np.flatnonzero(np.diff(whole) > 1)
    if not len(gaps):
        return ""
    begin = max(need.start, (int(whole[gaps[0]]) + 1) * step)
    end = min(need.stop, int(whole[gaps[0] + 1]) * step)
    more = f" (and {len(gaps) - 1} more gaps)" if len(gaps) > 1 else ""
    return f"{some_rows(begin, end - 1)}{more} {'was' if end - begin == 1 and not more else 'were'}"
