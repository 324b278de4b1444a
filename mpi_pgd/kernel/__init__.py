"""What decides bits beyond + - * / and square roots: compiled, with the same bits on every processor, or in numpy.

The compiled kernel is the extension ``native``, made from the C files in ``source`` when the package is installed, where there is a
compiler. It takes the best instruction set of the processor; the environment variable ``MPI_PGD_KERNEL`` names another one, or
``numpy``.

Attributes:
    NAME: ``native`` or ``numpy``: those of one name have the same bits; ``numpy`` on the same kind of processor alone.
    SET: the instruction set; of ``numpy`` nothing.
    MISSING: numpy computes as there is no other kernel.
    ALIKE: what to do so that all ranks have the same bits.
    dot: x'y, of two contiguous float64 arrays of one length.
    dots: that of each two lines of two arrays (k, q), into a third one (k,).
    exp, expm1, log, log1p: of each number of an array, into another one of its shape, or the same one: contiguous float64, or
        lines of such that lie apart.
    gram: ``(x, columns, mean, inverse, curvatures, out)``: Z'hZ for each h of ``curvatures`` (lines, rows), of each the upper
        triangle, row by row, into ``out`` (lines, m (m + 1) / 2). Z (rows, m) are ``columns`` (m,) int64 of rows ``x`` (rows, p) as
        (x - mean) * inverse; p stands for a column of ones. If None they are the first m of x, or all and the ones, where m is the
        length of ``mean`` and ``inverse``: that is p, or p + 1. A single h may not be negative: what is counts as 0.
    cross: ``(x, left, right, mean, inverse, curvature, out)``: L'hR, of columns of x likewise, for one h (rows,), into ``out``
        (left, right).
    cut: ``(x, first, second, peaks, high, low)``: numbers x (runs, run) into high = (x + first) - first and, unless ``second`` and
        ``low`` are empty, low = ((x - high) + second) - second, added to what is there; where ``high`` is x itself they take its
        place, and that of ``low``. ``peaks``, ``first`` and ``second`` have a number a run; the largest sizes go into ``peaks``.
    votes: ``(most, peaks, bound, near, out)``: whether some peak is not below ``most``, at its bound or above, near it or above: 0
        or 1 each, into ``out`` (3,). The others are (n,).
    descent: ``(weight, mean, scale, curvature, sums, slopes, unknowns, bent, out)``: (sums - mean slopes) / scale / weight +
        curvature unknowns of p features and k outputs into ``out`` (k p,), behind it slopes / weight if there is room (k,); gives
        half of unknowns'(curvature unknowns). ``mean`` and ``scale`` are (p,), ``slopes`` (k,), all else (k p,), and ``bent`` room.
    sizes: ``(x, unit, scaled)``, all (n,): x / unit into ``scaled``; gives x'x and scaled'scaled.
    to_user: ``(unknowns, scale, mean, centres, point)``: each output's weights, unknowns / scale, (k p,) and behind them its
        centre - mean'weights, (k,), into ``point``. ``centres`` are (k,), ``scale`` and ``mean`` (p,).
    reach: ``(k, point, peak, sizes)``: the largest |w|'peak + |c| of the k outputs of a point [w (k p,) | c (k,)]; ``peak`` is
        (p,), ``sizes`` room of as many.
    descend: ``(length, gradient, step, point)``, all (n,): length times the gradient into ``step``, and off ``point``.
    moves: ``(point, gradient, before, slopes, moved, changed)``, all (n,): point - before into ``moved``, gradient - slopes into
        ``changed``, then point and gradient into ``before`` and ``slopes``. Gives moved'changed, changed'changed, moved'moved and
        point'point.
    rounded: ``(high, low, out)``: high (n,), its last numbers with ``low`` added, as many as there are of it, into ``out``.
    spans: ``(old, before, moved, changed)``, all (n,): gives old'changed, old'before, before'changed and before'before; then moved
        and changed go into ``old`` and ``before``.
    hypot: (x^2 + y^2)^(1/2) of each two numbers of two contiguous arrays, into a third one.
    peaks: raise ``out`` (k,) to the largest magnitudes in the columns of ``x`` (n, k), n > 0, contiguous, of real numbers of any
        type; NaN where a number is NaN: so whether all are finite needs no pass of its own.
    decimals: numbers (lines, rows), contiguous, as text: of each row a line, with commas between its numbers. They are the shortest
        that are read back to the bit, as Python spells them.
    sparse_dot: X w into ``out`` (rows,), of rows as of ``engine.sparse.SparseBlock``: (values, indices, starts, columns, w, out).
    sparse_tdot: X'slopes of its columns into ``out``: (values, indices, starts, slopes, out).
    sparse_gram: what ``gram`` gives of all columns of such rows, for one h (rows,), which may be negative, into ``out``
        (m (m + 1) / 2,): (values, indices, starts, columns, p, mean, inverse, h, out).
    fold_at: what ``engine.partial.Partial`` does with the numbers ``part`` of a vector that are at ``start + places``, each another
        one: (part, places, start, run, head, ratio, first, peaks, high, low), of which it changes the last three. Up to ``head``,
        ``run`` neighbours share a bound; there are as many lower sums as numbers, or so many of the last ones. Lower parts are cut
        against ``ratio`` times ``first``.
    totals: of lines (m, rows), which may lie apart, each one's product with the same weights (rows,), into (m,).
    Handle: of dense X, of real numbers of any type, with y, weights and offset, for products and gradients: what a ``Block`` has.
        If ``STORED``, also for moments, ``(unit, about, sums, squares, peaks)``, as of ``Block.moments``.
    Gradient: what maps such rows in one pass, ``(loss, parameters, features, outputs, point)``, and ``over`` many; None if nothing.
    fold: vectors, a line each, into the sums of a ``Ring``; None if it has to do that itself.
    STORED: dense rows may be of other types than float64.
    matvec: ``(a, x, out)``: a x, or each line of x (lines, columns) times a', a (rows, columns), into ``out``.
    vecmat: ``(x, a, out)``: x a, or each line of x (lines, rows) times a, a (rows, columns), into ``out``.
"""

