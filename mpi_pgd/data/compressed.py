"""Groups of three data sets that hold sparse rows: scipy's CSR as AnnData writes it, and 10x Genomics' matrices of features."""

from typing import NamedTuple

import h5py
import numpy as np

from mpi_pgd.data.categories import text
from mpi_pgd.data.meaning import meaning
from mpi_pgd.data.sparsefile import DATA, INDICES, INDPTR, MEMBERS, members
from mpi_pgd.errors import InputError

MOST = 2**32  # features: an index has four bytes
BY_COLUMNS = "csc"  # how the kind of a matrix begins that is stored by columns


class Compressed(NamedTuple):
    """What a group holds."""

    rows: int
    features: int
    numbers: int  # that are stored
    dtype: str  # numpy's name of their type, as they are kept in memory
    sets: tuple[h5py.Dataset, ...]  # its members
    turned: bool  # features come first in the shape that it gives


def holds_rows(item: object) -> bool:
    """Whether it is such a group."""
    return isinstance(item, h5py.Group) and all(isinstance(item.get(name), h5py.Dataset) for name in MEMBERS)


def encoding(group: h5py.Group) -> str:
    """The kind of matrix that it says to be."""
    return text(group.attrs.get("encoding-type")) or text(group.attrs.get("h5sparse_format"))


def compressed(group: h5py.Group, path: str, name: str, targets: int) -> Compressed:
    """What the group ``name`` holds, for so many ``targets``. Refuses what are no sparse rows, as far as that is soon known."""
    sets = tuple(group[member] for member in MEMBERS)
    names = members(name)
    for one, called in zip(sets, names, strict=True):
        if one.ndim != 1:
            raise InputError(f"{called} in {path} has shape {one.shape}: expected one dimension, as {name} has sparse rows")
    for place in (INDICES, INDPTR):
        if sets[place].dtype.kind not in "iu":
            raise InputError(f"{names[place]} in {path} holds {sets[place].dtype}: expected whole numbers")
    numbers, rows = len(sets[DATA]), len(sets[INDPTR]) - 1
    if len(sets[INDICES]) != numbers:
        raise InputError(
            f"{name} in {path} has {numbers} numbers in {MEMBERS[DATA]} and {len(sets[INDICES])} in {MEMBERS[INDICES]}: "
            f"expected as many, make the file again"
        )
    if rows < 0 or (int(sets[INDPTR][0]), int(sets[INDPTR][-1])) != (0, numbers):
        ends = f"begins at {int(sets[INDPTR][0])} and ends at {int(sets[INDPTR][-1])}" if rows >= 0 else "is empty"
        raise InputError(f"{names[INDPTR]} in {path} {ends}: expected 0 and {numbers}, how many numbers there are")
    features, turned = _features(group, path, name, rows, targets)
    meant = meaning(sets[DATA], path, names[DATA])
    if not meant.plain:
        raise InputError(
            f"{names[DATA]} in {path} says that its numbers are not the values (scale_factor, missing_value, categories or such): "
            f"write the values themselves"
        )
    kind = "float32" if meant.type == "float16" else meant.type
    return Compressed(rows, features, numbers, kind, sets, turned)


def _features(group: h5py.Group, path: str, name: str, rows: int, targets: int) -> tuple[int, bool]:
    """How many there are, and whether they come first in the shape."""
    given = next((group.attrs[key] for key in ("shape", "h5sparse_shape") if key in group.attrs), None)
    if given is None and isinstance(group.get("shape"), h5py.Dataset):
        given = group["shape"][()]
    shape = tuple(np.ravel(given).tolist()) if given is not None else ()
    if len(shape) != 2 or not all(isinstance(size, int) and size >= 0 for size in shape):
        raise InputError(f"{name} in {path} has {'the shape ' + str(shape) if shape else 'no shape'}: expected an attribute "
                         f"or a data set shape, the numbers of its rows and columns")  # fmt: skip
    kind = encoding(group)
    by_columns = kind.startswith(BY_COLUMNS)
    if rows not in shape[by_columns:] or (by_columns and targets != rows):
        if by_columns and rows == shape[1]:
            raise InputError(
                f"{name} in {path} is stored by columns ({kind}), of which a rank would have to read all: write it by rows "
                f"(tocsr of scipy's; data convert does it with X of an .h5ad)"
            )
        raise InputError(
            f"{name} in {path} has the shape {shape} and {rows + 1} numbers in {MEMBERS[INDPTR]}: expected one more than "
            + (f"columns, as it is said to be stored by these ({kind})" if by_columns else "rows")
        )
    turned = shape[0] != rows or by_columns
    features = shape[0] if turned else shape[1]
    if not 0 < features <= MOST:
        raise InputError(f"{name} in {path} has {features} features: expected from 1 to {MOST:,}")
    return features, turned
