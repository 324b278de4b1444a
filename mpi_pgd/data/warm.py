"""A model that a fit starts from: read once, by one rank, its features matched with those of the data."""

import hashlib
import os
from pathlib import Path

import h5py
import numpy as np

from mpi_pgd.data.names import Names, repeated
from mpi_pgd.data.opening import opened
from mpi_pgd.data.sides import Init
from mpi_pgd.data.table import Table
from mpi_pgd.engine.arrays import Rows, Vector
from mpi_pgd.errors import InputError, printable

MODEL = "model.h5"  # of a run bundle
EXPECTED = "expected a model as `fit --out DIR` writes it, with coef (p,) or (p, k) and intercept"


def read_init(path: str, table: Table) -> Init:
    """The model in a file, or in a folder that ``--out`` wrote.

    Raises:
        InputError: it can't be used, or is one of other features.
    """
    where = str(Path(path, MODEL)) if os.path.isdir(path) else path  # noqa: PTH112  (Path.is_dir raises for names that are too long)
    with opened(where) as file:
        coef, intercept = (_numbers(file, name, where) for name in ("coef", "intercept"))
        given = file.get("feature_names")
        names = tuple(map(printable, given[()].ravel().tolist())) if isinstance(given, h5py.Dataset) else ()
    if coef.ndim not in (1, 2) or intercept.shape not in (coef.shape[1:], coef.shape[1:] or (1,)):
        raise InputError(f"{where} has coef of shape {coef.shape} and intercept of shape {intercept.shape}: {EXPECTED}")
    if len(coef) != table.features:
        raise InputError(
            f"{where} has weights of {len(coef)} features and {table.x} has {table.features}: give a model of the same"
        )
    digest = hashlib.sha256(np.append(coef, intercept).astype("<f8").tobytes()).hexdigest()
    return Init(np.ascontiguousarray(_matched(coef, names, table, where).reshape(len(coef), -1).T), intercept.reshape(-1), digest)


def _numbers(file: h5py.File, name: str, where: str) -> Vector:
    item = file.get(name)
    if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "fiu" or item.shape is None:
        raise InputError(f"{where} has no numbers named {name}: {EXPECTED}")
    values = np.asarray(item[()], dtype=np.float64)
    if not np.isfinite(values).all():
        raise InputError(f"{where} has a weight that is not finite: give a model that can be started from")
    return values


def _matched(coef: Rows, names: Names, table: Table, where: str) -> Rows:
    """``coef`` (p, ...) in the order of the table's features, if both have names."""
    wanted = table.names
    if not names or not wanted or names == wanted:
        return coef
    if other := set(names) ^ set(wanted):
        raise InputError(
            f"{where} and the data have different features ({len(other)} names are in one of them alone, like {min(other)}): "
            f"give a model of the same"
        )
    if twice := repeated(names):
        raise InputError(
            f"{where} has two features {twice}, and the data have theirs in another order: give each a name of its own"
        )
    there = {name: place for place, name in enumerate(names)}
    return coef[[there[name] for name in wanted]]


def check_outputs(init: Init, outputs: int, path: str) -> None:
    """Refuse a model of another number of outputs."""
    if len(init.coef) != outputs:
        raise InputError(f"--init {path} is a model of {len(init.coef)} outputs, and this one has {outputs}: give one of as many")
