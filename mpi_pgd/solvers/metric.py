"""A Hessian as a metric: its Cholesky factor, made so that there always is one."""

import numpy as np

from mpi_pgd import kernel
from mpi_pgd.engine.arrays import Rows, Vector

GROWTH = 100.0  # times the ridge, where it was too small
FLAT = 1e-10  # of |s| |y|, that s'y has to be more than
RARE = 0.02  # of the median of the diagonal, that those of features are less than which no row of a sample has


def unseen(sampled: Vector) -> Rows:
    """Of which features the Hessian of a sample (size, size) knows nothing: bool (size,).

    Of a column that is 0 but for few rows, such as a rare category, a sample may have no other. It then looks as if it were nearly
    constant, and any step along it as if it cost nothing. Features have one variance: so it shows in the diagonal.
    """
    diagonal = np.diagonal(sampled)
    return diagonal < RARE * np.median(diagonal)


def whitening(hessian: Vector, ridge: float, little: Rows | None = None) -> Vector:
    """W (size, size) with W'W the inverse of ``hessian`` (size, size), nearly: W g is a gradient where all curvatures are 1.

    To each diagonal element ``ridge`` times itself is added, and more where that is not enough for a Cholesky factor. Where the
    diagonal says too ``little``, bool (size,), the mean is added, so that no step is far too long; and where a pivot vanishes, as
    then the sample may have shown a difference of columns as little. The largest come first, so that it is found of others.
    """
    diagonal = np.diagonal(hessian)
    mean = float(diagonal.mean()) or 1.0
    own = diagonal + (0.0 if little is None else mean * little)
    order = np.argsort(-own, kind="stable")
    arranged = hessian[np.ix_(order, order)]
    more, own = (own - diagonal)[order], np.maximum(own[order], ridge * mean)
    while (factor := _factor(arranged, more, ridge * own, mean)) is None:
        ridge *= GROWTH
    white = np.empty_like(hessian)
    white[:, order] = kernel.inverse(factor)
    return white


def secant(hessian: Vector, moved: Vector, changed: Vector, rounding: float) -> None:
    """Have ``hessian`` (size, size), positive definite, give how a gradient ``changed`` (size,) where weights ``moved`` (size,).

    But cautiously: not unless it changed along the step beyond ``rounding``, the bound of its error's norm. All else changes as
    little as can be. (J. Nocedal and S. Wright, "Numerical Optimization", 2006, equation 6.19: BFGS.)
    """
    along, length, size = kernel.dot(moved, changed), kernel.norm(moved), kernel.norm(changed)
    foreseen = kernel.times(hessian, moved)
    bend = kernel.dot(moved, foreseen)
    if along > length * max(FLAT * size, rounding) and bend > 0:
        hessian += np.outer(changed, changed / along)
        hessian -= np.outer(foreseen, foreseen / bend)


def _factor(hessian: Vector, more: Vector, ridge: Vector, mean: float) -> Vector | None:
    """That of ``hessian`` with more on its diagonal: the ridge; or the mean, if that is more, where a pivot is hardly more."""
    damped = hessian.copy()
    diagonal = np.einsum("ii->i", damped)
    diagonal += more + ridge
    factor = kernel.cholesky(damped)
    if factor is None or not (vanished := np.square(np.diagonal(factor)) <= 2 * ridge).any():
        return factor
    diagonal[:] = np.diagonal(hessian) + (more + np.where(vanished, np.maximum(mean, ridge), ridge))
    return kernel.cholesky(damped)