import math
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpi_pgd.errors import InputError
from mpi_pgd.kernel import reference
from mpi_pgd.kernel.reference import Columns, Rows, Vector

NUMPY = "numpy"
VARIABLE = "MPI_PGD_KERNEL"
ALIKE = (
    f"install mpi_pgd on all nodes with a C compiler; or set {VARIABLE}={NUMPY} and OPENBLAS_CORETYPE=Haswell (MKL: "
    f"MKL_CBWR=COMPATIBLE) for all ranks, and use one numpy"
)


def _public(module: Any, names: Iterable[str]) -> Iterator[str]:
    """Those of ``names`` that all may use, and what their classes have."""
    for name in names:
        if not name.startswith("_"):
            yield name
            one = getattr(module, name)
            yield from (f"{name}.{part}" for part in dir(one) if isinstance(one, type) and not part.startswith("_"))


def _chosen() -> tuple[str, str, Any]:
    wanted = os.environ.get(VARIABLE, "")
    if wanted == NUMPY:
        return NUMPY, "", reference
    try:
        from mpi_pgd.kernel import native
    except ImportError as error:
        if wanted:
            raise InputError(f"{VARIABLE} is {wanted!r}, but there is no compiled kernel here: {error}") from None
        return NUMPY, "", reference
    own = [name for name, one in vars(reference).items() if str(getattr(one, "__module__", "")).startswith(reference.__name__)]
    if not {*_public(reference, own)} <= {*_public(native, dir(native))}:
        raise InputError(f"{native.__file__} is not of this mpi_pgd: install it again (in its sources: make kernel)")
    names = native.names()
    if wanted and wanted not in names:
        raise InputError(f"{VARIABLE} is {wanted!r}: expected {NUMPY} or, on this processor, one of {', '.join(names)}")
    native.use(wanted or names[0])
    return "native", wanted or names[0], native


