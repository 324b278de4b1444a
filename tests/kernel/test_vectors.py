"""Vectors: one order of additions, whatever the instruction set."""

import numpy as np
import pytest

from mpi_pgd.kernel import NAME, NUMPY, Vector, reference

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


def test_bad_arrays() -> None:
    x = np.ones(8)
    for wrong in (x[::2], x.astype(np.float32), x[:7], 1.0):
        with pytest.raises((ValueError, TypeError)):
            native.dot(x, wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="has no sse9"):
        native.use("sse9")
