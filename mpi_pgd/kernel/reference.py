"""The kernel in numpy: what the compiled one is held against, and what computes where there is none.

``mpi_pgd.kernel`` says what each function does. The last bits are those of numpy's BLAS and of numpy's own exp and log, so they
depend on the processor.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpi_pgd.kernel.reference_matrices import cholesky as cholesky
from mpi_pgd.kernel.reference_matrices import inverse as inverse
from mpi_pgd.kernel.reference_matrices import largest as largest
from mpi_pgd.kernel.reference_matrices import matvec as matvec
from mpi_pgd.kernel.reference_matrices import solve as solve
from mpi_pgd.kernel.reference_matrices import vecmat as vecmat

Vector = NDArray[np.float64]
Columns = NDArray[np.int64]
Rows = NDArray[Any]

Gradient = fold = None

SEGMENT = 1 << 14  # numbers of a vector that are cut at a time
STRIP_BYTES = 1 << 18  # of a core's own cache
PIECE = 1 << 20  # bytes that are looked at twice before the next ones
WIDE = 2048  # numbers that are compared in one go: a go for each row would cost more than the comparing if rows are short


def dot(x: Vector, y: Vector) -> float:
    return float(np.dot(x, y))


def dots(x: Vector, y: Vector, out: Vector) -> None:
    np.einsum("kq,kq->k", x, y, out=out)


def exp(x: Vector, out: Vector) -> None:
    np.exp(x, out)


def expm1(x: Vector, out: Vector) -> None:
    np.expm1(x, out)


def log(x: Vector, out: Vector) -> None:
    np.log(x, out)


def log1p(x: Vector, out: Vector) -> None:
    np.log1p(x, out)


def decimals(x: Vector) -> bytes:
    if not x.size:
        return b""
    # Python writes a whole list of numbers in less time than one by one.
    if len(x) == 1:
        return (repr(x[0].tolist())[1:-1].replace(", ", "\n") + "\n").encode()
    return (repr(x.T.tolist())[2:-2].replace("], [", "\n").replace(", ", ",") + "\n").encode()


def cut(x: Vector, first: Vector, second: Vector, peaks: Vector, high: Vector, low: Vector) -> None:
    runs, run = x.shape
    several, adds, lows = max(1, SEGMENT // run), high is not x, len(second) > 0
    scratch, most = np.empty((2, several, run)), np.empty(several)
    for start in range(0, runs, several):
        here = slice(start, min(start + several, runs))
        (part, rest), larger, numbers, up = scratch[:, : here.stop - start], most[: here.stop - start], x[here], first[here, None]
        np.abs(numbers, out=part)
        np.maximum(peaks[here], np.maximum.reduce(part, axis=1, out=larger), out=peaks[here])
        np.add(numbers, up, out=part)
        np.subtract(part, up, out=part)
        if lows:
            down = second[here, None]
            np.subtract(numbers, part, out=rest)
            np.add(rest, down, out=rest)
            np.subtract(rest, down, out=rest)
            np.add(low[here], rest, out=low[here]) if adds else np.copyto(low[here], rest)
        np.add(high[here], part, out=high[here]) if adds else np.copyto(high[here], part)


def gram(x: Vector, columns: Columns | None, mean: Vector, inverse: Vector, curvatures: Vector, out: Vector) -> None:
    single = len(curvatures) == 1  # a product with itself takes half the time
    z = _scaled(x, columns, mean, inverse, np.sqrt(np.maximum(curvatures[0], 0.0)) if single else None)
    weighted, square = z if single else np.empty_like(z), np.empty((z.shape[1], z.shape[1]))
    for curvature, packed in zip(curvatures, out, strict=True):
        if not single:
            np.multiply(z, curvature[:, None], out=weighted)
        np.dot(weighted.T, z, out=square)
        np.take(square, _triangle(len(square)), out=packed, mode="clip")


def cross(
    x: Vector, left: Columns | None, right: Columns | None, mean: Vector, inverse: Vector, curvature: Vector, out: Vector
) -> None:
    np.dot(_scaled(x, left, mean, inverse, curvature).T, _scaled(x, right, mean, inverse), out=out)


def _scaled(x: Vector, columns: Columns | None, mean: Vector, inverse: Vector, weights: Vector | None = None) -> Vector:
    """Columns less their means, times the inverses of their scales, each row times its weight; in strips that stay in the cache."""
    rows, p = x.shape
    count = len(mean) if columns is None else len(columns)
    z, step = np.empty((rows, count)), max(1, STRIP_BYTES // (8 * max(1, count)))
    bent = weights is not None and bool((weights != 1.0).any())
    for start in range(0, rows, step):
        here = slice(start, start + step)
        part = z[here]
        if columns is None:
            np.subtract(x[here], mean[:p], out=part[:, :p])
            part[:, :p] *= inverse[:p]
            part[:, p:] = 1.0
        else:
            ones = columns == p
            places = np.where(ones, 0, columns)
            np.take(x[here], places, axis=1, out=part, mode="clip")
            part -= mean[places]
            part *= inverse[places]
            part[:, ones] = 1.0
        if weights is not None and bent:
            part *= weights[here, None]
    return z


@lru_cache(maxsize=4)
def _triangle(size: int) -> NDArray[np.intp]:
    """Where in a matrix (size, size) its upper triangle is."""
    return np.ravel_multi_index(np.triu_indices(size), (size, size))


def hypot(x: Vector, y: Vector, out: Vector) -> None:
    np.hypot(x, y, out)


def peaks(x: NDArray[Any], out: Vector) -> None:
    rows, columns = x.shape
    beside = max(1, min(WIDE // columns, rows)) if x.flags.c_contiguous else 1  # rows that are taken as one
    step = max(1, PIECE // (beside * columns * x.itemsize)) * beside
    for start in range(0, rows, step):
        piece = x[min(start, rows - beside) : start + step]
        whole = len(piece) // beside * beside
        for extreme in (np.maximum, np.minimum):
            most = extreme.reduce(piece[:whole].reshape(-1, beside * columns), axis=0)
            if whole < len(piece):  # no matter that some rows are looked at again
                most = extreme(most, piece[-beside:].reshape(-1))
            most = extreme.reduce(most.reshape(beside, columns), axis=0)
            # As float64: the least integer has no magnitude of its own type.
            np.maximum(out, np.abs(most.astype(np.float64)), out=out)


def sparse_dot(values: Rows, indices: Rows, starts: Rows, columns: Rows, w: Vector, out: Vector) -> None:
    products = values * w[columns][indices]
    filled = starts[:-1] < starts[1:]
    out[:] = 0.0
    out[filled] = np.add.reduceat(products, starts[:-1][filled]) if len(products) else 0.0


def sparse_tdot(values: Rows, indices: Rows, starts: Rows, slopes: Vector, out: Vector) -> None:
    out[:] = np.bincount(indices, values * np.repeat(slopes, np.diff(starts)), len(out))


def fold_at(
    part: Vector,
    places: Rows,
    start: int,
    run: int,
    head: int,
    ratio: float,
    first: Vector,
    peaks: Vector,
    high: Vector,
    low: Vector,
) -> None:
    at, without = start + places.astype(np.intp), len(high) - len(low)
    of = np.where(at < head, at // run, at - head + head // run)
    np.maximum.at(peaks, of, np.abs(part))
    away, near = first[of], first[of] * ratio
    cut = (part + away) - away
    high[at] += cut
    lower = at >= without
    low[at[lower] - without] += (((part - cut) + near) - near)[lower]


def sparse_gram(
    values: Rows,
    indices: Rows,
    starts: Rows,
    columns: Rows,
    features: int,
    mean: Vector,
    inverse: Vector,
    curvature: Vector,
    out: Vector,
) -> None:
    x, square = np.zeros((len(starts) - 1, features)), np.empty((len(mean), len(mean)))
    x[np.repeat(np.arange(len(x)), np.diff(starts)), columns[indices]] = values
    cross(x, None, None, mean, inverse, curvature, square)
    np.take(square, _triangle(len(mean)), out=out, mode="clip")


def votes(most: float, peaks: Vector, bound: Vector, near: Vector, out: Vector) -> None:
    out[:] = not (peaks < most).all(), (peaks >= bound).any(), (peaks >= near).any()


def descent(
    weight: float,
    mean: Vector,
    scale: Vector,
    curvature: Vector,
    sums: Vector,
    slopes: Vector,
    unknowns: Vector,
    bent: Vector,
    out: Vector,
) -> float:
    size, k = len(curvature), len(slopes)
    found = out[:size].reshape(k, -1)
    np.multiply(mean, slopes[:, None], out=found)
    np.subtract(sums.reshape(k, -1), found, out=found)
    found /= scale
    found /= weight
    np.multiply(unknowns, curvature, out=bent)
    out[:size] += bent
    out[size:] = slopes[: len(out) - size] / weight
    return 0.5 * dot(unknowns, bent)


def sizes(x: Vector, unit: Vector, scaled: Vector) -> tuple[float, float]:
    np.divide(x, unit, out=scaled)
    return dot(x, x), dot(scaled, scaled)


def to_user(unknowns: Vector, scale: Vector, mean: Vector, centres: Vector, point: Vector) -> None:
    size, p = len(centres) * len(scale), len(scale)
    for k, centre in enumerate(centres.tolist()):
        weights = np.divide(unknowns[k * p : (k + 1) * p], scale, out=point[k * p : (k + 1) * p])
        point[size + k] = centre - dot(mean, weights)


def reach(outputs: int, point: Vector, peak: Vector, sizes: Vector) -> float:
    p, room = len(peak), sizes[: len(peak)]
    weights = (np.abs(point[k * p : (k + 1) * p], out=room) for k in range(outputs))
    intercepts: list[float] = point[outputs * p :].tolist()
    return max(dot(size, peak) + abs(c) for size, c in zip(weights, intercepts, strict=False))


def descend(length: float, gradient: Vector, step: Vector, point: Vector) -> None:
    point -= np.multiply(gradient, length, out=step)


def rounded(high: Vector, low: Vector, out: Vector) -> None:
    single = len(high) - len(low)
    out[:single] = high[:single]
    np.add(high[single:], low, out=out[single:])


def spans(old: Vector, before: Vector, moved: Vector, changed: Vector) -> tuple[float, float, float, float]:
    found = dot(old, changed), dot(old, before), dot(before, changed), dot(before, before)
    old[:], before[:] = moved, changed
    return found


def moves(
    point: Vector, gradient: Vector, before: Vector, slopes: Vector, moved: Vector, changed: Vector
) -> tuple[float, float, float, float]:
    np.subtract(point, before, out=moved)
    np.subtract(gradient, slopes, out=changed)
    before[:], slopes[:] = point, gradient
    return dot(moved, changed), dot(changed, changed), dot(moved, moved), dot(point, point)


def totals(lines: Vector, weights: Vector, out: Vector) -> None:
    np.dot(lines, weights, out)


class Handle:
    """See ``mpi_pgd.kernel``."""

    __slots__ = ("_x", "dot", "tdot")

    def __init__(self, x: Vector, *_: Any) -> None:
        # numpy's own methods: a call of Python's for each block would cost a tenth of a round of small blocks.
        self._x, self.dot, self.tdot = x, x.dot, x.T.dot

    def dots(self, w: Vector, out: Vector) -> None:
        """Of several outputs at once."""
        np.matmul(w, self._x.T, out=out)  # other than np.dot it takes a part of wider lines

    def tdots(self, slopes: Vector, out: Vector) -> None:
        """Likewise."""
        np.dot(slopes, self._x, out=out)
