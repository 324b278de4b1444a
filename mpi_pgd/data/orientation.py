"""Whether rows come first: MATLAB, Octave, Julia and R count the first index fastest, so their arrays arrive in HDF5 transposed."""

import os
from pathlib import Path

import h5py
import numpy as np

from mpi_pgd.data.categories import text
from mpi_pgd.errors import InputError, printable

Shape = tuple[int, ...]


def creator(x: h5py.Dataset, y: h5py.Dataset | None) -> str:
    """What tells that columns come first; empty if nothing does."""
    for data_set in (x,) if y is None else (x, y):
        if text(data_set.attrs.get("MATLAB_class")):
            return "MATLAB's, by the attribute MATLAB_class"
        if "rhdf5-NA.OK" in data_set.attrs:
            return "R's, by the attribute rhdf5-NA.OK"
        if printable(data_set.name).endswith("/value") and "OCTAVE_NEW_FORMAT" in data_set.parent.attrs:
            return "Octave's, by the attribute OCTAVE_NEW_FORMAT"
    rows = [] if y is None else scales(y, 0)[:1]
    if rows and scales(x, 1)[:1] == rows != scales(x, 0)[:1]:
        return "transposed, as y has the scale of its second dimension"
    return _by_header(x.file)


def scales(data_set: h5py.Dataset | h5py.Group, axis: int) -> list[h5py.Dataset]:
    """Those that netCDF and others attach to a dimension. HDF5's own functions for it crash where the attribute is not theirs."""
    listed = data_set.attrs.get("DIMENSION_LIST")
    if isinstance(data_set, h5py.Group) or not isinstance(listed, np.ndarray) or listed.shape != (data_set.ndim,):
        return []
    if not isinstance(listed[axis], np.ndarray):
        return []
    found = [data_set.file[reference] for reference in listed[axis].ravel() if isinstance(reference, h5py.Reference) and reference]
    return [item for item in found if isinstance(item, h5py.Dataset)]


def _by_header(file: h5py.File) -> str:
    """What the words say that MATLAB and Julia write before the HDF5 file begins."""
    if not file.userblock_size:
        return ""
    with Path(os.fsdecode(file.filename)).open("rb") as stream:
        words = stream.read(128)
    return next((f"{name}'s, by the file's first words" for name in ("MATLAB", "Julia") if name.encode() in words), "")


def turned(x: Shape, y: Shape, made_by: str, name: str, target: str, path: str) -> bool:
    """Whether the features, of shape ``x`` (two dimensions), are stored with columns before rows.

    Where the length of the targets, of shape ``y``, fits one way alone, that is the way. Where it fits both, ``made_by`` decides,
    which is what ``creator`` found. Refuses targets that fit neither way, or the other way with nothing that tells why.
    """
    first, second = x
    several = len(y) == 2 and min(y) > 1  # targets a row
    upright = y in ((first,), (first, 1)) or (several and y[0] == first)
    across = y in ((second,), (1, second)) or (bool(made_by) and (y == (second, 1) or (several and y[1] == second)))
    if across and (made_by or not upright):
        if not made_by:
            raise InputError(
                f"{name} looks transposed in {path}: its shape is {x}, and that of {target} is {y}; write it as rows and features, "
                f"for example, with the file opened by h5py for r+: f['rows'] = f['{name}'][()].T and "
                f"f['targets'] = f['{target}'][()].ravel(), then --x rows --y targets"
            )
        return first > 1 or second > 1
    if not upright:
        ways = f"({first},) or ({first}, 1)" + (f", or, as {name} is {made_by}, ({second},) or (1, {second})" if made_by else "")
        raise InputError(f"{target} in {path} has shape {y}: expected {ways}, a target for each row of {name} (or k)")
    return False


def of_rows(shape: Shape, rows: int, across: bool, what: str, name: str) -> bool:
    """Whether ``what``, one number for each row of ``name``, is a single row; ``across``: columns come first there, and so here."""
    if shape in ((rows,), (rows, 1)):
        return False
    if across and shape == (1, rows):
        return True
    raise InputError(f"{what} has shape {shape}: expected ({rows},) or ({rows}, 1), a number for each row of {name}")


def unclear(x: Shape, y: Shape, columns: int, target: str, made_by: str) -> list[str]:
    """How X is read whose shape, square or that of the targets ``target``, tells nothing; if transposed, as of ``made_by``."""
    alike = x == y and columns > 1
    if not (alike or x[0] == x[1] > 1):
        return []
    why = f"has the shape of {target}" if alike else "is square"
    read = f"read transposed, as it is {made_by}" if made_by else "read with rows first"
    return [f"{why}, so its shape can't tell rows from features: it is {read}"]
