"""What can't be read or used is one sentence, with row and column, and leaves no file; nothing is silently another number."""

import gzip
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from mpi_pgd import InputError
from mpi_pgd.choices import Choices
from mpi_pgd.tables.convert import convert

pytestmark = pytest.mark.beside("numbers")

pa = pytest.importorskip("pyarrow")

from pyarrow import parquet  # noqa: E402

from tests.chaos.tables import case  # noqa: E402

LATE = "a,y\n" + "1,2\n" * 300_000  # of several blocks

BAD: dict[str, tuple[str | bytes, str, dict[str, Any]]] = {
    "empty": ("", "is empty", {}),
    "header only": ("a,y\n", "has no rows", {}),
    "no header": ("1,2\n3,4\n", "begins with numbers", {}),
    "a field too many": ("a,y\n1,2\n1,2,3\n", "line 3 of FILE has 3 fields: expected 2", {}),
    "a field too few": ("a,y\n1,2\n\n7\n", "line 4 of FILE has 1 fields: expected 2", {}),
    "words at last": (f"{LATE}x,1\n", "column a has 'x' in line 300002 of FILE, and a number in the rows before", {}),
    "words at first": ("a,y\nx,1\n3,2\n", "column a has 'x' in line 2 of FILE, and numbers, as '3' in line 3 of FILE", {}),
    "latin-1": ("a,y\né,1\n".encode("latin-1"), "is not UTF-8: line 2 has the byte 0xe9", {}),
    "UTF-16": ("a,y\n1,2\n".encode("utf-16"), "is UTF-16", {}),
    "NUL": ("a,y\n1\0,2\n", "bytes that are 0", {}),
    "NUL later": (f"b,{LATE}".replace("\n", "\nw,").removesuffix("w,") + "w\0,1,2\n", "has a byte 0 in line 300002", {"drop": ""}),
    "a name twice": ("a,y,a\n1,2,3\n", "has two columns a, in places 1 and 3", {}),
    "no target": ("a,b\n1,2\n", "no column y", {}),
    "semicolons": ("a;y\n1;2\n", "its only column is a;y, so give --delimiter ';'", {}),
    "target not named": ("a,y\n1,2\n", "name it with --target; its columns are a, y", {"target": ""}),
    "target missing": ("a,y\n1,2\n1,\n", "column y has no value in line 3", {"missing": "mean"}),
    "value missing": ("a,y\n1,2\nNA,3\n", "column a has no value in line 3", {}),
    "all missing": ("a,b,y\n,1,2\n,1,3\n", "column a of FILE has no value in any row", {}),
    "no category": ("a,b,y\n,1,2\n,1,3\n", "column a of FILE has no value in any row", {"categorical": "a", "missing": "mean"}),
    "overflow": ("a,y\n1,2\n1e999,3\n", "column a has an infinite value, or one beyond float64, in line 3", {}),
    "underscore": ("a,y\n1,2\n1_000,3\n", "column a has '1_000' in line 3", {}),
    "hex": ("a,y\n0x10,2\n0x11,3\n", "which looks like a number and is none here", {}),
    "decimal comma": ('a,y\n"1,5",2\n"2,5",3\n', "column a has '1,5' in line 2 of FILE, which looks like a number", {}),
    "thousands": (
        "a,y\n" + "".join(f'"{each:,}",1\n' for each in range(1_000, 1_300)),
        "'1,000' in line 2 of FILE, which",
        {},
    ),
    "another country's day": ("a,y\n03/11/2024,2\n3/12/2024,3\n", "'03/11/2024' in line 2 of FILE, which looks like a date", {}),
    "a day in words": ("a,y\n11-Mar-2024 10:30,2\n11-Mar-2024 11:15,3\n", "which looks like a date or a time and is none", {}),
    "a time of day": (
        "a,y\n10:30,2\n11:15:30 pm,3\n",
        "which looks like a date or a time and is none here: write it as in 2020-02-28",
        {},
    ),
    "a blank in front": ("a, y\n1,2\n", "no column y: its columns are a, ' y'; see --target", {}),
    "a day that is none": ("a,y\n2020-02-28,2\n2020-02-30,3\n", "column a has '2020-02-30' in line 3 of FILE", {}),
    "nanoseconds": (
        "a,y\n2020-02-28T10:00:00.123456,2\n2020-02-28T10:00:00.123456789,3\n",
        "column a has '2020-02-28T10:00:00.123456789' in line 3 of FILE, which is finer than microseconds",
        {},
    ),
    "a huge field": (
        f'a,b,y\n1,u,2\n1,"{"é" * 2_000_000}",3\n',
        "line 3 of FILE is too long, with 4,000,000 bytes in column b: expected at most 1,048,576",
        {"drop": "b"},
    ),
    "a zone at last": ("a,y\n2020-02-28T10:00,2\n2020-02-28T10:00Z,3\n", "column a has '2020-02-28T10:00Z' in line 3", {}),
    "too many categories": ("a,y\n" + "".join(f"n{each},1\n" for each in range(300)), "column a has more than 256 categories", {}),
    "names twice": ("a=v,a,y\n1,u,2\n1,v,2\n", "two features a=v", {}),
    "a quotation mark": ('a,y,b\n1,2,"u\n1,2,v\n', "quotation mark in line 2 of FILE is never closed", {}),
    "no feature": ("y\n1\n", "no column left that is a feature", {}),
    "no such pattern": ("a,y\n1,2\n", "--drop was given z*, which no column", {"drop": "z*"}),
    "marks alike": ("a,y\n1,2\n", "--decimal , is what stands between fields", {"decimal": ","}),
    "weights of words": ("a,w,y\n1,u,2\n", "column w of FILE holds words", {"weights": "w"}),
}


