"""Data frames as rows of a model: by the features' names, or by the recipe that made features of such columns before."""

from collections.abc import Iterator, Sequence
from typing import Any

from mpi_pgd.data.frames import array_of, names_of
from mpi_pgd.data.names import Names, repeated
from mpi_pgd.engine.arrays import Rows, Vector
from mpi_pgd.errors import InputError, listed
from mpi_pgd.tables.arrow import pyarrow
from mpi_pgd.tables.batch import Kind, Reading
from mpi_pgd.tables.recipe import Recipe
from mpi_pgd.tables.typed import Typed

CALLED = "X"  # in sentences


class Named:
    """A frame whose columns are features; those of a model that has no names are taken in their order.

    Attributes:
        shape: rows, and columns that are features.
    """

    def __init__(self, frame: Any, names: Names) -> None:
        there = names_of(frame)
        self._places = _places(there, names) if names and there else slice(None)
        self._frame = frame
        self.shape = (int(frame.shape[0]), len(names) if isinstance(self._places, list) else int(frame.shape[1]))

    def __getitem__(self, rows: slice) -> Rows:
        frame = self._frame
        part = frame.iloc[rows] if hasattr(frame, "iloc") else frame.slice(rows.start, rows.stop - rows.start)
        return array_of(part, CALLED)[:, self._places]


def _places(there: Names, names: Names) -> list[int]:
    missing = [name for name in names if name not in there]
    if missing:
        raise InputError(f"{CALLED} has no column {listed(missing)}: expected the {len(names)} features of the model")
    if twice := repeated(tuple(name for name in there if name in names)):
        raise InputError(f"{CALLED} has two columns {twice}: give each a name of its own")
    return [there.index(name) for name in names]


def raw(frame: Any, names: Names, recipe: str) -> bool:
    """Whether its columns are those of a table, and not the features."""
    return recipe != "" and not set(names) <= set(names_of(frame))


def applied(frame: Any, text: str, most: int) -> Iterator[Vector]:
    """What a recipe makes of a frame, at most so many rows at a time.

    Raises:
        InputError: it has other columns, or values that the recipe does not know.
    """
    recipe, pa = Recipe.of_text(text, "the model"), pyarrow("a table's columns, which the model's recipe makes features of,")
    table = pa.Table.from_pandas(frame, preserve_index=False) if hasattr(frame, "iloc") else pa.table(frame)

    def batches(columns: Sequence[str]) -> Iterator[Any]:
        return iter(table.select(list(columns)).to_batches(max_chunksize=most))

    words = tuple(feature.column for feature in recipe.features if feature.kind is Kind.WORDS)
    given = Typed(CALLED, Reading(words=words), table.schema, table.num_rows, batches)
    recipe.check(given, targets=False)
    for batch in given.batches(list(dict.fromkeys(recipe.columns))):
        yield recipe.apply(batch)
