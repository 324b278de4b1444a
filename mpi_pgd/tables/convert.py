"""A table written as HDF5: whole or not at all, in the layout that loads fastest."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from mpi_pgd.choices import Choices
from mpi_pgd.data.rewritten import MADE
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.errors import InputError, listed, printable
from mpi_pgd.system import conflicts, output
from mpi_pgd.system.placed import of_file, told
from mpi_pgd.tables import sparse, sparse_rows
from mpi_pgd.tables.batch import Batch, Kind, squares
from mpi_pgd.tables.plan import Plan, Watch, plan, reading_of
from mpi_pgd.tables.recipe import UNITS, Recipe
from mpi_pgd.tables.spool import Spool
from mpi_pgd.tables.survey import complete, only
from mpi_pgd.tables.written import RECIPE, write

WHOLE = 2.0**53  # float64 does not tell all whole numbers beyond apart
SHOWN = 8  # classes


class Made(NamedTuple):
    """What was written.

    Attributes:
        recipe: what the columns became.
        rows: how many.
        notes: what a person may not expect of the numbers.
        summary: what became of which columns, a line each kind.
    """

    recipe: Recipe
    rows: int
    notes: tuple[str, ...]
    summary: str


def convert(
    paths: Sequence[str],
    out: str | os.PathLike[str],
    chosen: Choices,
    weights: str = "",
    offset: str = "",
    force: bool = False,
    source: str = "",
    watch: Watch = lambda _, batches: batches,
) -> Made:
    """Write a table as an HDF5 file: float64 `X` (rows, p), `y` (rows,), weights and an offset by their names, `feature_names`.

    All are contiguous; the root's attribute `recipe` says how other tables become such rows (``recipe.Recipe``). Sparse rows stay
    sparse, and have no recipe.

    Args:
        paths: files of the table.
        out: the file to write; its folder has to exist.
        chosen, weights, offset: what becomes of the columns.
        force: a file of that name that was not made here may be overwritten.
        source: what the file is to say of where it is from, as an attribute.
        watch: tells how far it is.

    Raises:
        InputError: the table can't be read or used, the file can't be written, or one of that name would be lost.
    """
    flag, file = f"data convert {out}", Path(os.path.realpath(out))
    conflicts.protect([(Path(out), flag)], paths)
    with of_file(flag, out) as claim, Spool(file.parent) as spool:
        conflicts.spare(flag, {file: foreign}, force)
        writer = _writer(paths, chosen, (weights, offset), source, watch, spool)
        _check_room(file.parent, writer.rows, writer.bytes, spool)
        with told(out):
            claim.replace({file.name: writer.write})
    return Made(writer.recipe, writer.rows, tuple(writer.notes()), writer.summary())


def _writer(
    paths: Sequence[str], chosen: Choices, beside: tuple[str, str], source: str, watch: Watch, spool: Spool
) -> "_Writer | sparse.Writer":
    """Of dense rows, or of sparse ones."""
    rows = sparse_rows(paths, reading_of(chosen))
    if rows is not None:
        return sparse.Writer(rows, chosen, beside, source, watch)
    return _Writer(plan(paths, chosen, *beside, watch, spool), spool, source, watch)


def foreign(path: Path) -> str:
    """Why a file that is there would be lost; nothing if it was made here, and so can be made again."""
    with suppress(*output.FAILURES), h5py.File(path, "r", locking=False) as file:
        if RECIPE in file.attrs and {"X", "y", "feature_names"} <= set(file):
            return ""
        if str(file.attrs.get(MADE, "")).startswith("data convert:"):
            return ""
    return "it has not made"


def _check_room(folder: Path, rows: int, needed: int, spool: Spool) -> None:
    if needed > shutil.disk_usage(folder).free:
        spool.give_up()
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise InputError(
            f"{rows:,} rows need {needed / 2**30:,.2f} GiB, but {folder} has {free / 2**30:,.2f} GiB free: choose another folder, "
            f"or fewer --features"
        )


class _Writer:
    """Writes rows, and notes what they are like."""

    def __init__(self, found: Plan, spool: Spool, source: str, watch: Watch) -> None:
        self._plan, self._spool, self._source, self._watch = found, spool, source, watch
        self.rows, self.recipe = found.rows, found.recipe
        self._first = np.empty((0, len(found.recipe.names)))
        self._same = np.arange(len(found.recipe.names))  # columns that have one value so far
        self._large: dict[int, int] = {}

    @property
    def bytes(self) -> int:
        """That the rows take."""
        recipe = self.recipe
        return 8 * self.rows * (len(recipe.names) + len(recipe.columns_beside()))

    def write(self, path: Path) -> None:
        """The file. Where there were fewer rows than lines, it is written again."""
        done = self._write(path, self.rows)
        if done < self.rows:
            if not done:
                raise InputError(f"{self._plan.table.path} has no rows: there is nothing to fit")
            self.rows = done
            self._write(path, done)

    def _write(self, path: Path, rows: int) -> int:
        self._large.clear()
        return write(path, self._plan.table, self._batches, self._plan.recipe, rows, True, self._source, self._note)

    def _batches(self, columns: tuple[str, ...]) -> Iterator[Batch]:
        for batch in self._watch("writing", self._spool.again(self._plan.table, columns)):
            yield only(batch, complete(batch)) if self._plan.drop else batch

    def _note(self, rows: Vector) -> None:
        self._first = self._first if len(self._first) else rows[:1].copy()
        self._same = self._same[(rows[:, self._same] == self._first[:, self._same]).all(axis=0)]
        large = squares(rows) >= WHOLE**2
        for place in np.flatnonzero((np.abs(rows) >= WHOLE).any(axis=0) if large else ()).tolist():
            column = rows[:, place]
            if (np.rint(column) == column).all():
                self._large[place] = self._large.get(place, 0) + int(np.count_nonzero(np.abs(column) >= WHOLE))

    def notes(self) -> list[str]:
        """What a person may not expect."""
        names = self._plan.recipe.names
        found = [
            f"{count:,} whole numbers of {printable(names[place])} are 2^53 or more, where float64 has not all: some may be rounded"
            for place, count in self._large.items()
        ]
        same = [printable(names[place]) for place in self._same.tolist()]
        if same:
            found.append(f"{listed(same)} {'has' if len(same) == 1 else 'have'} one value in all rows: no fit can use that")
        return found

    def summary(self) -> str:
        """What became of which columns, a line each kind."""
        recipe = self.recipe
        lines = [f"{self.rows:,} rows, {len(recipe.names):,} features", f"y: {printable(recipe.target.column)}"]
        if recipe.classes:
            shown = ", ".join(f"{code} {printable(word)}" for code, word in enumerate(recipe.classes[:SHOWN]))
            lines[-1] += f", classes {shown}{', ...' * (len(recipe.classes) > SHOWN)}"
        lines += [f"{what}: {printable(name)}" for what, name in (("weights", recipe.weights), ("offset", recipe.offset)) if name]
        for feature in recipe.features:
            if feature.kind is Kind.WORDS:
                first = f", the first, {printable(feature.levels[0])}, has none" * feature.reference
                lines.append(f"{printable(feature.column)}: {len(feature.levels)} categories, {feature.coding}{first}")
            elif feature.kind in UNITS:
                lines.append(f"{printable(feature.column)}: {feature.kind}, {UNITS[feature.kind]}")
        return "\n".join(lines)
