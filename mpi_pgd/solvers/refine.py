"""Least squares from the Gram matrix, refined to the last digit."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mpi_pgd import kernel
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.pairs import Pair, add, multiply, negative, pair
from mpi_pgd.engine.tasks import Ask
from mpi_pgd.solvers.diagnosis import Diagnosis, Rounding, diagnose
from mpi_pgd.solvers.evaluation import Curvature, Evaluation
from mpi_pgd.solvers.factors import ROUNDING, Factor, factored
from mpi_pgd.solvers.refined import Refined, Stage, Steps
from mpi_pgd.solvers.suit import Choice, Facts

AFFORDED = 2**24  # numbers in the rows, up to which a pass in twice the precision takes no time that anyone would notice
LOSES = 1e-10  # relative error of the weights, that passes in float64 may make
EXACT, SURE, PLAIN = 2.0**-80, 2.0**-60, 2.0**-56  # of the weights, what may be left: intercepts are differences of larger ones
LOST = 1e-3  # relative error of the weights by the rounding of the rows alone: above it they are not determined by the rows
FAR = 2.0**44  # times the size of the residuals, that a probe goes
NOTHING = 2.0**-100  # of the largest curvature, that a direction has at least: below it all is rounding of the rows
FALLEN = 0.5  # of the smallest step, that the next one has to be
IDLE = 3  # steps along conjugate directions, for which that need not be so


@dataclass(frozen=True)
class Refine:
    """Conjugate gradients, preconditioned by the Cholesky factor of the Gram matrix, on gradients in twice the precision.

    The objective is quadratic, so what a gradient changes by along a direction is the Hessian's product with it: one pass over
    the rows is one step. On well-conditioned columns the first step leaves nothing to do but for the last digits. (A. Bjorck,
    "Numerical Methods for Least Squares Problems", 1996, 6.6 and 7.4; N. J. Higham, "Accuracy and Stability of Numerical
    Algorithms", 2002, 20.5.)

    ``rows`` is n; ``outputs`` is k; ``intercept`` says whether one is found for each; ``rounding`` is that of the rows. With
    ``loose`` passes are in float64 wherever the columns allow it, as the driver stops when the objective is near enough.
    """

    rows: int
    intercept: bool
    rounding: Rounding
    outputs: int = 1
    loose: bool = False
    needs: ClassVar[frozenset[Ask]] = frozenset({Ask.HESSIAN, Ask.PRECISE})

    def suited(self, facts: Facts) -> Choice:
        """Itself: ``Newton`` names it."""
        return Choice(self)

    def init(self, weights: Vector, curvature: Curvature) -> Refined:
        """Start at ``weights`` (k p,)."""
        point, p = np.zeros(2 * (len(weights) + self.outputs * self.intercept)), len(weights) // self.outputs
        point[: len(weights)] = weights
        zero = [np.zeros((self.outputs, p + self.intercept)) for _ in range(5)]
        vectors = Pair(*zero[:2]), Pair(*zero[2:4]), zero[4]
        factor, unknown = Factor.empty(p), math.inf
        return Refined(
            point, Ask.GRADIENT, False, 0.0, Stage.START, *vectors, factor, unknown, unknown, 1.0, 0, unknown, True, Steps()
        )

    def update(self, state: Refined, evaluation: Evaluation) -> Refined:
        """The next point; or the last one."""
        if state.stage == Stage.START:
            return state._replace(ask=Ask.HESSIAN, stage=Stage.GRAM)
        found = np.zeros((2, len(state.point) // 2))
        for line, half in zip(found, (evaluation.gradient, evaluation.low), strict=True):
            if half is not None:
                line[: len(half)] = half
        gradient, lowest = self._lines(found.ravel()), state.value
        state = state._replace(value=min(evaluation.value, lowest))
        if evaluation.hessian is not None:
            return self._factored(state, evaluation.hessian, gradient)
        if state.stage == Stage.PROBE:
            return self._probed(state, evaluation.value - lowest)
        if state.stage == Stage.NEAR:
            return state._replace(ask=Ask.PRECISE, stage=Stage.STEP)
        if state.stage == Stage.CONJUGATE:
            return self._conjugate(state, gradient)
        state = state._replace(base=self._lines(state.point), gradient=gradient)
        return self._judged(state, state.factor.step(state.gradient.high))

    def decrement(self, state: Refined, gradient: Vector) -> float:
        """g'H^-1 g, Newton's squared, at ``gradient`` (k p,) of a step by the factor alone; nan where this can't tell it."""
        if state.stage != Stage.STEP or state.factor.dependent:
            return math.nan
        lines = gradient.reshape(self.outputs, -1)
        return float(_dots(lines, state.factor.solve(lines)).sum())

    def diagnosis(self, state: Refined, value: float) -> Diagnosis | None:
        """What was learnt; None before the factor was made. The digits are of the last point that counts, ``value`` is F there."""
        if state.stage <= Stage.GRAM:
            return None
        point = self._lines(state.point) if state.stage == Stage.STEP else state.base
        size = kernel.norm(state.factor.scaled(point.high)[:, : len(state.factor.root)])
        residual = math.sqrt(2 * abs(value))
        found = diagnose(state.factor, self._least(state), state.determined, self.rounding, size, residual)
        return found._replace(reached=self._reached(state) if state.finished else 0.0)

    def _reached(self, state: Refined) -> float:
        """Digits of the weights, as far as the last step tells; those of a Gram matrix's null space are as they are."""
        left = state.step * (state.idle > 0)
        if state.factor.dependent and state.determined:
            left = state.step * (1 + state.factor.shift / state.curvature)
        return -math.log10(min(1.0, max(left, ROUNDING)))

    def _least(self, state: Refined) -> float:
        """The smallest singular value that is known, of X / sqrt(n) with its columns scaled to a mean square of 1."""
        return math.sqrt(min(state.factor.smallest, state.curvature))

    def _factored(self, state: Refined, hessian: Vector, gradient: Pair) -> Refined:
        """Where columns seem to depend on each other, look how far from there the objective rises; else take a step."""
        p = len(state.factor.root)
        factor = factored(hessian[:p, :p])
        state = state._replace(factor=factor, base=self._lines(state.point), gradient=gradient)
        if not factor.dependent:
            return self._begun(state)
        direction = np.zeros_like(state.direction)
        direction[0, :p] = FAR * (math.sqrt(abs(state.value)) or 1.0) * factor.null()
        return self._moved(state._replace(ask=Ask.GRADIENT), direction, Stage.PROBE)

    def _probed(self, state: Refined, rise: float) -> Refined:
        """Along d F rises by g'd + d'Hd / 2. So far away that is not lost in F, and what is left of X d is its own rounding."""
        scaled = state.factor.scaled(state.direction)
        rise -= float(_dots(state.gradient.high, state.direction).sum())
        curvature = max(0.0, 2 * rise / float(_dots(scaled, scaled).sum()))
        determined = self.rounding.columns * math.sqrt(state.factor.largest) <= LOST * math.sqrt(curvature)
        begun = self._begun(state._replace(curvature=curvature, determined=determined))
        return begun._replace(ask=Ask.GRADIENT, stage=Stage.NEAR) if begun.ask == Ask.PRECISE else begun

    def _afforded(self, state: Refined) -> bool:
        return not self.loose and self.rows * len(state.factor.root) <= AFFORDED

    def _begun(self, state: Refined) -> Refined:
        """The first step, all the way that the factor says."""
        loses = self.rounding.columns * math.sqrt(state.factor.largest) > LOSES * self._least(state) and state.determined
        precise = self._afforded(state) or loses
        direction = state.factor.step(state.gradient.high)
        moved = self._moved(state, direction, Stage.STEP)
        best = state.factor.length(direction) / (state.factor.length(self._lines(moved.point).high) or 1.0) or 1.0
        return moved._replace(ask=Ask.PRECISE if precise else Ask.GRADIENT, best=best)

    def _judged(self, state: Refined, correction: Vector) -> Refined:
        """Whether to go on from the base, where ``correction`` is what the factor alone would do."""
        step = state.factor.length(correction) / (state.factor.length(state.base.high) or 1.0)
        fallen = step / state.best
        idle = 0 if fallen < FALLEN else state.idle + 1
        state = state._replace(step=step, best=min(step, state.best) or 1.0, idle=idle)
        if state.factor.dependent and state.determined and state.ask == Ask.PRECISE:
            return self._hidden(state, correction)
        if fallen * step <= (EXACT if state.ask == Ask.PRECISE else PLAIN):  # as this step fell, so will the next one
            return self._finished(state, correction)
        if idle:
            return self._finished(state, np.zeros_like(correction))
        return self._moved(state, correction, Stage.CONJUGATE if state.ask == Ask.PRECISE and state.determined else Stage.STEP)

    def _hidden(self, state: Refined, correction: Vector) -> Refined:
        """Because of the shift, more is left than the step; and what was added up of gradients has to be seen to be right."""
        left = state.step * (1 + state.factor.shift / state.curvature)
        enough = SURE if self._afforded(state) else LOSES
        if state.stage == Stage.CONJUGATE:
            over = left <= enough or state.idle >= IDLE
            return self._moved(state, correction, Stage.STEP) if over else self._tried(state, correction)
        if left <= enough or left > FALLEN * state.left:
            return self._finished(state, correction)
        return self._tried(state._replace(left=left, best=state.step, idle=0), correction)

    def _conjugate(self, state: Refined, gradient: Pair) -> Refined:
        """To the least objective along the direction that was tried; the next one is conjugate to it."""
        change, along, curvature = _along(state, gradient)
        sound = curvature > NOTHING * state.factor.largest
        along = np.where(sound, along, math.inf)
        length = pair((-_dots(state.gradient.high, state.direction) / along)[:, None])
        base = add(state.base, multiply(length, pair(state.direction)))
        least = float(curvature.min(where=sound, initial=state.curvature))
        state = state._replace(base=base, gradient=add(state.gradient, multiply(length, change)), curvature=least)
        correction = state.factor.step(state.gradient.high)
        judged = self._judged(state, correction)
        if judged.stage != Stage.CONJUGATE:
            return judged
        before = -_dots(correction, change.high) / along
        return self._tried(judged, correction + before[:, None] * state.direction)

    def _tried(self, state: Refined, direction: Vector) -> Refined:
        """Look along a conjugate direction; where hardly any curvature is left, as far as the weights, to see it above rounding."""
        length = state.factor.length(direction)
        far = state.factor.length(state.base.high) / length if state.factor.dependent and length else 1.0
        return self._moved(state, direction * max(far, 1.0), Stage.CONJUGATE)

    def _finished(self, state: Refined, direction: Vector) -> Refined:
        return self._moved(state, direction, Stage.STEP)._replace(finished=True, ask=Ask.GRADIENT)

    def _moved(self, state: Refined, direction: Vector, stage: Stage) -> Refined:
        point, p = add(state.base, pair(direction)), len(state.factor.root)
        halves = [part.ravel() for half in point for part in (half[:, :p], half[:, p:])]
        return state._replace(point=np.concatenate(halves), direction=direction, stage=stage)

    def _lines(self, unknowns: Vector) -> Pair:
        """Of pairs (2 size,)."""
        k, halves = self.outputs, unknowns.reshape(2, -1)
        weights = halves.shape[1] - k * self.intercept
        return Pair(*(np.hstack([half[:weights].reshape(k, -1), half[weights:].reshape(k, -1)]) for half in halves))


def _along(state: Refined, gradient: Pair) -> tuple[Pair, Vector, Vector]:
    """How the gradient changes along the direction d; d'Hd (k,); and its quotient by what it would be for uncorrelated columns."""
    change = add(gradient, negative(state.gradient))
    along = _dots(change.high, state.direction)
    scaled = state.factor.scaled(state.direction)
    squares = _dots(scaled, scaled)
    return change, along, np.divide(along, squares, out=np.zeros_like(along), where=squares > 0)


def _dots(a: Vector, b: Vector) -> Vector:
    """The scalar product (k,) of each two lines."""
    out = np.empty(len(a))
    kernel.dots(a, b, out)
    return out
