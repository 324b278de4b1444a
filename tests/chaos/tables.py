"""Damaged tables: CSVs made at random are flipped, cut, and filled with what no table should have, and converted.

A case ends well if it is refused in one sentence, or if every number is what Python's own reader makes of the field.
"""

import csv
import gzip
import io
import math
import re
import traceback
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import h5py
import numpy as np

from mpi_pgd import InputError
from mpi_pgd.choices import Choices
from mpi_pgd.tables import spelling
from mpi_pgd.tables.batch import Kind
from mpi_pgd.tables.convert import convert
from mpi_pgd.tables.feature import Feature
from mpi_pgd.tables.recipe import Recipe
from mpi_pgd.tables.spelling import FALSE, TRUE
from tests.chaos.common import Ground, Tally

DAYS = date(1970, 1, 1).toordinal()
MISSING = frozenset(spelling.missing(()))
NUMBERS = ("0", "-1", "3.25", "+2", "1e3", ".5", "7.", " 4", "1e-300", "123456789012345678", "0.1", "-0.0", "9007199254740993")
WORDS = ("red", "green", "blue", 'say "no"', "a,b", "two\nlines", "=1+1", "é", "x y")
NASTY = (
    *("1e999", "-inf", "nan", "Infinity", "0x10", "1_000", "1,5", "1.5.2", "--1", "1d3", "12e", "NaN(1)", "True", "٣"),
    *(
        '"',
        '""',
        ",",
        "\n",
        "\r",
        "\r\n",
        "\n\n",
        "\0",
        "\t",
        ";",
        "'",
        " ",
        "NA",
        "null",
        "#",
        "\ufeff",
        "2020-13-01",
        "2020-01-01T10:00",
    ),
)


def table(random: Random) -> str:
    """A sound one."""
    rows = random.choice((1, 2, 5, 40, 40))
    columns: list[list[str]] = []
    for _ in range(random.randint(2, 6)):
        kind = random.choice(("number", "number", "float", "word", "day", "truth"))
        make: dict[str, Callable[[], str]] = {
            "number": lambda: random.choice(NUMBERS),
            "float": lambda: repr(random.gauss(0, 10 ** random.randint(-5, 5))),
            "word": lambda: random.choice(WORDS),
            "day": lambda: date.fromordinal(random.randint(700000, 740000)).isoformat(),
            "truth": lambda: random.choice((*TRUE, *FALSE)),
        }
        gaps = random.choice((0, 0, 0, 0.1))
        columns.append([random.choice(("", "NA", "nan")) if random.random() < gaps else make[kind]() for _ in range(rows)])
    out = io.StringIO()
    writer = csv.writer(out, lineterminator=random.choice(("\n", "\n", "\r\n")))
    writer.writerow([f"c{place}" for place in range(len(columns))])
    writer.writerows(zip(*columns, strict=True))
    return out.getvalue()


def damaged(content: bytes, random: Random) -> bytes:
    """With a few mistakes, or none."""
    for _ in range(random.choice((0, 1, 1, 1, 2, 4))):
        place = random.randrange(len(content) + 1)
        match random.randrange(8):
            case 0:
                content = content[:place]
            case 1:
                content = content[:place] + bytes([random.randrange(256)]) + content[place + 1 :]
            case 2:
                content = content[:place] + content[place + random.randint(1, 5) :]
            case 3:
                lines = content.splitlines(keepends=True)
                content = b"".join(random.choice((lines + lines[:1], lines[1:], lines[:1])))
            case 4:
                content = content.decode("utf-8", "replace").encode(random.choice(("utf-16", "latin-1", "utf-8-sig")), "replace")
            case _:
                content = content[:place] + random.choice(NASTY).encode() + content[place:]
    return content


