"""The two questions that are asked of the data before the fit, each through the same map-reduce as a round.

How large are the columns (their means and scales), and how curved is the objective (the step that is safe)?
"""

import math

import numpy as np

from mpi_pgd.arrays import Vector
from mpi_pgd.objective.objective import Objective, Scaling
from mpi_pgd.sums import Partial, Vote
from mpi_pgd.train import Action, Order


class MomentsRule:
    """One pass: means and variances of the columns and of y, taken about the first row so that large means cost no digits.

    (T. F. Chan, G. H. Golub, R. J. LeVeque, "Algorithms for Computing the Sample Variance", The American Statistician 37, 1983.)

    Attributes:
        mean, variance: (p + 1,) float64, y last; the variance is divided by n.
    """

    def __init__(self, rows: int, first: Vector) -> None:
        self.rows, self.first = rows, first
        self.mean, self.variance = first, np.zeros_like(first)

    def open(self, order: Order) -> None:
        """The peaks are known from loading the rows, so the bound is exchanged at once, and one pass is enough."""
        order.point[:] = self.first
        order.action = Action.EXCHANGE

    def __call__(self, partial: Partial, order: Order) -> None:
        """Keep the moments, and stop."""
        order.action = Action.EXCHANGE if partial.redo else Action.STOP
        sums = partial.total(np.empty(partial.width)) / self.rows
        shift, squares = np.split(sums, 2)
        self.mean = self.first + shift
        self.variance = np.maximum(squares - shift * shift, 0.0)


def scaling(means: Vector, variances: Vector, intercept: bool, standardize: bool) -> Scaling:
    """Means and deviations; without an intercept, scales about zero and no centring, which would be another model.

    A column that is constant (zero, without an intercept) has an infinite scale, by which its coefficient stays 0.

    Args:
        means, variances: (p + 1,) of the columns and of y, as of ``MomentsRule``.
        intercept, standardize: as the settings say.
    """
    mean, variance = means[:-1], variances[:-1]
    if not standardize:
        return Scaling(np.zeros_like(mean), np.ones_like(mean))
    if not intercept:
        mean, variance = np.zeros_like(mean), variance + mean * mean
    return Scaling(mean, np.where(variance > 0, np.sqrt(variance), np.inf))


def moments_peaks(columns: Vector, first: Vector, block_rows: int) -> Vector:
    """A bound on each number of a block's moments, from the largest magnitude of each column: (2 (p + 1),)."""
    largest = columns + np.abs(first)
    return np.concatenate([block_rows * largest, block_rows * largest * largest])


class PowerRule:
    """Power iteration for the largest eigenvalue of the objective's Hessian, one product a round.

    The estimate grows towards the eigenvalue from below; it is taken with a margin, and never above the trace, which bounds it.

    Attributes:
        largest: the estimate with its margin: a Lipschitz constant of the gradient.
        cut: a signal or the end of the time came before it was good.
    """

    MARGIN = 1.05
    CHANGE = 1e-4  # relative, between two products: small beside the margin
    LIMIT = 200  # products

    def __init__(self, objective: Objective, trace: float) -> None:
        self.objective, self.trace = objective, trace
        # Fixed, of no special direction: fractions of multiples of the golden ratio.
        turns = np.arange(1, objective.size + 1) * ((math.sqrt(5) - 1) / 2)
        self.direction = turns - np.floor(turns) - 0.5
        self.direction /= math.sqrt(np.dot(self.direction, self.direction))
        self.product = np.empty(objective.size)
        self.largest, self.products = 0.0, 0
        self.cut = False

    def open(self, order: Order) -> None:
        """The first direction."""
        self.objective.to_user(self.direction, order.point)
        order.action = Action.GO

    def __call__(self, partial: Partial, order: Order) -> None:
        """Multiply, compare, go on or stop."""
        if partial.redo:
            order.action = Action.EXCHANGE
            return
        sums = partial.total(np.empty(partial.width))
        self.objective.value_and_gradient(sums, self.direction, self.product)
        norm = math.sqrt(np.dot(self.product, self.product))
        self.products += 1
        done = norm - self.largest <= self.CHANGE * norm or self.products == self.LIMIT
        # Who was asked to stop, or has no time left, stays so: the fit's first round will end it.
        self.cut = not done and bool(partial.votes[Vote.LATE] + partial.votes[Vote.SIGNALLED] > 0)
        self.largest = norm
        if done or self.cut:
            self.largest = min(self.MARGIN * norm, self.trace) if norm > 0 else 1.0
            order.action = Action.STOP
            return
        np.divide(self.product, norm, out=self.direction)
        self.objective.to_user(self.direction, order.point)
        order.action = Action.EXCHANGE if partial.stale else Action.GO