def refused(path: Path, weights: str = "", **chosen: Any) -> str:
    """The sentence, without the file's name; nothing is left."""
    with pytest.raises(InputError) as found:
        convert([str(path)], path.with_name("out.h5"), Choices(**{"target": "y", **chosen}), weights)
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    assert "\n" not in str(found.value)
    return str(found.value).replace(str(path), "FILE")


@pytest.mark.parametrize("name", BAD)
def test_bad_tables(tmp_path: Path, name: str) -> None:
    content, sentence, chosen = BAD[name]
    path = tmp_path / "table.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert sentence in refused(path, **chosen)


def test_cut_files(tmp_path: Path) -> None:
    """At every place: nothing of what is compressed, or has its index at its end, is taken for a whole table."""
    rows = pa.table({"a": np.arange(50.0), "w": ["x", "y"] * 25, "y": np.arange(50)})
    parquet.write_table(rows, tmp_path / "table.parquet")
    with pa.OSFile(str(tmp_path / "table.arrow"), "wb") as file, pa.ipc.new_file(file, rows.schema) as writer:
        writer.write_table(rows)
    (tmp_path / "table.csv.gz").write_bytes(gzip.compress(b"a,y\n1,2\n3,4\n"))
    for path in sorted(tmp_path.iterdir()):
        whole = path.read_bytes()
        folder = tmp_path / path.suffix
        folder.mkdir()
        for size in range(0, len(whole), max(1, len(whole) // 25)):
            (folder / path.name).write_bytes(whole[:size])
            assert refused(folder / path.name)


def test_types_that_are_no_numbers(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"a": [[1.0], [2.0]], "y": [1, 2]}), tmp_path / "table.parquet")
    assert "column a of FILE holds list<" in refused(tmp_path / "table.parquet")
    parquet.write_table(pa.table({"a": pa.array([1, None], pa.int64()), "y": [1, 2]}), tmp_path / "table.parquet")
    assert "column a has no value in row 2 of FILE" in refused(tmp_path / "table.parquet")


@pytest.mark.parametrize("seed", range(40))
def test_damaged_tables(tmp_path: Path, seed: int) -> None:
    """`make chaos` has 500."""
    assert case(Random(seed), tmp_path) == ""
