"""Rows of a table as HDF5: in the layout that loads fastest, with the recipe that they are made by."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import h5py

from mpi_pgd.data.words import ATTRIBUTE
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.errors import InputError
from mpi_pgd.losses.targets import MOST
from mpi_pgd.tables.ahead import ahead
from mpi_pgd.tables.batch import Batch, Table
from mpi_pgd.tables.recipe import Recipe

RECIPE, SOURCE = "recipe", "source"  # attributes

Batches = Callable[[tuple[str, ...]], Iterator[Batch]]  # all rows of some columns


def write(
    path: Path,
    table: Table,
    batches: Batches,
    recipe: Recipe,
    rows: int,
    targets: bool,
    source: str,
    note: Callable[[Vector], None],
) -> int:
    """Write a file that is there, and empty; how many rows there were.

    Args:
        path: the file.
        table: whose rows these are.
        batches: reads them, without those that are left out.
        recipe: what they become.
        rows: as many as the file has room for; where there are fewer, it has to be written again.
        targets: y and the weights are written, too; else the offset alone.
        source: where it is from, an attribute; empty if that does not matter.
        note: is told of the rows as they are written.

    Raises:
        InputError: the table can't be read, or does not fit the recipe.
    """
    done, own = 0, recipe.columns_beside(targets)
    # The oldest format and byte order by name: the defaults differ between versions of HDF5 and between machines.
    with h5py.File(path, "w", libver=("earliest", "v108")) as file:
        for name, text in ((RECIPE, recipe.to_text()), (SOURCE, source)):
            if text:
                file.attrs[name] = text
        file.create_dataset("feature_names", data=list(recipe.names), dtype=h5py.string_dtype(), track_times=False)
        x = file.create_dataset("X", (rows, len(recipe.names)), dtype="<f8", track_times=False)
        beside = {name: file.create_dataset(name, (rows,), dtype="<f8", track_times=False) for name in own}
        if targets:
            name_classes(beside["y"], recipe)

        def made() -> Iterator[tuple[Vector, dict[str, Vector]]]:
            for batch in batches(recipe.needed(targets)):
                if batch.rows:
                    found = recipe.apply(batch)
                    note(found)
                    yield found, {name: recipe.apply_beside(batch, feature) for name, feature in own.items()}

        with closing(ahead(made())) as ready:  # while some rows are written
            for found, others in ready:
                stop = done + len(found)
                if stop > rows:
                    raise InputError(f"{table.path} has changed while it was read: convert it again")
                x[done:stop] = found
                for name, values in others.items():
                    beside[name][done:stop] = values
                done = stop
    return done


def name_classes(y: h5py.Dataset, recipe: Recipe) -> None:
    """Have the targets say which words they are the places of, if any; more than any loss takes are in the recipe alone."""
    if 0 < len(recipe.classes) <= MOST:
        y.attrs.create(ATTRIBUTE, recipe.classes, dtype=h5py.string_dtype())
