"""Sparse rows: one order of additions, whatever the instruction set, and whatever type numbers are stored in."""

from itertools import pairwise

import numpy as np
import pytest

from mpi_pgd.kernel import NAME, NUMPY, reference
from tests.kernel.test_vectors import lanes

if NAME == NUMPY:
    pytest.skip("no compiled kernel here", allow_module_level=True)
from mpi_pgd.kernel import native

COUNTS = [0, 1, 7, 8, 9, 0, 23, 200, 0]
STARTS = np.concatenate([[0], np.cumsum(COUNTS)])
DRAW = np.random.default_rng(3)


@pytest.mark.parametrize("name", native.names())
@pytest.mark.parametrize("kind", ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "?"])
def test_products(name: str, kind: str) -> None:
    values = (DRAW.normal(size=STARTS[-1]) * 50 + 60).astype(kind)
    columns, w, slopes = np.arange(1, 601, 2, dtype=np.uint32), DRAW.normal(size=700), DRAW.normal(size=len(COUNTS))
    native.use(name)
    try:
        for indices in (DRAW.integers(0, 300, len(values)).astype(width) for width in (np.uint16, np.uint32)):
            dot, tdot, about, transposed = np.ones((4, 300))
            native.sparse_dot(values, indices, STARTS, columns, w, dot[: len(COUNTS)])
            products = values * w[columns][indices]
            assert dot[: len(COUNTS)].tolist() == [lanes(products[a:b]) for a, b in pairwise(STARTS)]
            native.sparse_tdot(values, indices, STARTS, slopes, tdot)
            reference.sparse_dot(values, indices, STARTS, columns, w, about[: len(COUNTS)])
            reference.sparse_tdot(values, indices, STARTS, slopes, transposed)
            np.testing.assert_allclose(about, dot, rtol=1e-12)
            np.testing.assert_array_equal(transposed, tdot)
    finally:
        native.use(native.names()[0])


@pytest.mark.parametrize("name", native.names())
@pytest.mark.parametrize(("head", "lows"), [(0, 100), (64, 100), (64, 36), (0, 20)])
def test_a_fold_has_the_bits_of_numpy(name: str, head: int, lows: int) -> None:
    """With bounds of each number and of runs, and with lower sums of all, some, and few."""
    part, places, bounds = DRAW.normal(size=40), DRAW.permutation(95)[:40].astype(np.uint32), head // 16 + 100 - head
    part[3], part[4] = np.nan, np.inf
    first = np.ldexp(1.5, DRAW.integers(5, 9, bounds))
    found = []
    for module in (native, reference):
        sums = np.arange(bounds) / 7, np.arange(100) / 3, np.arange(lows) / 9
        native.use(name)
        try:
            with np.errstate(invalid="ignore"):
                module.fold_at(part, places, 5, 16, head, 2.0**-45, first, *sums)
        finally:
            native.use(native.names()[0])
        found.append(sums)
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_bad_arrays() -> None:
    values, indices, starts, columns = np.ones(3), np.zeros(3, np.uint16), np.array([0, 1, 3]), np.zeros(1, np.uint32)
    good = [values, indices, starts, columns, np.ones(1), np.ones(2)]
    native.sparse_dot(*good)  # type: ignore[arg-type]
    for place, wrong in enumerate([values[:2], indices.astype(int), np.array([0, 1, 4]), columns.astype(int), [1.0], np.ones(3)]):
        with pytest.raises((ValueError, TypeError, BufferError)):
            native.sparse_dot(*good[:place], wrong, *good[place + 1 :])  # type: ignore[arg-type]
    for wrong in (np.ones(3), indices):
        with pytest.raises((ValueError, TypeError)):
            native.sparse_tdot(values, indices, starts, wrong, np.ones(1))
        with pytest.raises((ValueError, TypeError)):
            native.fold_at(wrong, columns, 0, 1, 0, 0.5, *np.ones((4, 1)))
