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
from tests.kernel.test_dense import TYPES
from tests.kernel.test_vectors import lanes

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


def positive(size: int) -> Vector:
    x = np.random.default_rng(size).normal(size=(2 * size + 3, size))
    return np.asarray(x.T @ x)


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


@pytest.mark.parametrize("kind", ["spread", "alike", "whole", "special"])
def test_fused_operations_are_exact(kind: str) -> None:
    """Where there is no instruction for them, too: with sums that cancel, ties, and at the ends of the numbers' range."""
    draw, shape = np.random.default_rng(7), (300, 5, 24)
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, 5e-324, -2e-308, 1e-200, 1e160, -1.7e308, 1.0, 1 + 2**-52, 2.0**-537, 2.0**-500]
    rows_of = {
        "spread": np.ldexp(draw.normal(size=shape), draw.integers(-540, 510, shape)),
        "alike": draw.normal(size=shape),
        "whole": np.ldexp(draw.integers(-(2**28), 2**28, shape), draw.integers(-3, 3, shape)),
        "special": np.array(special)[draw.integers(0, len(special), shape)],
    }[kind]
    rows_of[:, 1, :12] = -rows_of[:, 0, :12] * (1 + 2.0**-52 * draw.integers(-2, 3, (300, 12)))
    rows_of[:, 1, 12:] = rows_of[:, 0, 12:]
    left, right, mean, inverse = np.arange(12), np.arange(12, 24), np.zeros(24), np.ones(24)
    with np.errstate(all="ignore"):
        for x in rows_of:
            found = each(native.cross, x, left, right, mean, inverse, np.ones(5), out=(12, 12))
            wanted = chained(x[:, :12] - 0.0, x[:, 12:] - 0.0)
            for one in found:
                assert ((one.view(np.int64) == wanted.view(np.int64)) | np.isnan(wanted)).all()
                assert np.isnan(one[np.isnan(wanted)]).all()


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


@pytest.mark.parametrize("features", [3, 24, 29])
def test_rows_as_they_are_stored(features: int) -> None:
    """Widened while they are packed: the same numbers."""
    whole, mean, inverse = rows(5, features)
    h = np.random.default_rng(1).random((1, 5))
    for kind in TYPES:
        x = np.floor(np.abs(whole)).astype(kind)
        for columns in (None, np.arange(features, -1, -1), np.arange(features)[::2].copy()):
            count = features + 1 if columns is None else len(columns)
            shape = 1, count * (count + 1) // 2
            found = same(each(native.gram, x, columns, mean, inverse, h, out=shape))
            assert (found == same(each(native.gram, x.astype(float), columns, mean, inverse, h, out=shape))).all()


def test_arrays_that_do_not_go_together() -> None:
    x, mean, inverse = rows(9, 5)
    h, out = np.ones((1, 9)), np.empty((1, 21))
    places = np.arange(6)
    good = (x, places, mean, inverse, h, out)
    native.gram(*good)
    wrong = {
        0: [x.T, x[:, ::2], x.astype(complex), x[0]],
        1: [places.astype(np.int32), places + 1, -places, places[:5], places[None]],
        2: [mean[:5], mean[:4], np.append(mean, 0.0)],
        4: [h[:, :8], np.ones((2, 9)), h[0]],
        5: [out[:, :20], np.empty((21, 2)).T[:1], out[0]],
    }
    for place, arrays in wrong.items():
        for array in arrays:
            with pytest.raises((ValueError, TypeError), match=r"gram|contiguous|real"):
                native.gram(*good[:place], array, *good[place + 1 :])  # type: ignore[arg-type]
    for left, right in ((places + 1, None), (None, places - 1), (places[:2], places)):
        with pytest.raises(ValueError, match="cross"):
            native.cross(x, left, right, mean, inverse, h[0], np.empty((6, 6)))


