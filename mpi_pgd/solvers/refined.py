"""The state of least squares that are refined."""

import math
from enum import IntEnum
from typing import NamedTuple

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.pairs import Pair
from mpi_pgd.solvers.factors import Factor


class Stage(IntEnum):
    """What the next evaluation is for."""

    START = 0  # how large the sums are, for which a cheaper pass will do than for the factor
    GRAM = 1  # the factor
    STEP = 2  # a step by the factor alone
    PROBE = 3  # the least curvature, which a Gram matrix can't tell from 0
    NEAR = 4  # how large the sums are where they are not far away
    CONJUGATE = 5  # a step along a conjugate direction


class Steps(NamedTuple):
    """Points may be trials, from which nothing but the curvature is wanted."""

    recovers: bool = True
    sound: bool = True

    def gain(self, norm: float) -> float:
        """Where weights are not unique, the objective may rise by rounding."""
        return math.inf


class Refined(NamedTuple):
    """The state of ``Refine``: vectors are lines (k, p + 1), of an output each: its weights, then its intercept, if it has one.

    Attributes:
        point: where the next round evaluates, in twice the precision: (2 size,), weights (k, p), then the intercepts, then
            the low halves of all.
        ask: what.
        finished: nothing more is to be gained: the next evaluation is the last one.
        step: length of the last step, relative to the weights.
        stage: what the next evaluation is for.
        base, gradient: the last point that was accepted, and the gradient there.
        direction: from there to ``point``.
        factor: of the Gram matrix.
        value: the least of the objective.
        curvature: the least one seen along any direction, of columns scaled to a mean square of 1.
        best, idle: the smallest step so far, and how many since.
        left: of the weights, when the gradient was evaluated last where it counts, and not added up.
        determined: whether the rows determine the weights, as far as is known.
    """

    point: Vector
    ask: int
    finished: bool
    step: float
    stage: int
    base: Pair
    gradient: Pair
    direction: Vector
    factor: Factor
    value: float
    curvature: float
    best: float
    idle: int
    left: float
    determined: bool
    steps: Steps
