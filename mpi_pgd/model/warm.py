"""A model that a fit starts from: read once, by one rank, its features matched with those of the data."""

import numpy as np

from mpi_pgd.data.names import Names, repeated
from mpi_pgd.data.sides import Init
from mpi_pgd.data.table import Table
from mpi_pgd.engine.arrays import Rows
from mpi_pgd.errors import InputError
from mpi_pgd.model import file


def read_init(path: str, table: Table) -> Init:
    """The model in a file, or in a folder that ``--out`` wrote.

    Raises:
        InputError: it can't be used, or is one of other features.
    """
    where = file.place(path)
    coef, intercept, names, _, _ = file.read(where)
    if not (np.isfinite(coef).all() and np.isfinite(intercept).all()):
        raise InputError(f"{where} has a weight that is not finite: give a model that can be started from")
    if len(coef) != table.features:
        raise InputError(
            f"{where} has weights of {len(coef)} features and {table.x} has {table.features}: give a model of the same"
        )
    lines = np.ascontiguousarray(_matched(coef, names, table, where).reshape(len(coef), -1).T)
    return Init(lines, np.reshape(intercept, -1), file.digest(coef, intercept))


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
