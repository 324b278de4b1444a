"""How a table's columns become X, y, weights and an offset: made of one table, stored with its rows, applied to others."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import Any

import numpy as np

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.errors import InputError, listed, nearest, printable
from mpi_pgd.tables.batch import Batch, Kind, Reading, Table, squares
from mpi_pgd.tables.feature import Feature, checked

VERSION = 1
UNITS = {Kind.DAYS: "days since 1970-01-01", Kind.SECONDS: "seconds since 1970-01-01 00:00 UTC", Kind.TRUTH: "1: true, 0: false"}


@dataclass(frozen=True)
class Recipe:
    """Of columns that become rows.

    Attributes:
        features: in the order of the columns of X.
        target: of which y is made; of words the places of the classes, 0 for the first.
        weights, offset: names of columns, empty if there is none.
        reading: how the table was read.
    """

    features: tuple[Feature, ...]
    target: Feature
    weights: str = ""
    offset: str = ""
    reading: Reading = field(default_factory=Reading)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Of the columns of X."""
        return tuple(name for feature in self.features for name in feature.names)

    @cached_property
    def _places(self) -> tuple[int, ...]:
        """Of the first column of X that each feature becomes; behind the last one p."""
        return tuple(accumulate((len(feature.names) for feature in self.features), initial=0))

    @property
    def columns(self) -> tuple[str, ...]:
        """Those of the table that X is made of."""
        return tuple(feature.column for feature in self.features)

    @property
    def classes(self) -> tuple[str, ...]:
        """The words for the targets 0, 1, ...; empty if these are numbers."""
        return self.target.levels

    def check(self, table: Table, targets: bool) -> None:
        """Refuse a table without a column that is needed; ``targets``: also those of y and weights."""
        known = {*table.names}
        absent = [name for name in self.needed(targets) if name not in known]
        if absent:
            raise InputError(
                f"{table.path} has no column {printable(absent[0])}{nearest(absent[0], table.names)}: the recipe needs "
                f"{listed([printable(name) for name in absent])}"
            )

    def needed(self, targets: bool) -> tuple[str, ...]:
        """Columns of the table, each once; ``targets``: also those of y and weights."""
        beside = (feature.column for feature in self.columns_beside(targets).values())
        return tuple(dict.fromkeys((*self.columns, *beside)))

    def apply(self, batch: Batch) -> Vector:
        """X of some rows, float64 (rows, p).

        Raises:
            InputError: a value is missing, infinite, of another kind, or a category that is not in the recipe.
        """
        out = np.zeros((batch.rows, len(self.names)))
        for feature, place in zip(self.features, self._places, strict=False):
            feature.write(batch, out, place)
        if not (squares(out) < np.inf or (good := np.isfinite(out)).all()):
            row, place = map(int, np.argwhere(~good)[0])
            raise self._bad(batch, next(self._sources(place)), row, np.isnan(out[row, place]))
        return out

    def columns_beside(self, targets: bool = True) -> dict[str, Feature]:
        """What y, the weights and the offset are made of, by what they are called with the rows; of these the offset alone."""
        named = {name: Feature(name, Kind.NUMBER) for name in ((self.weights, self.offset) if targets else (self.offset,)) if name}
        return {"y": self.target, **named} if targets else named

    def apply_beside(self, batch: Batch, feature: Feature) -> Vector:
        """One of ``columns_beside`` of some rows, float64 (rows,). Raises InputError as ``apply``."""
        column = checked(batch, feature.column, feature.kind)
        values = column.values
        if feature.kind is Kind.WORDS:
            codes = feature.codes(batch, column)
            values = np.where(codes < 0, np.nan, codes)
        good = np.isfinite(values)
        if not good.all():
            row = int(np.argmin(good))
            raise self._bad(batch, feature.column, row, np.isnan(values[row]))
        return values

    def _sources(self, place: int) -> Iterator[str]:
        """The table's column that a column of X is made of."""
        for feature in self.features:
            place -= len(feature.names)
            if place < 0:
                yield feature.column

    def _bad(self, batch: Batch, column: str, row: int, missing: np.bool_) -> InputError:
        if missing:
            return InputError(
                f"column {printable(column)} has no value in {batch.where(row)}: mend it, or see --missing, which drops such rows "
                f"or fills them"
            )
        return InputError(
            f"column {printable(column)} has an infinite value, or one beyond float64, in {batch.where(row)}: mend it"
        )

    def to_text(self) -> str:
        """As JSON."""
        return json.dumps({"version": VERSION, "units": UNITS, **asdict(self)})

    @classmethod
    def of_text(cls, text: str, path: str) -> "Recipe":
        """From what ``to_text`` gave, in the file ``path``.

        Raises:
            InputError: it is none, or one of a later version.
        """
        try:
            found = json.loads(text)
            if found["version"] > VERSION:
                raise InputError(f"the recipe in {path} is of a later version of mpi_pgd: use that, or convert the table again")
            given: dict[str, Any] = {key: _tuples(value) for key, value in found["reading"].items()}
            return cls(
                tuple(map(_feature, found["features"])),
                _feature(found["target"]),
                found["weights"],
                found["offset"],
                Reading(**given),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"the recipe in {path} is damaged ({error!r}): convert the table again") from None


def _tuples(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _feature(given: dict[str, Any]) -> Feature:
    return Feature(**{**given, "kind": Kind(given["kind"]), "levels": tuple(given["levels"])})
