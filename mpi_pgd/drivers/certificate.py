"""How far an objective can be from its optimum, from nothing but what a round sums anyway."""

import math
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from mpi_pgd import kernel
from mpi_pgd.drivers.objective import EPSILON
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.penalties import Penalty

AROUND = 4  # times the range in which an unknown has been: no further beyond it is its optimum thought to be
FALLEN = 0.01  # of what the objective has fallen by: a larger estimate is none, it has hardly moved yet


class Kind(StrEnum):
    """What the number of a certificate is."""

    GAP = "duality gap"  # no smaller than the distance of the objective from its optimum
    ESTIMATED = "estimated duality gap"  # likewise, if what nothing holds is where it is estimated to be
    DECREMENT = "Newton decrement"  # half its square: that distance, if the objective is as its Hessian says
    SOLVED = "solved"  # least squares to the last digit: what its diagnosis says counts, the number is rounding
    NORM = "gradient norm"  # says nothing of that distance


class Certificate(NamedTuple):
    """How far the objective may be from its optimum, by what ``kind`` says."""

    gap: float
    kind: Kind


class Evidence(NamedTuple):
    """What is known of the optimum's value; part of a driver's state.

    The optimum is at least a + b'x for each cut, where x are the d loose unknowns at the optimum.

    Attributes:
        dual: it is at least this.
        estimated: likewise, if x is where it is estimated to be.
        cuts: (2, 1 + d) the best of them, [a | b]; a is -inf where there is none. With one loose unknown the first has b >= 0, the
            second b < 0: where they cross is the least that both allow, wherever x is.
        low, high: (d,) between which x has been.
        first: the objective of the first round.
    """

    dual: float
    estimated: float
    cuts: Vector
    low: Vector
    high: Vector
    first: float


