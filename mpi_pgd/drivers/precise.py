"""Least squares in twice the precision: from where the solver works to the user's units and back, in pairs.

It is what ``Objective`` does, for unknowns [V (k, p) | c (k,)] as pairs, where c is what has to be added to the intercept that the
means give, as they are rounded; there is none without an intercept.
"""

import numpy as np

from mpi_pgd import kernel
from mpi_pgd.drivers.objective import Objective
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.pairs import Pair, add, divide, multiply, negative, pair, taken, total
from mpi_pgd.engine.tasks import LOW, Layout
from mpi_pgd.solvers.diagnosis import Rounding
from mpi_pgd.solvers.factors import ROUNDING
from mpi_pgd.solvers.refine import Refine


def to_user(of: Objective, unknowns: Vector, point: Vector) -> None:
    """Write ``unknowns`` (2 size,), low halves last, in the user's units into ``point``, that of a ``PreciseTask``.

    Its first half, by itself, is the same point, rounded.
    """
    k, p, size, mean = of.outputs, of.features, of.weights, of.scaling.mean
    both = Pair(*unknowns.reshape(2, -1))
    weights = divide(_rows(both, k, p), pair(_finite(of.scaling.scale)))
    free = np.isfinite(of.scaling.scale)
    weights = Pair(weights.high * free, weights.low * free)
    intercept = pair(np.zeros(k))
    if of.intercept:
        centre = add(pair(mean[p:]), taken(both, np.s_[size:]))
        intercept = add(centre, negative(total(multiply(weights, pair(mean[:p])))))
    halves = zip(weights, intercept, strict=True)
    np.concatenate([part.ravel() for half in halves for part in half], out=point[: 2 * k * (p + 1)])


def gradient(of: Objective, layout: Layout, sums: Pair, unknowns: Vector) -> Pair:
    """That of the objective at ``unknowns`` (2 size,): (size,).

    ``sums`` are those of a ``PreciseTask``, with this layout, not rounded. What is smooth of the penalty is quadratic.
    """
    k, p, mean, weight = of.outputs, of.features, of.scaling.mean, pair(np.array(of.aims.weight))
    high, low = layout.split(sums.high), layout.split(sums.low)
    slopes, products = (
        add(Pair(high[name], low[name]), Pair(high[name + LOW], low[name + LOW])) for name in ("slopes", "gradient")
    )
    centred = add(products, negative(multiply(pair(mean[:p]), taken(slopes, np.s_[:, None]))))
    found = divide(divide(centred, pair(_finite(of.scaling.scale))), weight)
    found = add(found, multiply(pair(of.penalty.curvature.reshape(k, p)), _rows(Pair(*unknowns.reshape(2, -1)), k, p)))
    free = np.isfinite(of.scaling.scale)
    parts = [(part * free).ravel() for part in found], divide(slopes, weight)
    return Pair(*(np.concatenate([w, c][: 1 + of.intercept]) for w, c in zip(*parts, strict=True)))


def refinement(of: Objective, loose: bool = False) -> Refine:
    """What solves least squares with a penalty that is smooth; ``loose``: not to the last digit."""
    p = of.features
    size = of.scaling.spread * _finite(of.scaling.scale)
    away = np.empty(p)
    kernel.hypot(of.scaling.mean[:p], size, away)
    away = np.divide(away, size, out=np.ones(p), where=size > 0)
    rounding = Rounding(ROUNDING * float(away.max()), ROUNDING * float(of.scaling.peak[p:].max()))
    return Refine(of.rows, of.intercept, rounding, of.outputs, loose)


def _rows(unknowns: Pair, k: int, p: int) -> Pair:
    return Pair(*(half[: k * p].reshape(k, p) for half in unknowns))


def _finite(scale: Vector) -> Vector:
    """Without the infinite scales of constant columns, whose weights are 0."""
    return np.where(np.isfinite(scale), scale, 1.0)
