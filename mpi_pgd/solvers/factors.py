"""A Gram matrix factored, as far as float64 can: a preconditioner, and what it tells of the columns."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mpi_pgd import kernel
from mpi_pgd.engine.arrays import Vector

ROUNDING = 2.0**-53
GROWN = 8.0  # times the shift before, where a pivot was not positive
ITERATIONS = 12  # of the power method: the extreme eigenvalues to some percent
NULL = 1e-2  # dimensions of the null space, as the eigenvalues are compared with the shift, from which on there may be one


class Factor(NamedTuple):
    """C + shift I = L L', where C (p, p) is the Gram matrix with its diagonal scaled to ones.

    (G. H. Golub, C. F. Van Loan, "Matrix Computations", 4.2; that scaling is within p of the best: A. van der Sluis, "Condition
    Numbers and Equilibration of Matrices", Numerische Mathematik 14, 1969.)
    """

    root: Vector  # (p,) of the diagonal; 1 where it is 0
    inverse: Vector  # (p, p) of L
    shift: float
    largest: float  # eigenvalue of C, to some percent
    smallest: float  # eigenvalue of C + shift I, likewise

    @classmethod
    def empty(cls, features: int) -> "Factor":
        """Room for one."""
        return cls(np.ones(features), np.zeros((features, features)), 0.0, 1.0, 1.0)

    def solve(self, gradients: Vector) -> Vector:
        """(G + shift)^-1 for each of ``gradients`` (k, p)."""
        return kernel.turned(self.inverse, kernel.times(self.inverse, gradients / self.root)) / self.root

    def step(self, gradient: Vector) -> Vector:
        """To the minimum, as far as this tells, from ``gradient`` (k, p), or (k, p + 1): lines of weights and an intercept.

        On centred columns the intercepts know nothing of the weights; their curvature is 1.
        """
        p = len(self.root)
        return -np.hstack([self.solve(gradient[:, :p]), gradient[:, p:]])

    def scaled(self, lines: Vector) -> Vector:
        """Such lines with the weights in units of their columns."""
        p = len(self.root)
        return np.hstack([lines[:, :p] * self.root, lines[:, p:]])

    def length(self, lines: Vector) -> float:
        """The largest of these."""
        return float(np.abs(self.scaled(lines)).max())

    @property
    def dependent(self) -> bool:
        """Whether a column may be explained by the others, as far as float64 can tell: the condition of X is at least some 1e7."""
        return bool(self.shares().sum() > NULL)

    def shares(self) -> Vector:
        """(p,): the square of the part of each column's unit vector that lies in the null space of C, as far as float64 can tell.

        1 / ((C + shift I)^-1)_jj is what the other columns leave of column j; where it is all shift, they leave nothing.
        """
        return np.asarray(self.shift * np.add.reduce(self.inverse * self.inverse, axis=0))

    def null(self) -> Vector:
        """(p,): the direction of the weights along which the objective changes least, as far as float64 can tell, of length 1."""
        _, found = _dominant(self._inverted, self._start())
        return np.asarray(found / self.root)

    def _start(self) -> Vector:
        return np.asarray(np.eye(len(self.root))[np.argmax(self.shares())])

    def _inverted(self, vector: Vector) -> Vector:
        return kernel.turned(self.inverse, kernel.times(self.inverse, vector))


def factored(gram: Vector) -> Factor:
    """Of ``gram`` (p, p), symmetric, with no negative eigenvalue but for rounding; a column of zeros counts as independent."""
    diagonal = np.diagonal(gram)
    root = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    scaled = gram / root / root[:, None]
    np.einsum("ii->i", scaled)[:] = 1.0
    shift = ROUNDING * len(root)
    while True:
        np.einsum("ii->i", scaled)[:] = 1.0 + shift
        lower = kernel.cholesky(scaled)
        if lower is not None:
            break
        shift *= GROWN
    inverse = kernel.inverse(lower)
    found = Factor(root, inverse, shift, 0.0, 0.0)
    largest, _ = _dominant(lambda v: kernel.times(scaled, v), np.add.reduce(scaled * scaled, axis=0))
    least, _ = _dominant(found._inverted, found._start())
    return found._replace(largest=largest, smallest=1.0 / least)


def _dominant(product: Callable[[Vector], Vector], start: Vector) -> tuple[float, Vector]:
    """The largest eigenvalue of a positive definite matrix, from below, and its vector of length 1: the power method."""
    vector, value = start, 0.0
    for _ in range(ITERATIONS):
        vector = vector / kernel.norm(vector)
        found = product(vector)
        value, vector = kernel.dot(vector, found), found
    return value, vector / kernel.norm(vector)
