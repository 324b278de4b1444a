"""Numbers that are codes of categories, or that a mask beside them calls missing: of AnnData, of HDF5's enumerations, of CF."""

from typing import Any, NamedTuple

import h5py
import numpy as np

from mpi_pgd.errors import InputError, printable

SHOWN = 8  # names of categories
BESIDE = (("codes", "categories", 0), ("values", "levels", 1))  # of codes, of labels, and the first code: AnnData's, Seurat's
ROWS = 8 << 20  # of a mask, that are looked at together


class Codes(NamedTuple):
    """Categories, of which the numbers are but codes."""

    words: str  # what they are
    missing: tuple[int, ...] = ()  # codes that stand for no category
    low: int | None = None  # all others are from this
    high: int | None = None  # to this, if known


def text(value: object) -> str:
    """An attribute that is a text, also where an array holds it; empty if it is none."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    return printable(value) if isinstance(value, str | bytes) else ""


def categories(data_set: h5py.Dataset) -> Codes | None:
    """What the numbers are codes of: a categorical of AnnData's, a type that names its numbers, flags of CF; None if of nothing."""
    labels, least = None, 0
    for own, beside, first in BESIDE:
        group = _group(data_set, own)
        if group and isinstance(group.get(beside), h5py.Dataset):
            labels, least = group[beside], first
    if isinstance(data_set.attrs.get("categories"), h5py.Reference):  # of AnnData before 0.8
        labels = data_set.file[data_set.attrs["categories"]]
    if isinstance(labels, h5py.Dataset) and labels.ndim == 1:
        listed = _listed(labels[:SHOWN].tolist(), len(labels))
        return Codes(f"the categories {listed}", (), least, least + len(labels) - 1)
    named = h5py.check_enum_dtype(data_set.dtype) if data_set.id.get_type().get_class() == h5py.h5t.ENUM else None
    if named:
        missing = tuple(code for label, code in named.items() if label.lower() in ("na", "nan", "missing", "null", ""))
        labels = [label for label, code in sorted(named.items(), key=lambda one: one[1]) if code not in missing]
        if {label.lower() for label in labels} <= {"false", "true"}:
            return Codes("", missing)
        return Codes(f"the categories {_listed(labels[:SHOWN], len(labels))}", missing, min(named.values()), max(named.values()))
    if "flag_meanings" in data_set.attrs and ("flag_values" in data_set.attrs or "flag_masks" in data_set.attrs):
        return Codes(f"the flags {text(data_set.attrs['flag_meanings'])[:100]}")
    return None


def _group(data_set: h5py.Dataset, own: str) -> h5py.Group | None:
    return data_set.parent if printable(data_set.name).endswith(f"/{own}") else None


def in_place_of(group: h5py.Group, name: str) -> str:
    """What a group is that was named in place of a data set, and which to name; empty if nothing says so."""
    kind = text(group.attrs.get("encoding-type")) or text(group.attrs.get("h5sparse_format"))
    frame = text(group.attrs.get("pandas_type"))
    if kind.startswith(("csr", "csc")):
        return "a sparse matrix of which a part is missing: expected data, indices and indptr in it"
    if "MATLAB_sparse" in group.attrs:
        return "a sparse matrix of MATLAB's, by columns: write it by rows, as data, indices and indptr of scipy's csr_matrix"
    if kind == "categorical":
        return f"a categorical, and its codes in {name}/codes are no quantities: make numbers of it, such as columns of 0 and 1"
    if kind.startswith("nullable"):
        return f"numbers with a mask of those that are missing: name {name}/values"
    if frame == "frame":
        blocks = ", ".join(f"{name}/{key}" for key in group if key.endswith("_values"))
        return f"a DataFrame of pandas, by type: name one of {blocks}, or write its columns as one array (to_numpy)"
    if frame:
        return (
            f"a {'Series' if frame.startswith('series') else 'table'} of pandas: write what is wanted of it as one array (to_numpy)"
        )
    return f"a variable of Octave: name {name}/value" if "OCTAVE_NEW_FORMAT" in group.attrs else ""


def _listed(labels: list[Any], count: int) -> str:
    return ", ".join(map(printable, labels)) + (", ..." if count > len(labels) else "")


def check_mask(data_set: h5py.Dataset, path: str, name: str) -> None:
    """Refuse numbers of which some are missing, by the mask that AnnData keeps beside those that may be."""
    group = _group(data_set, "values")
    mask = group.get("mask") if group and text(group.attrs.get("encoding-type")).startswith("nullable") else None
    if not isinstance(mask, h5py.Dataset) or mask.shape != data_set.shape or mask.ndim != 1:
        return
    count, first = 0, -1
    for start in range(0, len(mask), ROWS):
        missing = np.flatnonzero(mask[start : start + ROWS])
        if len(missing) and not count:
            first = start + int(missing[0])
        count += len(missing)
    if count:
        raise InputError(
            f"{count:,} of the {len(mask):,} values of {name} in {path} are missing, by the mask beside them "
            f"(the first in row {first} of the file): drop or mend such rows first"
        )
