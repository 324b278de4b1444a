"""Matrices: each element is a chain of fused operations in ascending order, whatever the instruction set and the tiles."""

import ctypes
import ctypes.util
from collections.abc import Callable

import numpy as np
import pytest

from mpi_pgd.kernel import NAME, NUMPY, Vector, reference

if NAME == NUMPY:
    pytest.skip("no compiled kernel here", allow_module_level=True)
from mpi_pgd.kernel import native

LIBM = ctypes.CDLL(ctypes.util.find_library("m"))
LIBM.fma.restype, LIBM.fma.argtypes = ctypes.c_double, [ctypes.c_double] * 3
fused = np.vectorize(LIBM.fma, otypes=[np.float64])


def each(function: Callable[..., object], *arguments: object, out: tuple[int, ...]) -> list[Vector]:
    """What ``function`` writes into an array of this shape, with each instruction set."""
    found = []
    try:
        for name in native.names():
            native.use(name)
            found.append(np.full(out, np.nan))
            function(*arguments, found[-1])
    finally:
        native.use(native.names()[0])
    return found


def same(found: list[Vector]) -> Vector:
    assert all(one.tobytes() == found[0].tobytes() for one in found)
    return found[0]


def chained(a: Vector, b: Vector) -> Vector:
    """A'B as the kernel has to add it."""
    out = np.zeros((a.shape[1], b.shape[1]))
    for one, other in zip(a, b, strict=True):
        out = fused(one[:, None], other, out)
    return out


def rows(count: int, features: int) -> tuple[Vector, Vector, Vector]:
    """Rows with gaps between them, means, inverses of scales; with those of the ones."""
    draw = np.random.default_rng(count)
    x = draw.normal(3.0, 2.0, size=(2 * count, features))[::2]
    return x, np.append(x.mean(axis=0), 0.0), np.append(draw.random(features), 1.0)


def scaled(x: Vector, mean: Vector, inverse: Vector) -> Vector:
    return np.column_stack([(x - mean[:-1]) * inverse[:-1], np.ones(len(x))])


@pytest.mark.parametrize(("count", "features", "lines"), [(1, 1, 1), (260, 2, 1), (9, 25, 1), (5, 12, 3), (300, 200, 3)])
def test_gram(count: int, features: int, lines: int) -> None:
    """Of a single line by the root, of several by the curvature itself, which may be negative; in all sizes up to whole tiles."""
    x, mean, inverse = rows(count, features)
    h = np.random.default_rng(1).normal(1.0 if lines == 1 else 0.0, 0.5, size=(lines, 2 * count))[:, :count]
    shape = lines, (features + 1) * (features + 2) // 2
    found = same(each(native.gram, x, None, mean, inverse, h, out=shape))
    known = np.empty(shape)
    reference.gram(x, None, mean, inverse, h, known)
    np.testing.assert_allclose(found, known, rtol=1e-10, atol=1e-11 * count)
    z, upper = scaled(x, mean, inverse), np.triu_indices(features + 1)
    for curvature, triangle in zip(h, found, strict=True) if features < 50 else ():
        z_h = z * curvature[:, None]
        if lines == 1:
            z = z_h = z * np.sqrt(np.maximum(curvature, 0.0))[:, None]
        assert (triangle == chained(z_h, z)[upper]).all()


def test_gram_of_every_size() -> None:
    """Of each number of columns, and of some of them, the same numbers: tiles and padding leave no trace."""
    x, mean, inverse = rows(33, 70)
    h = np.random.default_rng(1).random((1, 33))
    whole = np.empty((71, 71))
    whole[np.triu_indices(71)] = same(each(native.gram, x, None, mean, inverse, h, out=(1, 71 * 36)))
    for size in range(70):
        columns = np.arange(70, size - 1, -1) if size % 2 else np.arange(size)
        arguments = (x, columns, mean, inverse, h) if size % 3 else (x[:, :size], None, mean[:size], inverse[:size], h)
        columns = columns if size % 3 else np.arange(size)
        found = same(each(native.gram, *arguments, out=(1, len(columns) * (len(columns) + 1) // 2)))
        square = np.triu(whole) + np.triu(whole, 1).T
        assert (found == square[np.ix_(columns, columns)][np.triu_indices(len(columns))]).all()


@pytest.mark.parametrize(("count", "left", "right"), [(1, 1, 1), (40, 3, 30), (260, 5, 2), (7, 30, 24)])
def test_cross(count: int, left: int, right: int) -> None:
    x, mean, inverse = rows(count, 40)
    draw = np.random.default_rng(left)
    one, other, h = draw.permutation(41)[:left], draw.permutation(41)[:right], draw.normal(size=count)
    found = same(each(native.cross, x, one, other, mean, inverse, h, out=(left, right)))
    z = scaled(x, mean, inverse)
    assert (found == chained(z[:, one] * h[:, None], z[:, other])).all()
    known = np.empty((left, right))
    reference.cross(x, one, other, mean, inverse, h, known)
    np.testing.assert_allclose(found, known, rtol=1e-10, atol=1e-12 * count)


def test_arrays_that_do_not_go_together() -> None:
    x, mean, inverse = rows(9, 5)
    h, out = np.ones((1, 9)), np.empty((1, 21))
    places = np.arange(6)
    good = (x, places, mean, inverse, h, out)
    native.gram(*good)
    wrong = {
        0: [x.T, x[:, ::2], x.astype(np.float32), x[0]],
        1: [places.astype(np.int32), places + 1, -places, places[:5], places[None]],
        2: [mean[:5], mean[:4], np.append(mean, 0.0)],
        4: [h[:, :8], np.ones((2, 9)), h[0]],
        5: [out[:, :20], np.empty((21, 2)).T[:1], out[0]],
    }
    for place, arrays in wrong.items():
        for array in arrays:
            with pytest.raises((ValueError, TypeError), match=r"gram|contiguous"):
                native.gram(*good[:place], array, *good[place + 1 :])  # type: ignore[arg-type]
    for left, right in ((places + 1, None), (None, places - 1), (places[:2], places)):
        with pytest.raises(ValueError, match="cross"):
            native.cross(x, left, right, mean, inverse, h[0], np.empty((6, 6)))
