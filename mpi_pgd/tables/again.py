"""Another table, as the rows that a recipe makes of it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.errors import InputError
from mpi_pgd.system import output
from mpi_pgd.tables import open_tables
from mpi_pgd.tables.batch import Batch
from mpi_pgd.tables.plan import Watch
from mpi_pgd.tables.recipe import Recipe
from mpi_pgd.tables.spool import Spool
from mpi_pgd.tables.written import write


def again(recipe: Recipe, paths: Sequence[str], targets: bool, source: str, watch: Watch) -> output.Content:
    """What writes rows for a model that was fitted to rows of this recipe; no row is left out.

    Args:
        recipe: how another table became rows.
        paths: files of this one.
        targets: y and the weights are wanted, too.
        source: what the file is to say of where it is from.
        watch: tells how far it is.

    Raises:
        InputError: here and there: the table can't be read, or does not fit the recipe.
    """
    table = open_tables(paths, recipe.reading)
    recipe.check(table, targets)

    def whole(path: Path) -> None:
        with Spool(path.parent) as spool:
            rows = table.rows
            if rows is None:
                first = spool.first(table, recipe.columns[:1], recipe.needed(targets))
                rows = sum(batch.rows for batch in watch("counting rows of", first))

            def written(room: int) -> int:
                def batches(columns: tuple[str, ...]) -> Iterator[Batch]:
                    return watch("reading", spool.again(table, columns))

                return write(path, table, batches, recipe, room, targets, source, _unnoted)

            done = written(rows)
            if not done:
                raise InputError(f"{table.path} has no rows")
            if done < rows:  # of a table of text there are fewer than lines
                written(done)

    return whole


def _unnoted(_: Vector) -> None:
    """Nothing is noted of these rows."""
