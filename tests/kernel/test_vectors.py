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


@pytest.mark.parametrize("name", native.names())
@pytest.mark.parametrize(("runs", "run"), [(0, 8), (3, 1024), (5, 8), (2, 13), (40, 1024), (1, 3)])
def test_cut(name: str, runs: int, run: int) -> None:
    """To the bits of numpy, as all of it is exact; in one part and in two, in place and added to what is there."""
    random = np.random.default_rng(runs)
    x, had = random.standard_normal((2, runs, run))
    if runs > 2:
        x[1, run // 2], x[2, 0], x[0, -1] = np.nan, -np.inf, -0.0
    first, second, peaks = np.exp2(random.integers(-3, 3, runs)) * 1.5, np.full(runs, 1.5 * 2.0**-30), random.random(runs)
    native.use(name)
    try:
        for lows, place in ((False, False), (False, True), (True, False), (True, True)):
            found = []
            for cut in (native.cut, reference.cut):
                vector, known, low = x.copy(), peaks.copy(), had[: runs * lows] / 3
                high = vector if place else had.copy()
                with np.errstate(invalid="ignore"):
                    cut(vector, first, second[: runs * lows], known, high, low)
                found.append((known.tobytes(), high.tobytes(), low.tobytes()))
            assert found[0] == found[1]
    finally:
        native.use(native.names()[0])


def test_cut_of_bad_arrays() -> None:
    x, each, none = np.ones((2, 8)), np.ones(2), np.ones(0)
    native.cut(x, each, none, each.copy(), x, none)
    for wrong in ((x, each[:1], none, each, x, none), (x, each, none, each[:1], x, none), (x, each, none, each, x[:1], none)):
        with pytest.raises(ValueError, match="as many runs"):
            native.cut(*wrong)
    for first, second, low in ((each, each, none), (each, none, x), (each, each[:1], x), (np.ones(3), none, none)):
        with pytest.raises(ValueError, match="as many runs"):
            native.cut(x, first, second, each, x, low)


def test_bad_arrays() -> None:
    x = np.ones(8)
    for wrong in (x[::2], x.astype(np.float32), x[:7], 1.0):
        with pytest.raises((ValueError, TypeError)):
            native.dot(x, wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="has no sse9"):
        native.use("sse9")
