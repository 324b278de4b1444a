"""What a fitted linear model says of rows: from a block to linear predictors, means, probabilities and classes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.block import Block
from mpi_pgd.losses import Loss


@dataclass(frozen=True)
class Predictor:
    """A model, as passes over rows need it.

    Attributes:
        loss: it was fitted with.
        w: (k, p) float64, in the units of the data; C order.
        intercept: (k,).
        classes: the target that is class 0, 1, ...; () of a model of none.
    """

    loss: Loss
    w: Vector
    intercept: Vector
    classes: Sequence[float] = ()

    @classmethod
    def of(cls, loss: Loss, coef: Vector, intercept: float | Vector, classes: Sequence[float]) -> "Predictor":
        """From coef (p,), or (p, k) of k outputs, and a number or (k,)."""
        lines = coef.T if coef.ndim == 2 else coef[np.newaxis]
        return cls(loss, np.ascontiguousarray(lines), np.atleast_1d(np.asarray(intercept, dtype=np.float64)), tuple(classes))

    def linear(self, block: Block) -> Vector:
        """The linear predictors of a block's rows, (k, rows), with its offset: the same bits wherever the block is."""
        eta = np.empty((len(self.w), block.rows))
        if len(eta) == 1:  # as in the rounds of a fit
            block.dot(self.w[0], eta[0])
        else:
            block.dots(self.w, eta)
        eta += self.intercept[:, np.newaxis]
        if block.offset is not None:
            eta += block.offset
        return eta

    def means(self, eta: Vector) -> Vector | None:
        """The targets' means, (k, rows); None of classes, or where the loss does not know."""
        return self.loss.mean(eta)

    def probabilities(self, eta: Vector) -> Vector | None:
        """Of each class, (classes, rows); None if there are none, or the loss does not know."""
        return self.loss.probabilities(eta[0] if len(eta) == 1 else eta) if self.classes else None

    def places(self, eta: Vector) -> Vector:
        """The number of each row's class, (rows,) float64: of two the second one where eta is above 0, else that of the largest."""
        found = eta[0] > 0 if len(eta) == 1 else eta.argmax(axis=0)
        return np.asarray(found, dtype=np.float64)
