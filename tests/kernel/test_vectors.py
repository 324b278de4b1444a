"""Vectors: one order of additions, whatever the instruction set."""

import numpy as np
import pytest

from mpi_pgd.kernel import NAME, NUMPY, Vector, norm, reference

if NAME == NUMPY:
    pytest.skip("no compiled kernel here", allow_module_level=True)
from mpi_pgd.kernel import native

SIZES = [0, 1, 7, 8, 9, 23, 200, 203]


def lanes(x: Vector) -> float:
    """The sum of numbers as the kernel has to add them."""
    sums = [0.0] * 8
    for place, number in enumerate(x.tolist()):
        sums[place % 8] += number
    a, b, c, d, e, f, g, h = sums
    return ((a + e) + (c + g)) + ((b + f) + (d + h))


@pytest.mark.parametrize("name", native.names())
@pytest.mark.parametrize("size", SIZES)
def test_dot(name: str, size: int) -> None:
    x, y = np.random.default_rng(size).standard_normal((2, size))
    native.use(name)
    try:
        assert native.dot(x, y) == lanes(x * y)
    finally:
        native.use(native.names()[0])
    assert reference.dot(x, y) == pytest.approx(native.dot(x, y), rel=1e-14, abs=1e-14)


def test_dots() -> None:
    x, y = np.random.default_rng(0).standard_normal((2, 3, 23))
    found, expected = np.empty(3), np.empty(3)
    native.dots(x, y, found)
    assert found.tolist() == [native.dot(a, b) for a, b in zip(x, y, strict=True)]
    reference.dots(x, y, expected)
    assert found == pytest.approx(expected, rel=1e-14)
    native.dots(x[:0], y[:0], found[:0])
    for wrong in (found[:2], np.empty(4), np.empty(0)):
        with pytest.raises(ValueError, match="as many lines"):
            native.dots(x, y, wrong)


def test_norm() -> None:
    x = np.random.default_rng(0).standard_normal((3, 30))
    assert norm(x) == norm(x.ravel())
    assert norm(x[:, :7]) == pytest.approx(float(np.linalg.norm(x[:, :7])), rel=1e-15)


def test_hypot() -> None:
    edges = [0.0, -0.0, 5e-324, 1e-310, 1e-200, 3.0, -4.0, 1e200, 1e308, -np.inf, np.nan]
    x, y = (part.ravel() for part in np.meshgrid(edges, edges))
    found = np.empty_like(x)
    native.hypot(x, y, found)
    with np.errstate(over="ignore"):
        assert found == pytest.approx(np.hypot(x, y), rel=1e-15, abs=0, nan_ok=True)
    with pytest.raises(ValueError, match="not of one length"):
        native.hypot(x, y[1:], found)


def test_bad_arrays() -> None:
    x = np.ones(8)
    for wrong in (x[::2], x.astype(np.float32), x[:7], 1.0):
        with pytest.raises((ValueError, TypeError)):
            native.dot(x, wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="has no sse9"):
        native.use("sse9")
