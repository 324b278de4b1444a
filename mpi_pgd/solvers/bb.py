"""Gradient descent with the steps of Barzilai and Borwein."""

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from mpi_pgd import kernel
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.tasks import Ask
from mpi_pgd.solvers.evaluation import Curvature, Evaluation
from mpi_pgd.solvers.linesearch import KEPT, Spectral
from mpi_pgd.solvers.suit import Choice, Facts, whole_only

APART = 0.5  # of the long step, that the short one is less than


class Spectrum(NamedTuple):
    """The state of Barzilai and Borwein's method.

    Attributes:
        point: where the next round evaluates.
        weights, gradient: (size,) the last that were accepted.
        steps: their lengths, and which are accepted.
        step: the length of the last one.
    """

    point: Vector
    weights: Vector
    gradient: Vector
    steps: Spectral
    step: float

    @property
    def ask(self) -> Ask:
        """The gradient alone, always."""
        return Ask.GRADIENT


def length(moved: Vector, changed: Vector, rounding: float) -> float | None:
    """Of the next step, from the last one s and the change y of the gradient (size,); None where s'y is rounding.

    s'y/s's is a mean of the curvatures that s has met, y'y/s'y one nearer to their largest; where these are far apart, the
    step that is due is the short one (B. Zhou, L. Gao and Y.-H. Dai, "Gradient methods with adaptive step-sizes", Computational
    Optimization and Applications 35, 2006).
    """
    along, squares = kernel.dot(moved, changed), kernel.dot(moved, moved)
    if not along > math.sqrt(squares) * rounding:
        return None
    long, short = squares / along, along / kernel.dot(changed, changed)
    return short if short < APART * long else long


@dataclass(frozen=True)
class BarzilaiBorwein:
    """w <- prox(w - a g), where a = s's/s'y or s'y/y'y of the last step s and the change y of the gradient along it.

    The objective may rise for some rounds; a step that lets it rise too far is tried again at half the length.
    (J. Barzilai and J. M. Borwein, "Two-point step size gradient methods", IMA Journal of Numerical Analysis 8, 1988; M. Raydan,
    "The Barzilai and Borwein gradient method for the large scale unconstrained minimization problem", SIAM Journal on
    Optimization 7, 1997.)
    """

    needs: ClassVar[frozenset[Ask]] = frozenset()

    def suited(self, facts: Facts) -> Choice:
        """Itself."""
        whole_only("bb", facts)
        return Choice(self)

    def init(self, weights: Vector, curvature: Curvature) -> Spectrum:
        """Start at ``weights`` (size,); the first step can't be too long, if that can be known."""
        steps = Spectral(1 / curvature.known, np.full(KEPT, -math.inf), 0)
        return Spectrum(weights.copy(), weights.copy(), np.zeros_like(weights), steps, 0.0)

    def update(self, state: Spectrum, evaluation: Evaluation) -> Spectrum:
        """One trial, accepted or not."""
        point, weights, gradient, steps, step = state
        prox = evaluation.prox
        value = evaluation.value + (prox.value(point) if prox else 0.0)
        moved = point - weights
        if steps.accepts(value, moved):
            found = length(moved, evaluation.gradient - gradient, evaluation.rounding) if steps.accepted else None
            step = steps.length if steps.accepted else 0.0
            weights[:], gradient[:], steps = point, evaluation.gradient, steps.went(value, found or steps.length)
        else:
            steps = steps.shorter(value)
        np.multiply(gradient, -steps.length, out=point)
        point += weights
        if prox:
            prox.prox(point, steps.length, point)
        return Spectrum(point, weights, gradient, steps, step)