NAME, SET, _functions = _chosen()
MISSING = NAME == NUMPY and VARIABLE not in os.environ
dot: Callable[[Vector, Vector], float] = _functions.dot
dots: Callable[[Vector, Vector, Vector], None] = _functions.dots
exp: Callable[[Vector, Vector], None] = _functions.exp
expm1: Callable[[Vector, Vector], None] = _functions.expm1
log: Callable[[Vector, Vector], None] = _functions.log
log1p: Callable[[Vector, Vector], None] = _functions.log1p
gram: Callable[[Vector, Columns | None, Vector, Vector, Vector, Vector], None] = _functions.gram
cross: Callable[[Vector, Columns | None, Columns | None, Vector, Vector, Vector, Vector], None] = _functions.cross
cut: Callable[[Vector, Vector, Vector, Vector, Vector, Vector], None] = _functions.cut
votes: Callable[[float, Vector, Vector, Vector, Vector], None] = _functions.votes
descent: Callable[[float, Vector, Vector, Vector, Vector, Vector, Vector, Vector, Vector], float] = _functions.descent
sizes: Callable[[Vector, Vector, Vector], tuple[float, float]] = _functions.sizes
to_user: Callable[[Vector, Vector, Vector, Vector, Vector], None] = _functions.to_user
reach: Callable[[int, Vector, Vector, Vector], float] = _functions.reach
descend: Callable[[float, Vector, Vector, Vector], None] = _functions.descend
rounded: Callable[[Vector, Vector, Vector], None] = _functions.rounded
spans: Callable[[Vector, Vector, Vector, Vector], tuple[float, float, float, float]] = _functions.spans
moves: Callable[[Vector, Vector, Vector, Vector, Vector, Vector], tuple[float, float, float, float]] = _functions.moves
hypot: Callable[[Vector, Vector, Vector], None] = _functions.hypot
peaks: Callable[[NDArray[Any], Vector], None] = _functions.peaks
decimals: Callable[[Vector], bytes] = _functions.decimals
totals: Callable[[Vector, Vector, Vector], None] = _functions.totals
Handle: Callable[..., Any] = _functions.Handle
Gradient: Callable[..., Any] | None = _functions.Gradient
fold: Callable[..., None] | None = _functions.fold
STORED = NAME != NUMPY
sparse_dot: Callable[[Rows, Rows, Rows, Rows, Vector, Vector], object] = _functions.sparse_dot
sparse_tdot: Callable[[Rows, Rows, Rows, Vector, Vector], object] = _functions.sparse_tdot
sparse_gram: Callable[[Rows, Rows, Rows, Rows, int, Vector, Vector, Vector, Vector], object] = _functions.sparse_gram
fold_at: Callable[[Vector, Rows, int, int, int, float, Vector, Vector, Vector, Vector], object] = _functions.fold_at
matvec: Callable[[Vector, Vector, Vector], None] = _functions.matvec
vecmat: Callable[[Vector, Vector, Vector], None] = _functions.vecmat


_threads = 1


def use_threads(count: int) -> None:
    """Have so many threads of this process map rows that are all in memory, from now on; no bit depends on it.

    Raises:
        InputError: numpy has none.
    """
    global _threads
    if count > 1 and NAME == NUMPY:
        raise InputError(
            f"{count} threads are asked for, but numpy computes, which has one: install with a C compiler, or use ranks"
        )
    if NAME != NUMPY:
        _functions.threads(count)
    _threads = count


def threads() -> int:
    """How many."""
    return _threads


def lasting(array: Vector) -> Any:
    """What stands for an array that functions here are given again and again: they have it in half the time.

    Python's own view of the memory, which numpy describes once; numpy's functions take the array.
    """
    return array if NAME == NUMPY else array.data


def norm(x: Vector) -> float:
    """The Euclidean one of all numbers of an array of any shape."""
    numbers = x if x.ndim == 1 else x.ravel()
    return math.sqrt(dot(numbers, numbers))


def times(a: Vector, x: Vector) -> Vector:
    """A x; or each line of x (lines, columns) times a', a (rows, columns)."""
    out = np.empty((*x.shape[:-1], len(a)))
    matvec(a, np.ascontiguousarray(x), out)
    return out


def apart(a: Vector, x: Vector, out: Vector) -> None:
    """``matvec`` of lines x (lines, columns), where each row of a (rows, columns) has its own bits, whatever rows are beside it."""
    if NAME == NUMPY:  # whose matrix products depend on the shape
        np.einsum("rq,kq->kr", a, x, out=out)
    else:
        matvec(a, x, out)


def turned(a: Vector, x: Vector) -> Vector:
    """A'x; or each line of x (lines, rows) times a, a (rows, columns)."""
    out = np.empty((*x.shape[:-1], a.shape[1]))
    vecmat(np.ascontiguousarray(x), a, out)
    return out


def cholesky(a: Vector) -> Vector | None:
    """The lower triangle L of a = LL' (n, n), symmetric; None if it is not positive definite, as far as rounding tells."""
    out = np.empty(a.shape)
    return out if _functions.cholesky(a, out) else None


def inverse(triangle: Vector) -> Vector:
    """Of a lower triangle (n, n)."""
    out = np.empty(triangle.shape)
    _functions.inverse(triangle, out)
    return out


def solve(a: Vector, b: Vector) -> Vector | None:
    """The x (n,) of a x = b, a (n, n) symmetric; None if none is found, as a is not positive definite."""
    out = np.empty(b.shape)
    return out if _functions.solve(a, b, out) else None


def largest(a: Vector) -> float:
    """The largest eigenvalue of a symmetric matrix (n, n)."""
    return float(_functions.largest(a))
