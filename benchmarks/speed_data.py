"""The files that the lines of speed.py read: made-up rows, written in parts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

PART = 50_000  # rows


def dense(path: Path, rows: int, features: int, dtype: str) -> None:
    """X of this type and two classes; of small whole numbers where the type has no others."""
    draw = np.random.default_rng(1)
    with h5py.File(path, "w") as file:
        x = file.create_dataset("X", (rows, features), dtype)
        for here in _parts(rows):
            shape = (here.stop - here.start, features)
            whole = np.dtype(dtype).kind == "i"
            x[here] = draw.integers(-9, 10, shape, dtype) if whole else draw.standard_normal(shape, dtype)
        file["y"] = draw.integers(0, 2, rows).astype(np.float64)


def sparse(path: Path, rows: int, features: int, each: int) -> None:
    """Rows of so many nonzeros; a column occurs the more seldom the higher its rank (Zipf's law), and ranks are shuffled."""
    draw = np.random.default_rng(2)
    names = draw.permutation(features).astype(np.int32)
    truth, steps = draw.standard_normal(features), np.arange(each)
    with h5py.File(path, "w") as file:
        values, indices = _csr(file, (rows, features), np.arange(rows + 1, dtype=np.int64) * each, np.float64)
        y = file.create_dataset("y", (rows,), "f8")
        for here in _parts(rows):
            ranks = np.sort((features - each) ** draw.random((here.stop - here.start, each)), axis=1).astype(np.int64) - 1
            ranks = np.maximum.accumulate(ranks - steps, axis=1) + steps  # none twice in a row
            columns = np.sort(names[ranks], axis=1)
            data = draw.standard_normal(columns.shape)
            flat = slice(here.start * each, here.stop * each)
            values[flat], indices[flat] = data.ravel(), columns.ravel()
            eta = (data * truth[columns]).sum(axis=1) / np.sqrt(each)
            y[here] = draw.random(len(eta)) < 1 / (1 + np.exp(-eta))


def csr(path: Path, x: Any, y: Any) -> None:
    """A matrix of scipy's, and targets."""
    with h5py.File(path, "w") as file:
        values, indices = _csr(file, x.shape, x.indptr.astype(np.int64), x.dtype)
        values[:], indices[:] = x.data, x.indices
        file["y"] = y


def _csr(file: h5py.File, shape: tuple[int, int], indptr: Any, dtype: Any) -> tuple[Any, Any]:
    """A group X as AnnData has it; what is still to be filled: its values, and their columns."""
    group = file.create_group("X")
    group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": np.array(shape)})
    group["indptr"] = indptr
    return (group.create_dataset(name, (int(indptr[-1]),), kind) for name, kind in (("data", dtype), ("indices", np.int32)))


def _parts(rows: int) -> Iterator[slice]:
    for start in range(0, rows, PART):
        yield slice(start, min(start + PART, rows))
