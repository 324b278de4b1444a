"""Multinomial logistic regression."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mpi_pgd import kernel
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.losses.links import unknown
from mpi_pgd.losses.numerics import Compiled, exp, of_number, share, zero
from mpi_pgd.losses.pulls import to_own
from mpi_pgd.losses.targets import TargetFacts, Targets, classes


@dataclass(frozen=True)
class Softmax:
    """log(sum of e^eta_j) - eta_y for a row of class y in {0, ..., k - 1}; the slopes are p_j - [j = y], of probabilities p_j.

    The same number added to all eta_j of a row changes nothing: without a penalty the optimum is not unique.
    """

    centred: ClassVar[bool] = False
    sorts: ClassVar[bool] = True
    convex: ClassVar[bool] = True
    curvature: ClassVar[float] = 0.5  # the largest eigenvalue of diag(p) - p p'
    rooms: ClassVar[int] = 2
    compiled: ClassVar[Compiled] = "softmax", ()
    pulls = staticmethod(to_own)
    floor = staticmethod(zero)
    explained = staticmethod(share)
    mean = staticmethod(unknown)

    def labels(self, facts: TargetFacts) -> Targets:
        """Whole numbers, each a class."""
        return classes(facts, "softmax")

    def __call__(self, y: Vector, eta: Vector, value: Vector, room: Vector) -> None:
        """As ``Loss``."""
        top, here = room
        np.maximum.reduce(eta, axis=0, out=top)
        np.subtract(eta, top, eta)
        value[:] = 0.0
        for number, line in enumerate(eta):
            np.equal(y, number, out=here)
            np.multiply(here, line, here)
            np.subtract(value, here, value)
        self._probabilities(eta, top)
        kernel.log(top, here)
        np.add(value, here, value)
        for number, line in enumerate(eta):
            np.equal(y, number, out=here)
            np.subtract(line, here, line)

    def curvatures(self, y: Vector, eta: Vector, out: Vector, room: Vector) -> None:
        """p_i ([i = j] - p_j). The probabilities lie in the last lines, each until the line that takes its place has used it."""
        top, rest = room
        p = out[-len(eta) :]
        np.maximum.reduce(eta, axis=0, out=top)
        np.subtract(eta, top, p)
        self._probabilities(p, top)
        lines = iter(out)
        for number, line in enumerate(p):
            np.subtract(1.0, line, rest)
            np.multiply(line, rest, next(lines))
            np.negative(line, rest)
            for other in p[number + 1 :]:
                np.multiply(rest, other, next(lines))

    def probabilities(self, eta: Vector) -> Vector:
        """e^eta_j over their sum."""
        top = np.maximum.reduce(eta, axis=0)
        out = np.asarray(eta - top)
        self._probabilities(out, top)
        return out

    def _probabilities(self, eta: Vector, total: Vector) -> None:
        """In place of eta, of which the largest of each row is 0; and what they were divided by."""
        exp(eta, eta)
        total[:] = eta[0]
        for line in eta[1:]:  # in this order, whatever the number of rows
            np.add(total, line, total)
        np.divide(eta, total, eta)

    def start(self, mean: Vector) -> Vector:
        """The logarithms of the classes' shares, of mean 0; finite where a class has no weight."""
        logs = np.maximum(mean, np.finfo(np.float64).eps)
        kernel.log(logs, logs)
        return np.asarray(logs - logs.mean())

    def slope_size(self, value: float, curvature: float) -> float:
        """Those of a row have squares of at most 2 (1 - p_y)^2, with p_y = e^-loss."""
        return math.sqrt(-2 * of_number(kernel.expm1, -value))