def case(random: Random, folder: Path) -> str:
    """One table, in an empty folder; what is wrong, or nothing."""
    content = damaged(table(random).encode(), random)
    path, out = folder / "table.csv", folder / "out.h5"
    packed = random.random() < 0.1
    if packed:
        path = folder / "table.csv.gz"
        whole = gzip.compress(content, mtime=0)
        path.write_bytes(whole[: random.choice((len(whole), len(whole), len(whole) // 2))])
    else:
        path.write_bytes(content)
    chosen = Choices(
        target=f"c{random.randrange(2)}",
        missing=random.choice(("refuse", "drop", "mean")),
        categories=random.choice(("one-hot", "codes")),
        reference=random.choice(("first", "none")),
        categorical=random.choice(("", "", "", "c1")),
    )
    try:
        made = convert([str(path)], out, chosen, force=True)
    except InputError as error:
        left = sorted(each.name for each in folder.iterdir() if each != path)
        return "" if "\n" not in str(error) and not left else f"{str(error)!r}; left: {left}"
    except Exception:
        return traceback.format_exc()
    try:
        return wrong(content, made.recipe, out, chosen.missing == "drop")
    except Exception:
        return f"what was converted is none to Python: {traceback.format_exc()}"


def wrong(content: bytes, recipe: Recipe, out: Path, drop: bool) -> str:
    """The first number that is not what Python makes of the field."""
    header, *rows = [row for row in csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")) if row]
    names = [name if name.strip() else f"unnamed_{place}" for place, name in enumerate(header, 1)]
    with h5py.File(out) as file:
        x, y = file["X"][()], file["y"][()]
    used = [(feature, names.index(feature.column)) for feature in (*recipe.features, recipe.target)]
    if drop:
        rows = [row for row in rows if not any(missing(feature, row[place]) for feature, place in used)]
    if len(rows) != len(x):
        return f"{len(x)} rows, and Python has {len(rows)}"
    means = {feature.column: mean(rows, names.index(feature.column), feature) for feature in recipe.features}
    for number, row in enumerate(rows):
        expected = [value for feature in recipe.features for value in cells(feature, row[names.index(feature.column)], means)]
        told = list(cells(recipe.target, row[names.index(recipe.target.column)], {}, hot=False))
        if not close(x[number], expected) or not close(y[number : number + 1], told):
            return f"row {number} is {x[number].tolist()} and {y[number]}, and Python has {expected} and {told} of {row}"
    return ""


def close(found: Any, expected: list[float]) -> bool:
    """To the bit, but for means, which Python adds up in another order."""
    return len(found) == len(expected) and bool(np.allclose(found, expected, rtol=1e-14, atol=0))


def missing(feature: Feature, text: str) -> bool:
    """A word for no value; of numbers NaN in another spelling, too."""
    nan = feature.kind is Kind.NUMBER and re.fullmatch(r"[+-]?nan(\(\w*\))?", text.strip(), re.IGNORECASE)
    return text in MISSING or bool(nan)


def value(feature: Feature, text: str) -> float:
    """A field as a number; NaN if there is none."""
    if missing(feature, text):
        return math.nan
    if feature.kind is Kind.WORDS:
        return float(feature.levels.index(text))
    if feature.kind is Kind.TRUTH:
        return 1.0 if text in TRUE else 0.0
    if feature.kind is Kind.DAYS:
        return float(date.fromisoformat(text.strip()).toordinal() - DAYS)
    return float(text)


def mean(rows: list[list[str]], place: int, feature: Feature) -> float:
    there = [each for row in rows if not math.isnan(each := value(feature, row[place]))]
    return math.fsum(there) / len(there) if there else math.nan


def cells(feature: Feature, text: str, means: dict[str, float], hot: bool = True) -> Iterator[float]:
    """The numbers that a field becomes."""
    found = value(feature, text)
    if feature.kind is Kind.WORDS and feature.coding == "one-hot" and hot:
        yield from (float(found == code) for code in range(int(feature.reference), len(feature.levels)))
    elif feature.kind is Kind.WORDS or not math.isnan(found):
        yield feature.fill if math.isnan(found) and feature.fill is not None else found
    else:
        yield means.get(feature.column, math.nan)
    if feature.indicator:
        yield float(math.isnan(found))


def run(count: int, random: Random, ground: Ground, tally: Tally) -> None:
    """So many tables."""

    def ended(seed: int) -> tuple[str, str]:
        with TemporaryDirectory(dir=ground.folder) as folder:
            if fault := case(Random(seed), Path(folder)):
                raise AssertionError(f"seed {seed}: {fault}")
        return "ended in good order", ""

    for _ in range(count):
        seed = random.randrange(2**32)
        tally.case(f"table {seed}", partial(ended, seed))
