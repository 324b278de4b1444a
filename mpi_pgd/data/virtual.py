"""What a virtual data set is made of: boxes of its values, and the selections in the sources that give them.

HDF5 reads the fill value, without an error, where no source gives a value; so whether all are given is found out first.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from math import prod
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from mpi_pgd.errors import InputError

Boxes = NDArray[np.int64]  # (boxes, 2, dimensions): the first indices, and those after the last
Shape = tuple[int, ...]

PIECES = 1 << 22  # boxes of a selection, or cells of the grid of all their edges, that are looked at


class Mapping(NamedTuple):
    """A part of a virtual data set and where it comes from."""

    file: str  # of the source; ``.`` is that of the virtual data set itself
    name: str  # of the source there
    boxes: Boxes  # of the virtual data set
    space: h5py.h5s.SpaceID  # the selection in the source, of HDF5; its limits may be known only with the source's shape

    @property
    def rows(self) -> range:
        """From the first row to the last of ``boxes``."""
        return bounds(self.boxes)


def mappings(data_set: h5py.Dataset, path: str) -> Iterator[Mapping]:
    """The parts of a virtual data set, those with numbered sources (``part-%b.h5``) one by one."""
    plan, shape = data_set.id.get_create_plist(), data_set.shape
    what = f"{data_set.name} in {path}"
    for i in range(plan.get_virtual_count()):
        space, source = plan.get_virtual_vspace(i), plan.get_virtual_srcspace(i)
        file, name = plan.get_virtual_filename(i), plan.get_virtual_dsetname(i)
        growing = _unlimited(space)
        if growing is None or _unlimited(source) is not None:
            yield Mapping(_numbered(file, 0), _numbered(name, 0), _clipped(boxes(space, shape, what), shape), source)
            continue
        start, stride, _, block = (list(part) for part in space.get_regular_hyperslab())
        for number, first in enumerate(range(start[growing], shape[growing], stride[growing])):
            low = [*start[:growing], first, *start[growing + 1 :]]
            one = space.copy()
            one.select_hyperslab(tuple(low), (1,) * len(low), tuple(stride), tuple(block))
            yield Mapping(_numbered(file, number), _numbered(name, number), _clipped(boxes(one, shape, what), shape), source)


def numbered(data_set: h5py.Dataset) -> Iterator[tuple[str, int]]:
    """The patterns of numbered source files, as ``part-%b.h5``, and how many of each HDF5 found."""
    plan = data_set.id.get_create_plist()
    for i in range(plan.get_virtual_count()):
        space, file = plan.get_virtual_vspace(i), plan.get_virtual_filename(i)
        axis = _unlimited(space)
        if axis is not None and Path(file).name.replace("%%", "").count("%b") == 1:
            starts, strides, _, _ = space.get_regular_hyperslab()
            yield file, len(range(starts[axis], data_set.shape[axis], strides[axis]))


def boxes(space: h5py.h5s.SpaceID, shape: Shape, what: str) -> Boxes:
    """What is selected of a data set of ``shape``; only what is selected without a limit is cut off there.

    Refuses more pieces of ``what`` than can be looked at.
    """
    kind = space.get_select_type()
    if kind == h5py.h5s.SEL_ALL:
        return np.array([[[0] * len(shape), shape]], dtype=np.int64)
    if kind != h5py.h5s.SEL_HYPERSLABS:
        return np.zeros((0, 2, len(shape)), dtype=np.int64)  # HDF5 maps no single points
    if not space.is_regular_hyperslab():
        _check_pieces(space.get_select_hyper_nblocks(), what)
        found = np.array(space.get_select_hyper_blocklist(), dtype=np.int64)
        found[:, 1] += 1
        return found
    sides = [_side(*parts) for parts in zip(*space.get_regular_hyperslab(), shape, strict=True)]
    _check_pieces(prod(len(starts) for starts, _ in sides), what)
    axes = np.meshgrid(*(np.arange(starts.start, starts.stop, starts.step, dtype=np.int64) for starts, _ in sides), indexing="ij")
    lows = np.stack([axis.ravel() for axis in axes], axis=1)
    return np.stack([lows, lows + np.array([length for _, length in sides], dtype=np.int64)], axis=1)


def _side(start: int, stride: int, count: int, block: int, limit: int) -> tuple[range, int]:
    """What is selected of one dimension: where its runs start, and how many indices each has."""
    if block == h5py.h5s.UNLIMITED:
        return range(start, start + 1), max(0, limit - start)
    if count == h5py.h5s.UNLIMITED:
        count = max(0, -(-(limit - start) // stride))
    return (range(start, start + 1), count * block) if stride == block else (range(start, start + stride * count, stride), block)


def bounds(some: Boxes) -> range:
    """From the first row of all boxes to the last."""
    return range(int(some[:, 0, 0].min()), int(some[:, 1, 0].max())) if len(some) else range(0)


def volume(some: Boxes) -> int:
    """Values in all boxes, as a whole number of any size."""
    return sum(prod(edges) for edges in (some[:, 1] - some[:, 0]).tolist())


def check_covered(some: Sequence[Boxes], shape: Shape, need: range, what: str) -> None:
    """Refuse values of the rows ``need`` that come from no source, or from two: HDF5 does not say which of them counts."""
    low, high = np.zeros(len(shape), dtype=np.int64), np.array(shape, dtype=np.int64)
    low[0], high[0] = need.start, need.stop
    all_boxes = np.concatenate([np.zeros((0, 2, len(shape)), dtype=np.int64), *some]).clip(low, high)
    edges = [np.unique(np.append(all_boxes[:, :, axis], [low[axis], high[axis]])) for axis in range(len(shape))]
    _check_pieces(prod(len(edge) for edge in edges), what)
    grid = np.zeros([len(edge) for edge in edges], dtype=np.int64)  # how many sources give what lies between the edges
    for corner in product((0, 1), repeat=len(shape)):
        places = tuple(
            np.searchsorted(edge, all_boxes[:, side, axis]) for axis, (edge, side) in enumerate(zip(edges, corner, strict=True))
        )
        np.add.at(grid, places, (-1) ** sum(corner))
    for axis in range(len(shape)):
        np.cumsum(grid, axis=axis, out=grid)
    inner = grid[(slice(-1),) * len(shape)].reshape(len(edges[0]) - 1, -1)
    for wrong, words in (
        (inner < 1, "come from no source, and would read as fill values: map them all"),
        (inner > 1, "come from several sources, and HDF5 does not say which of them counts: map each value once"),
    ):
        bad = np.flatnonzero(wrong.any(axis=1))
        if len(bad):
            first, last = int(edges[0][bad[0]]), int(edges[0][bad[0] + 1]) - 1
            raise InputError(f"{what} is a virtual data set in which {some_rows(first, last)} {words}")


def some_rows(first: int, last: int) -> str:
    """In words."""
    return f"row {first}" if first == last else f"rows {first} to {last}"


def check_source(mapping: Mapping, source: h5py.Dataset, where: str, what: str) -> range:
    """Refuse a source that has not what a mapping takes from it; returns the source's rows that it takes.

    HDF5 itself would read past its end, take other values, or crash.
    """
    shape, wanted = source.shape, volume(mapping.boxes)
    its = f"{source.name} in {where}, which has shape {shape}"
    if mapping.space.get_select_type() == h5py.h5s.SEL_ALL:
        ends = [size for size in shape if size != 1], [size for size in np.ptp(mapping.boxes, axis=(0, 1)).tolist() if size != 1]
        if prod(shape) != wanted or ends[0][-1:] != ends[1][-1:]:
            raise InputError(f"{what} takes {_box(mapping.boxes)} from {its}: make the virtual data set anew, or mend its source")
        return range(shape[0] if shape else 0)
    if mapping.space.get_simple_extent_ndims() != len(shape):
        raise InputError(f"{what} takes {_box(mapping.boxes)} from {its}, another number of dimensions: make it anew")
    taken = boxes(mapping.space, shape, what)
    given = volume(taken)
    if len(taken) and (taken[:, 1].max(axis=0) > shape).any():
        last = int(taken[:, 1, 0].max()) - 1
        rows = f"{some_rows(bounds(taken).start, last)} of {its}" if last >= shape[0] else f"columns beyond those of {its}"
        raise InputError(f"{what} takes {rows}: bring back what it had, or make the virtual data set anew")
    if given < wanted or (given > wanted and _unlimited(mapping.space) is None):
        raise InputError(f"{what} takes {wanted} values from {given} of {its}: the rest would read as fill values; make it anew")
    return bounds(taken)


def _box(some: Boxes) -> str:
    return some_rows(bounds(some).start, bounds(some).stop - 1)


def _unlimited(space: h5py.h5s.SpaceID) -> int | None:
    """The dimension in which a selection grows with the data set, if there is one."""
    if space.get_select_type() != h5py.h5s.SEL_HYPERSLABS or not space.is_regular_hyperslab():
        return None
    _, _, counts, blocks = space.get_regular_hyperslab()
    return next((axis for axis in range(len(counts)) if h5py.h5s.UNLIMITED in (counts[axis], blocks[axis])), None)


def _clipped(some: Boxes, shape: Shape) -> Boxes:
    cut = some.clip(0, np.array(shape, dtype=np.int64))
    return cut[(cut[:, 1] > cut[:, 0]).all(axis=1)]


def _numbered(name: str, number: int) -> str:
    """A source's name, in which ``%b`` is its number and ``%%`` a percent sign."""
    return "%".join(part.replace("%b", str(number)) for part in name.split("%%"))


def _check_pieces(count: int, what: str) -> None:
    if count > PIECES:
        raise InputError(
            f"{what} is a virtual data set in {count} pieces: expected at most {PIECES}, so that they can be looked at; "
            f"copy its values into an ordinary one"
        )
