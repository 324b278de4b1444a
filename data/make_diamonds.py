#!/usr/bin/env python3
"""Make diamonds.h5, the data set that this repository ships, from the copy of the diamonds in the package plotnine.

    pip install numpy 'h5py>=3.13'
    pip install --no-deps plotnine
    python data/make_diamonds.py [OUT.h5]      # without OUT.h5: diamonds.h5 beside this script

The same CSV gives the same file: nothing in it depends on the time, the folder, the order of a dictionary, or a
mathematical library. README.md beside this script says what the file holds and where the data come from.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import sys
from decimal import Context, Decimal
from importlib.util import find_spec
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

NUMBERS = ("carat", "depth", "table", "x", "y", "z")
# Each in ggplot2's order. The first level of each gets no column: with it, the columns of a factor would add up to
# the intercept's column of ones, and the least-squares weights would not be unique.
FACTORS = {
    "cut": ("Fair", "Good", "Very Good", "Premium", "Ideal"),
    "color": ("D", "E", "F", "G", "H", "I", "J"),
    "clarity": ("I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF"),
}
ROWS = 53_940
CSV_SHA256 = "9574730b03aba241d899c4a97511c5061b19358fab89510774fb6c24168345c4"
# Whole rows, so that a reader of a run of rows unpacks no chunk for nothing; 736 KiB, so that a chunk fits into
# HDF5's default cache of 1 MiB.
CHUNK_ROWS = 4096


def feature_names() -> list[str]:
    """The 23 columns of X in order: the numbers by name, then `factor=level` for each level but a factor's first."""
    dummies = [f"{factor}={level}" for factor, levels in FACTORS.items() for level in levels[1:]]
    return [*NUMBERS, *dummies]


def find_csv() -> Path:
    """Path of plotnine's diamonds.csv. plotnine is not imported, so that what it needs need not be installed.

    Raises:
        SystemExit: plotnine is not installed.
    """
    spec = find_spec("plotnine")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("plotnine, whose wheel holds diamonds.csv, is not installed: pip install --no-deps plotnine")
    return Path(spec.submodule_search_locations[0]) / "data" / "diamonds.csv"


def read_rows(path: Path) -> list[dict[str, str]]:
    """The 53,940 rows of the CSV at `path`, as text, in the file's order.

    Raises:
        SystemExit: the CSV is missing, or is not the one that diamonds.h5 was made from.
    """
    if not path.is_file():
        raise SystemExit(f"{path} is missing: reinstall plotnine (0.12.4 and 0.15.9 are known to hold it)")
    raw = path.read_bytes()
    if hashlib.sha256(raw).hexdigest() != CSV_SHA256:
        raise SystemExit(f"{path} is not the CSV that diamonds.h5 was made from: install plotnine 0.15.9")
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8"), newline="")))
    assert len(rows) == ROWS
    return rows


def features(rows: list[dict[str, str]]) -> Floats:
    """X, shape (rows, 23), float64: the numbers in their units, then a 1 in the column of each factor's level."""
    numbers = [[float(row[name]) for name in NUMBERS] for row in rows]
    dummies = [[float(row[factor] == level) for factor, levels in FACTORS.items() for level in levels[1:]] for row in rows]
    return np.hstack([np.array(numbers), np.array(dummies)])


def log_prices(rows: list[dict[str, str]]) -> Floats:
    """y, shape (rows,), float64: the natural log of the price in US dollars, correctly rounded."""
    # A C library's log may be off by one unit in the last place, and which one is installed must not show.
    exact = Context(prec=40)
    logs = {price: float(Decimal(price).ln(exact)) for price in {row["price"] for row in rows}}
    return np.array([logs[row["price"]] for row in rows])


def write(path: Path, x: Floats, y: Floats) -> None:
    """Write X (rows, 23) and y (rows,) with names and provenance to the HDF5 file `path`, whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        # The oldest format: newer ones may stamp the time, and the default differs between versions of HDF5.
        with h5py.File(part, "w", libver=("earliest", "v108")) as file:
            _describe(file)
            for name, values in (("X", x), ("y", y)):
                file.create_dataset(
                    name,
                    data=values,
                    dtype="<f8",
                    chunks=(CHUNK_ROWS, *values.shape[1:]),
                    compression="gzip",
                    compression_opts=9,
                    shuffle=True,
                    track_times=False,
                    fill_time="alloc",  # the rest of the last chunk is zeros; the default differs between versions
                )
            file["X"].attrs["feature_names"] = np.array(feature_names(), dtype=h5py.string_dtype("utf-8"))
            file["y"].attrs["description"] = "natural log of the price in US dollars"
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _describe(file: h5py.File) -> None:
    """Set the attributes that say where the data come from."""
    file.attrs["title"] = "Prices and other attributes of 53,940 round cut diamonds"
    file.attrs["source"] = "diamonds.csv of the Python package plotnine, which has it from the R package ggplot2"
    file.attrs["source_url"] = "https://pypi.org/project/plotnine/0.15.9/"
    file.attrs["source_sha256"] = CSV_SHA256
    file.attrs["licence"] = "MIT; (c) ggplot2 authors; (c) 2022 Hassan Kibirige (plotnine)"
    file.attrs["made_by"] = "data/make_diamonds.py"


def main() -> None:
    """Make the file that the command line names."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("diamonds.h5")
    rows = read_rows(find_csv())
    write(out, features(rows), log_prices(rows))
    print(f"{out}: {len(rows):,} rows, {len(feature_names())} features, {out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
