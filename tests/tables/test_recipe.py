"""A recipe makes of another table the rows that it made of its own, and refuses what it can't."""

import gzip
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from mpi_pgd import InputError
from mpi_pgd.choices import Choices
from mpi_pgd.tables import open_table
from mpi_pgd.tables.again import again
from mpi_pgd.tables.plan import plan
from mpi_pgd.tables.recipe import Recipe
from mpi_pgd.tables.spool import Spool

pytest.importorskip("pyarrow")

TABLE = "size,colour,zip,day,good,y\n1,red,1,2020-01-01,true,u\n,blue,02,2020-01-02,false,v\n3,green,3,2020-01-03,TRUE,u\n"


def made(path: Path, **chosen: Any) -> Recipe:
    """The recipe of TABLE, as it comes back from its text."""
    (path / "table.csv").write_text(TABLE)
    choices = Choices(target="y", missing="mean", categorical="zip", **chosen)
    with Spool(path) as spool:
        found = plan([str(path / "table.csv")], choices, "", "", lambda _, batches: batches, spool).recipe
    assert Recipe.of_text(found.to_text(), "there") == found
    return found


def test_a_compressed_table(tmp_path: Path) -> None:
    """Its rows are counted by a first pass, which keeps them."""
    recipe, found = made(tmp_path), []
    for name, content in (("new.csv", TABLE.encode()), ("new.csv.gz", gzip.compress(TABLE.encode()))):
        (tmp_path / name).write_bytes(content)
        out = tmp_path / f"{name}.h5"
        again(recipe, [str(tmp_path / name)], True, "", lambda _, batches: batches)(out)
        with h5py.File(out) as file:
            found.append(np.column_stack([file["X"][()], file["y"][()]]).tolist())
    assert found[0] == found[1]
    assert [row[-1] for row in found[0]] == [0, 1, 0]


def applied(recipe: Recipe, path: Path, content: str) -> Any:
    """X of a new table."""
    (path / "new.csv").write_text(content)
    table = open_table(str(path / "new.csv"), recipe.reading)
    recipe.check(table, targets=False)
    return np.vstack([recipe.apply(batch) for batch in table.batches(recipe.columns)])


def test_other_tables(tmp_path: Path) -> None:
    """Columns in any order, others beside them, and gaps where there were some before."""
    recipe = made(tmp_path)
    assert recipe.names == ("size", "size is missing", "colour=green", "colour=red", "zip=1", "zip=3", "day", "good")
    assert recipe.classes == ("u", "v")
    found = applied(recipe, tmp_path, "good,more,day,zip,colour,size\nfalse,?,2020-01-01,3,red,\ntrue,?,1970-01-02,02,blue,7\n")
    assert found.tolist() == [[2, 1, 0, 1, 0, 1, 18262, 0], [7, 0, 0, 0, 0, 0, 1, 1]]
    codes = made(tmp_path, categories="codes")
    assert codes.names == ("size", "size is missing", "colour", "zip", "day", "good")
    assert applied(codes, tmp_path, TABLE)[:, 2:4].tolist() == [[2, 1], [0, 0], [1, 2]]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "red",
            "pink",
            "column colour has 'pink' in line 2 of FILE, which is none of the categories of the recipe (blue",
        ),
        ("red", "", "column colour has no value in line 2"),
        ("colour", "color", "FILE has no column colour (did you mean color?)"),
        ("3,green", "x,green", "column size has 'x' in line 4 of FILE, and a number in the rows before"),
        ("1,red", "x,red", "column size has 'x' in line 2 of FILE, a word: expected a number there"),
        ("2020-01-01", "1", "column day has '2020-01-02' in line 3 of FILE, and a number in the rows before"),
        ("TRUE", "maybe", "column good has 'maybe' in line 4 of FILE, a word: expected a truth value there"),
        ("1,red", "inf,red", "column size has an infinite value, or one beyond float64, in line 2"),
    ],
)
def test_tables_that_do_not_fit(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    recipe = made(tmp_path)
    with pytest.raises(InputError) as found:
        applied(recipe, tmp_path, TABLE.replace(old, new, 1))
    assert sentence in str(found.value).replace(str(tmp_path / "new.csv"), "FILE")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 1}', '{"version": 99}'])
def test_damaged_recipes(text: str) -> None:
    with pytest.raises(InputError, match="the recipe in there is"):
        Recipe.of_text(text, "there")
