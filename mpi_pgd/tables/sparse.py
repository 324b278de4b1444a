"""Tables of few numbers a row: written as sparse rows, with what is beside them, whole or not at all."""

from pathlib import Path
from typing import cast

import h5py
import numpy as np

from mpi_pgd.choices import REFUSE, Choices
from mpi_pgd.data.rewritten import MADE
from mpi_pgd.data.sparsefile import DATA, INDICES, INDPTR, MEMBERS
from mpi_pgd.errors import InputError, nearest, printable
from mpi_pgd.tables.batch import Kind
from mpi_pgd.tables.feature import Feature
from mpi_pgd.tables.plan import OWN, Watch
from mpi_pgd.tables.recipe import Recipe
from mpi_pgd.tables.rows import Rows, Sparse
from mpi_pgd.tables.survey import Levels, survey
from mpi_pgd.tables.written import SOURCE, name_classes

DENSE = ("features", "drop", "missing")  # choices that are of dense tables alone
SHOWN = 8  # classes


class Writer:
    """Writes them.

    Attributes:
        rows, features: how many.
        recipe: of what is beside them, words that become classes.
    """

    def __init__(self, table: Sparse, chosen: Choices, beside: tuple[str, str], source: str, watch: Watch) -> None:
        weights, offset = beside
        self._source, self._table, self._watch, self.rows, self.features = source, table, watch, table.rows, table.features
        for name in DENSE:
            if getattr(chosen, name) not in ("", REFUSE):
                raise InputError(f"--{name} is of dense tables, and the rows of {table.path} are sparse: leave it out")
        target = chosen.target or table.target
        for flag, name in (("--target", target), ("--weights", weights), ("--offset", offset)):
            if name and name not in table.columns:
                known = ", ".join(map(printable, table.columns[:20])) or "none"
                raise InputError(
                    f"{flag} was given {name}{nearest(name, table.columns)}: expected a column of {table.path} ({known})"
                )
        if not target:
            raise InputError(f"{table.path} has several columns beside its rows: name the target with --target")
        for name in filter(None, (weights, offset)):
            if name in OWN or {"/", "\0"} & set(name) or name == target or weights == offset:
                raise InputError(f"{printable(name)} can't be the weights or the offset: expected a column of its own")
        if not table.rows:
            raise InputError(f"{table.path} has no rows: there is nothing to fit")
        self.recipe = Recipe((), self._target(target, chosen), weights, offset)

    @property
    def bytes(self) -> int:
        """That the rows take."""
        return 12 * self._table.numbers + 32 * self.rows

    def _target(self, name: str, chosen: Choices) -> Feature:
        """Words become codes."""
        kind = self._table.kinds([name])[name]
        if kind is not Kind.WORDS:
            return Feature(name, kind)
        levels = Levels(name, chosen.levels, as_they_are=True)
        survey(self._watch("looking at", self._table.beside((name,))), {name: levels}, drop=False)
        return Feature(name, kind, levels.levels())

    def write(self, path: Path) -> None:
        """The file."""
        table, recipe = self._table, self.recipe
        with h5py.File(path, "w", libver=("earliest", "v108")) as file:
            group = file.create_group("X")
            data = group.create_dataset(MEMBERS[DATA], (table.numbers,), table.dtype, track_times=False)
            indices = group.create_dataset(MEMBERS[INDICES], (table.numbers,), "<u4", track_times=False)
            starts = group.create_dataset(MEMBERS[INDPTR], (table.rows + 1,), "<i8", track_times=False)
            own = recipe.columns_beside()
            beside = {name: file.create_dataset(name, (table.rows,), "<f8", track_times=False) for name in own}
            starts[0], row, done, features = 0, 0, 0, table.features
            wanted = tuple(dict.fromkeys(feature.column for feature in own.values()))
            for each in self._watch("writing", table.batches(wanted)):
                some = cast("Rows", each)
                stop, end = row + some.rows, done + len(some.values)
                if stop > table.rows or end > table.numbers:
                    raise self._changed()
                data[done:end], indices[done:end] = some.values, some.indices
                starts[row + 1 : stop + 1] = done + np.cumsum(some.lengths)
                for name, feature in own.items():
                    beside[name][row:stop] = recipe.apply_beside(some, feature)
                features = max(features, int(some.indices.max(initial=-1)) + 1)
                row, done = stop, end
            if (row, done) != (table.rows, table.numbers):
                raise self._changed()
            self._describe(file, features)

    def _changed(self) -> InputError:
        return InputError(f"{self._table.path} has changed while it was read: convert it again")

    def _describe(self, file: h5py.File, features: int) -> None:
        """What the numbers are of, as AnnData and scipy's readers look for it."""
        if not features:
            raise InputError(f"{self._table.path} has no number in any row: there is nothing to fit")
        self.features = features
        file["X"].attrs["shape"] = self._table.rows, features
        file["X"].attrs["encoding-type"], file["X"].attrs["encoding-version"] = "csr_matrix", "0.1.0"
        file.attrs[MADE] = f"data convert: {Path(self._table.path).name}"
        if self._source:
            file.attrs[SOURCE] = self._source
        if self._table.names:
            names = list(self._table.names)
            file.create_dataset("feature_names", data=names, dtype=h5py.string_dtype(), track_times=False)
        name_classes(file["y"], self.recipe)

    def summary(self) -> str:
        """What was written."""
        table, recipe = self._table, self.recipe
        classes = ", ".join(f"{code} {printable(word)}" for code, word in enumerate(recipe.classes[:SHOWN]))
        told = f", classes {classes}{', ...' * (len(recipe.classes) > SHOWN)}" if classes else ""
        head = f"{table.rows:,} sparse rows, {table.numbers:,} numbers of {self.features:,} features"
        return f"{head}\ny: {printable(recipe.target.column)}{told}"

    def notes(self) -> tuple[str, ...]:
        """What a person may not expect: nothing."""
        return ()