class Certifier:
    """Lower bounds of the least F(V, c) = L + P(V), L the mean loss, convex and at least 0, P the penalty.

    By Fenchel's equality the mean of -f*(slopes) is L - V'g - c'g0 at any point, with g, g0 the gradients of L: so no sum over the
    rows is needed but those of a gradient. For slopes times s the dual is at least s (L - V'g - c'g0) - P*(-s g) for s from 0 to 1,
    as f* is convex and f*(0) at most 0; for the squared loss it is that + (s - s^2) L exactly, for any s. s is the largest that P*
    allows (L. El Ghaoui, V. Viallon and T. Rabbani 2012; E. Ndiaye et al., "Gap Safe Screening Rules", JMLR 18, 2017).

    Where nothing holds an unknown (an intercept, a feature without penalty), slopes would have to be orthogonal to it, but near the
    optimum alone they are. Then the bound is linear in where it is at the optimum, a cut. Two that slope in different directions
    bound the optimum whatever that is, if there is one such unknown. Else it is taken to be no further from the range in which it
    has been than ``AROUND`` times that range, and that is an estimate. What several outputs have in common in a softmax changes
    nothing, and a solver may be led far along it: so of unknowns that nothing holds it is left out of x.

    Args:
        penalty: P.
        free: intercepts among the unknowns.
        quadratic: the loss is the squared one.
        convex: whether L is.
        outputs: of the model.
    """

    def __init__(self, penalty: Penalty, free: int, quadratic: bool, convex: bool = True, outputs: int = 1) -> None:
        self.penalty, self.quadratic = penalty, quadratic
        self.weights = len(penalty.curvature)
        self.loose = np.append(penalty.loose, self.weights + np.arange(free))
        self.limits = tuple(
            np.append(limit, np.full(free, end)) for limit, end in zip(penalty.limits, (-math.inf, math.inf), strict=True)
        )
        endless = (self.limits[0] == -math.inf) & (self.limits[1] == math.inf)
        features = self.weights // outputs
        places = np.where(self.loose < self.weights, self.loose % max(features, 1), features)
        shared = endless & (outputs > 1 and not quadratic)
        self._shares = np.where(shared, places, features + 1)  # of each loose unknown, with whom it may have something in common
        self._among = np.where(np.arange(features + 2) <= features, outputs, math.inf)
        self.held = convex and (penalty.nonsmooth is not None or len(penalty.loose) < self.weights)  # else there is no gap

    def start(self) -> Evidence:
        """Before the first round: losses are at least 0."""
        size = len(self.loose)
        cuts = np.zeros((2, 1 + size))
        cuts[:, 0] = -math.inf
        least = -self.penalty.conjugate(np.zeros(self.weights))
        return Evidence(least, -math.inf, cuts, np.full(size, math.inf), np.full(size, -math.inf), math.nan)

    def update(self, evidence: Evidence, value: float, gradient: Vector, unknowns: Vector) -> Evidence:
        """Add what a round found.

        Args:
            evidence: so far.
            value: of the mean loss above its floor, and of the penalty's smooth part.
            gradient: (size,) of that.
            unknowns: (size,) where it was found; they need not be within bounds.
        """
        if not (self.held and math.isfinite(value)):
            return evidence
        first, rough = evidence.first, self.penalty.nonsmooth
        objective = value + (rough.value(unknowns) if rough else 0.0)
        first = objective if math.isnan(first) else first
        x, low, high = self._at_large(unknowns), evidence.low, evidence.high
        if objective <= first:  # the optimum is not where a trial went too far
            low, high = np.minimum(low, x), np.maximum(high, x)
        cut = self._cut(value, gradient, unknowns)
        cuts = evidence.cuts.copy()
        place = int(len(x) == 1 and cut[1] < 0)
        if _at(cut, x) > _at(cuts[place], x):
            cuts[place] = cut
        dual = max(evidence.dual, _least(cuts, *self.limits))
        around = np.where(high > low, AROUND * (high - low), math.inf)
        estimated = _least(cuts, np.maximum(low - around, self.limits[0]), np.minimum(high + around, self.limits[1]))
        return Evidence(dual, max(dual, estimated), cuts, low, high, first)

    def certificate(
        self, evidence: Evidence, objective: float, norm: float, decrement: float | None = None, enough: float = 0.0
    ) -> Certificate:
        """The best that can be said.

        Args:
            evidence: with this round's.
            objective: F, of the point that is judged.
            norm: of its gradient, or of the shortest subgradient.
            decrement: g'H^-1 g of all that is smooth, H its Hessian, or what stands for it; None if there is none.
            enough: a gap that would do: what is sure goes before what is estimated where it is no larger.
        """
        least = EPSILON * abs(objective)  # no difference is better than that
        gap, estimated = max(objective - evidence.dual, least), max(objective - evidence.estimated, least)
        if estimated > FALLEN * (evidence.first - objective):
            estimated = math.inf
        if gap <= max(enough, estimated) and (self.held or gap <= enough):
            return Certificate(gap, Kind.GAP)
        if decrement is not None and self.penalty.nonsmooth is None:
            return Certificate(max(decrement / 2, least), Kind.DECREMENT)
        return Certificate(estimated, Kind.ESTIMATED) if math.isfinite(estimated) else Certificate(norm, Kind.NORM)

    def _cut(self, value: float, gradient: Vector, unknowns: Vector) -> Vector:
        """The best [a | b] (1 + d,) of the scales that are tried."""
        v = unknowns[: self.weights]
        bent = self.penalty.curvature * v
        loss = value - 0.5 * kernel.dot(bent, v)
        slopes = gradient.copy()
        slopes[: self.weights] -= bent
        equality = loss - kernel.dot(slopes, unknowns)
        u, along = -slopes[: self.weights], slopes[self.loose]
        most = self.penalty.scaling(u)
        scales = [min(1.0, most)]
        if self.quadratic and loss > 0:
            scales.append(min(max((equality + loss) / (2 * loss), 0.0), most))
        best = np.append(-math.inf, np.zeros(len(along)))
        for s in scales:
            more = (s - s * s) * loss if self.quadratic else 0.0
            cut = np.append(s * equality + more - self.penalty.conjugate(s * u), s * along)
            if _at(cut, self._at_large(unknowns)) > _at(best, self._at_large(unknowns)):
                best = cut
        return best

    def _at_large(self, unknowns: Vector) -> Vector:
        """The loose unknowns (d,), as in cuts."""
        x: Vector = unknowns[self.loose]
        return x - (np.bincount(self._shares, x, len(self._among)) / self._among)[self._shares]


def _at(cut: Vector, x: Vector) -> float:
    """A cut's value at x (d,)."""
    return float(cut[0]) + kernel.dot(cut[1:], x)


def _least(cuts: Vector, low: Vector, high: Vector) -> float:
    """The least that the cuts allow for an x between ``low`` and ``high`` (d,)."""
    first, second = cuts
    ends = np.where(cuts[:, 1:] > 0, low, high)
    slopes = np.where(cuts[:, 1:] == 0, 0.0, cuts[:, 1:])
    with np.errstate(invalid="ignore"):
        alone = cuts[:, 0] + np.sum(np.where(slopes == 0, 0.0, slopes * ends), axis=1)
    found = float(alone.max())
    if len(low) == 1 and np.isfinite(cuts[:, 0]).all():
        share = first[1] / (first[1] - second[1])
        crossing = float((second[0] - first[0]) / (first[1] - second[1]))
        if low[0] < crossing < high[0]:
            found = max(found, float((1 - share) * first[0] + share * second[0]))
    return found