@pytest.mark.parametrize("size", [0, 1, 7, 24, 25, 96, 97, 290])
def test_cholesky_and_inverse(size: int) -> None:
    """In bands and tiles the same as element by element: what is left of it, less each product, over the diagonal."""
    a = positive(size)
    lower = same(each(native.cholesky, np.tril(a), out=a.shape))
    np.testing.assert_allclose(lower, np.linalg.cholesky(a), rtol=1e-10, atol=1e-13 * np.sqrt(np.abs(a).max(initial=0)))
    assert not np.triu(lower, 1).any()
    found = same(each(native.inverse, lower, out=a.shape))
    known = np.empty(a.shape)
    reference.inverse(lower, known)
    np.testing.assert_allclose(found, known, rtol=1e-9, atol=1e-13 * np.abs(known).max(initial=0))
    assert not np.triu(found, 1).any()
    for j in range(size) if size in (7, 25, 97) else ():
        column, row = a[j:, j], np.zeros(j + 1)
        for k in range(j):
            column = fused(-lower[j, k], lower[j:, k], column)
            row = fused(-lower[j, k], found[k, : j + 1], row)
        assert (lower[j:, j] == np.append(np.sqrt(column[0]), column[1:] / np.sqrt(column[0]))).all()
        assert (found[j, : j + 1] == np.append(row[:-1], 1.0) / lower[j, j]).all()


@pytest.mark.parametrize("size", [0, 1, 2, 3, 9, 40, 130])
def test_solve_and_largest(size: int) -> None:
    a, b = positive(size), np.random.default_rng(1).normal(size=size)
    x = same(each(native.solve, a, b, out=b.shape))
    np.testing.assert_allclose(x, np.linalg.solve(a, b), rtol=1e-10)

    def largest(a: Vector, out: Vector) -> None:
        out[0] = native.largest(a)

    for indefinite in (a, -a, a - np.trace(a) / max(1, size) * np.eye(size)) if size else ():
        found = same(each(largest, indefinite, out=(1,)))
        assert found[0] == pytest.approx(np.linalg.eigvalsh(indefinite)[-1], abs=1e-13 * np.abs(a).sum())
        assert reference.largest(indefinite) == pytest.approx(found[0], abs=1e-13 * np.abs(a).sum())


def test_the_largest_where_nothing_is_beside_the_diagonal() -> None:
    assert native.largest(np.diag([1.0, 3.0, 2.0, 0.0])) == 3.0
    assert native.largest(np.zeros((3, 3))) == 0.0


@pytest.mark.parametrize("place", [0, 50, 95, 96, 120])
def test_what_is_not_positive_definite_is_told(place: int) -> None:
    a, out = positive(121), np.empty((121, 121))
    for wrong in (-1.0, 0.0):
        a[place, place] = wrong
        assert not reference.cholesky(a, out)
        for name in native.names():
            native.use(name)
            assert not native.cholesky(a, out)
            assert not native.solve(a, a[0], out[0])
    assert not reference.solve(np.ones((2, 2)), np.ones(2), np.ones(2))
    a[place, place] = np.nan  # in LAPACK, too, it goes on: who raises the diagonal until there is a factor comes to an end
    assert reference.cholesky(a, out)
    assert native.cholesky(a, out)
    assert np.isnan(out[place, place])


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (3, 8), (9, 23), (40, 70), (0, 3), (3, 0)])
def test_products_with_vectors(count: int, columns: int) -> None:
    """By lanes along a row, one row after the other down the columns; of several vectors each alone."""
    draw = np.random.default_rng(count)
    a = draw.normal(size=(2 * count, columns))[::2]
    along, down = draw.normal(size=(3, columns)), draw.normal(size=(3, count))
    found = same(each(native.matvec, a, along, out=(3, count)))
    assert found.tolist() == [[lanes(x * row) for row in a] for x in along]
    turned = np.zeros((3, columns))
    for place, row in enumerate(a):
        turned += down[:, place, None] * row
    assert (same(each(native.vecmat, down, a, out=(3, columns))) == turned).all()
    for line in range(3):
        assert (same(each(native.matvec, a, along[line], out=(count,))) == found[line]).all()
        assert (same(each(native.vecmat, down[line], a, out=(columns,))) == turned[line]).all()


def test_matrices_that_do_not_go_together() -> None:
    a, out = positive(5), np.empty((5, 5))
    wrong: list[tuple[Callable[..., object], tuple[object, ...]]] = [
        (native.cholesky, (a[:4], out)),
        (native.cholesky, (a, out[:4])),
        (native.inverse, (a[:, ::-1], out)),
        (native.solve, (a, a[0], out[0, :4])),
        (native.solve, (a, a, out[0])),
        (native.largest, (a[:, :4],)),
        (native.matvec, (a, a[:, 0], out[0])),
        (native.matvec, (a, a, out[0])),
        (native.matvec, (a[None], a[0], out[0])),
        (native.vecmat, (a[0, :4], a, out[0])),
        (native.vecmat, (a[:2], a, out)),
    ]
    for function, arguments in wrong:
        with pytest.raises(ValueError):  # noqa: PT011
            function(*arguments)
