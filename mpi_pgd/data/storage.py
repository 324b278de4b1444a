"""What is behind a data set: filters, raw files beside it, the sources of a virtual one."""

import os
from pathlib import Path

import h5py

from mpi_pgd.data.opening import opened
from mpi_pgd.errors import InputError

Chain = tuple[tuple[str, str], ...]  # of data sets that are made of each other


def readable(data_set: h5py.Dataset, path: str, file: h5py.File, above: Chain = ()) -> bool:
    """Whether hdf5plugin is needed; an error if the bytes can't be had: a missing filter or a virtual data set's missing source.

    ``above`` are the virtual data sets, by file and name, that take rows from this one.
    """
    here = (str(Path(path).resolve()), str(data_set.name))
    if here in above:
        raise InputError(f"{data_set.name} in {path} is a virtual data set that is made of itself: make it anew from its sources")
    if data_set.is_virtual:
        return _check_sources(data_set, path, file, (*above, here))
    _check_outside(data_set, path)
    filters = data_set.id.get_create_plist()
    missing = [i for i in range(filters.get_nfilters()) if not h5py.h5z.filter_avail(filters.get_filter(i)[0])]
    if missing and load_plugin():
        missing = [i for i in missing if not h5py.h5z.filter_avail(filters.get_filter(i)[0])]
        if not missing:
            return True
    if missing:
        code, _, _, name = filters.get_filter(missing[0])
        raise InputError(
            f"{data_set.name} in {path} is compressed with a filter that is not installed ({name.decode() or 'unnamed'}, "
            f"number {code}): install it, for most with pip install hdf5plugin"
        )
    return False


def load_plugin() -> bool:
    """Have hdf5plugin register its filters, if it is there."""
    try:
        import hdf5plugin  # noqa: F401  (registers its filters; wanted by few files, so not at start-up)
    except ImportError:
        return False
    return True


def _check_outside(data_set: h5py.Dataset, path: str) -> None:
    """HDF5 reads zeros where a file of raw numbers beside the HDF5 file is too short."""
    for name, offset, size in data_set.external or ():
        where = Path(os.fsdecode(name))
        there = where.stat().st_size - offset if where.is_file() else 0
        if there < min(size, data_set.nbytes):
            raise InputError(f"{data_set.name} in {path} has its numbers in {where}, which is missing or too short: bring it back")


def sources(data_set: h5py.Dataset, path: str) -> list[str]:
    """The files that a virtual data set is made of."""
    sources = data_set.virtual_sources() if data_set.is_virtual else []
    return [str(Path(path).parent / source) for _, source, _, _ in sources if source != "."]


def _check_sources(data_set: h5py.Dataset, path: str, file: h5py.File, above: Chain) -> bool:
    """HDF5 reads zeros where a virtual data set's source is missing, without an error; so look at each source first."""
    mapped, plugin = 0, False
    for vspace, source, name, _ in data_set.virtual_sources():
        mapped += vspace.get_select_npoints()
        where = Path(path) if source == "." else Path(path).parent / source
        if not where.exists():
            raise InputError(f"{data_set.name} in {path} is made of other files, and {where} is missing: bring it back")
        if source == ".":
            plugin |= _source(file, str(where), name, data_set, path, above)
        else:
            with opened(str(where)) as other:
                plugin |= _source(other, str(where), name, data_set, path, above)
    if mapped < data_set.size:
        raise InputError(
            f"{data_set.name} in {path} is a virtual data set whose sources give {mapped} of its {data_set.size} values: "
            f"the rest would read as zeros; map them all"
        )
    return plugin


def _source(file: h5py.File, where: str, name: str, virtual: h5py.Dataset, path: str, above: Chain) -> bool:
    source = file.get(name)
    if not isinstance(source, h5py.Dataset):
        raise InputError(f"{virtual.name} in {path} takes its rows from {name} in {where}, which has no such data set")
    return readable(source, where, file, above)
