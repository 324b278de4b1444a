"""Moments of rows in one pass: the bits of numpy's, and of sums in which row comes after row, whatever the instruction set."""

from collections.abc import Iterator

import numpy as np
import pytest

from mpi_pgd.engine.arrays import Rows
from mpi_pgd.engine.narrow import as_bits, narrowed, type_of, widened
from mpi_pgd.kernel import NAME, NUMPY

if NAME == NUMPY:
    pytest.skip("no compiled kernel here", allow_module_level=True)
from mpi_pgd.kernel import native

KINDS = [
    "float64",
    "float32",
    "float16",
    "bfloat16",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "bool",
]


@pytest.fixture(params=native.names())
def every(request: pytest.FixtureRequest) -> Iterator[None]:
    """On each instruction set."""
    native.use(request.param)
    yield
    native.use(native.names()[0])


def expected(x: Rows, weights: Rows, unit: Rows, about: Rows, peaks: Rows) -> tuple[Rows, Rows, Rows]:
    less = widened(x) * unit - about
    sums = squares = np.zeros(x.shape[1])
    for weight, row in zip(weights, less, strict=True):
        sums, squares = sums + weight * row, squares + weight * (row * row)
    return sums, squares, np.maximum(peaks, np.abs(widened(x).astype(np.float64)).max(axis=0, initial=0.0))


@pytest.mark.usefixtures("every")
@pytest.mark.parametrize("kind", KINDS)
def test_moments(kind: str) -> None:
    for rows, features in ((0, 3), (1, 1), (7, 8), (8, 7), (21, 50), (64, 23)):
        draw = np.random.default_rng(rows)
        wide = draw.standard_normal((rows, features)) * 50
        x = narrowed(np.abs(wide) if kind.startswith("u") else wide, type_of(kind))
        weights, (unit, about), peaks = draw.random(rows), draw.standard_normal((2, features)), 100 * draw.random(features)
        for its in (weights, None):
            found = np.stack([*np.full((2, features), np.nan), peaks])
            handle = native.Handle(as_bits(x)[0], np.zeros(rows), its, None, as_bits(x)[1])
            handle.moments(unit, about, *found)
            assert np.array_equal(found, expected(x, np.ones(rows) if its is None else its, unit, about, peaks))
    with pytest.raises(ValueError, match="the arrays do not fit the rows"):
        handle.moments(unit[1:], about, *found)
