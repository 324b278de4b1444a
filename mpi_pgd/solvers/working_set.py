"""Newton's method where the penalty is not smooth: a model of the few weights that matter, solved by coordinate descent."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mpi_pgd import kernel
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.tasks import Ask
from mpi_pgd.penalties.nonsmooth import Nonsmooth
from mpi_pgd.solvers.coordinate import Model
from mpi_pgd.solvers.evaluation import Curvature, Evaluation
from mpi_pgd.solvers.metric import secant
from mpi_pgd.solvers.suit import Choice, Facts
from mpi_pgd.solvers.working import MOST, Working

FIRST, LEAST = 128, 32  # columns of the first working set, and that are added at least
ARMIJO = 1e-4  # of the fall that the model foretells, at least
SHORTER = 0.5  # times the length: the next trial
FLAT = 1e-10  # of a column's curvature before the first round: a loss that bends no more there, as Huber's far off, has no minimum
DAMPED, STEEPER = 0.1, 10.0  # times the curvatures, that are added to those of a model that foretold too much; and again
HELD = 0.75  # of the fall that the model foretold, that is none too small: it may bend less
SAMPLED = 100  # rows for each column, of which a Hessian is made
CHEAP = 5  # times the unknowns: so many numbers for each row make a Hessian about as costly as half a gradient
WHOLE = 512  # unknowns, up to which all are in the set from the first round
INEXACT = 1e-3, 200  # how near to the minimum of a model that is itself not exact, and after how many sweeps it will do
PATIENCE, FALLEN = 4, 0.1  # rounds in which the falls that a model foretells get so much less, or a new one is made
SEEN = 0.5  # of what its curvature was at the start, as others' went, a column of a sample has at least
MISLED = 2  # trials that fail one after the other: a sample does not tell what the rows are like
LOST = 40  # trials that fail one after the other: rounding is all that is left
FOLLOWED = 10  # trials that failed: no model of a loss with kinks is good far from where it is made, so the path is followed
ABOVE, LOWERED = 1e15, 0.6  # times the penalty, where that path begins; and once it is followed so far, again
REACHED = 0.03  # of how far it is to the next optimum of the path: so near this one is reached


@dataclass(frozen=True)
class WorkingSet:
    """Rounds in turn: the Hessian among the weights that matter; the minimum of its model and the penalty, tried.

    The full gradient of each trial says which other weights matter. A squared loss has the same Hessian everywhere: then only the
    columns that are new are asked for, and the trial is the minimum over the set. Of other losses the Hessian is that of a sample
    of rows, so that it costs about as much as a gradient, and how the gradient changed along each step corrects it. Where that is
    too slow, another one is asked for at the next trial: the second of a sample, too, after that of all rows. Where too many
    trials fail, as with more weights than rows that bend no more beyond a kink, it begins anew, with so large a penalty that
    hardly a weight matters, and follows the optima while that is lowered: of each the next one is so near that few rows cross.
    (T. B. Johnson and C. Guestrin, "Blitz", ICML 2015; J. D. Lee, Y. Sun and M. A. Saunders, "Proximal Newton-Type Methods", SIAM
    Journal on Optimization 24, 2014; K. Scheinberg and X. Tang, "Practical inexact proximal quasi-Newton method", Mathematical
    Programming 160, 2016.)

    Args:
        quadratic: the loss is squared.
        rows: of the problem.
    """

    quadratic: bool
    rows: int
    needs: ClassVar[frozenset[Ask]] = frozenset({Ask.COLUMNS})

    def suited(self, facts: Facts) -> Choice:
        """Itself: ``Newton`` makes it."""
        return Choice(self)

    def init(self, weights: Vector, curvature: Curvature) -> Working:
        """Start at ``weights`` (size,)."""
        size, most = len(weights), min(MOST, len(weights))
        columns, model, falls = np.zeros(most, dtype=np.int64), np.zeros((most, most)), np.full(PATIENCE, math.inf)
        bends = np.ones(size) if curvature.diagonal is None else curvature.diagonal.copy()
        line = weights.copy(), np.zeros(size), math.inf, np.zeros(size), 0.0, 0.0
        bounded = not self.quadratic and curvature.most < math.inf
        set_of = columns, 0, 0, 1
        made = Working(
            weights.copy(), 0, *line, *set_of, curvature.known, bends, model, 0, 0, falls, 0, bounded, 0.0, 0, 0, 1.0, 0.0
        )
        return self._begun(made)

    def _begun(self, state: Working) -> Working:
        """At its point, of which nothing is known; few unknowns are all in the set from the first round."""
        size = len(state.weights)
        few = not self.quadratic and size <= min(WHOLE, MOST)
        count = size * few
        state.columns[:count] = np.arange(count)
        state.falls[:] = math.inf
        ask, every = int(Ask.COLUMNS if few else Ask.GRADIENT), self._every(count, size)
        state = state._replace(ask=ask, value=math.inf, foretold=0.0, length=0.0, asked=count, new=count, every=every)
        return state._replace(known=0, hessians=0, rounds=0, damped=0.0, trials=0)

    def _every(self, columns: int, size: int) -> int:
        """Of how many rows one is enough for a Hessian among so many ``columns`` of ``size``."""
        if self.quadratic or not columns:
            return 1
        return max(1, min(self.rows // (SAMPLED * columns), columns * columns // (CHEAP * size)))

    def update(self, state: Working, evaluation: Evaluation) -> Working:
        """After a trial: accept it and look what else matters, or try a shorter one. After a Hessian: the next trial."""
        own = evaluation.prox
        assert own
        rough = own.raised(state.raised)
        if state.ask == Ask.COLUMNS and not state.length and state.value < math.inf:  # at weights that were judged before
            return self._solved(self._learnt(state, evaluation), rough)
        value = evaluation.value + rough.value(state.point)
        if not value <= state.value - ARMIJO * state.length * state.foretold + 1e-15 * abs(state.value):
            state = state._replace(failed=state.failed + 1)
            return self._followed(state, own) if state.bounded and state.failed == FOLLOWED else self._shorter(state, rough)
        if state.ask == Ask.COLUMNS:
            state = self._learnt(state, evaluation)
        elif state.known and state.length and not self.quadratic:
            places = state.columns[: state.known]
            moved, changed = (state.point - state.weights)[places], (evaluation.gradient - state.gradient)[places]
            secant(state.model[: state.known, : state.known], moved, changed, evaluation.rounding)
        state.weights[:], state.gradient[:] = state.point, evaluation.gradient
        held = state.value - value < HELD * state.foretold
        state = state._replace(value=value, step=state.length, damped=state.damped / (1 if held else STEEPER), trials=0)
        return self._chosen(*self._lowered(state, own, rough))

    def _followed(self, state: Working, own: Nonsmooth) -> Working:
        """From where the penalty leaves hardly a weight."""
        own.raised(ABOVE).prox(state.weights, 1.0, state.point)
        return self._begun(state)._replace(raised=ABOVE)

    def _lowered(self, state: Working, own: Nonsmooth, rough: Nonsmooth) -> tuple[Working, Nonsmooth]:
        """With the next penalty for which the weights are no optimum yet."""
        least = np.empty_like(state.weights)
        while state.raised > 1:
            lower = max(1.0, LOWERED * state.raised)
            after = own.raised(lower)
            here, there = (each.distance(state.weights, state.gradient, least) for each in (rough, after))
            if REACHED * there < here < there:
                break
            value = state.value + after.value(state.weights) - rough.value(state.weights)
            state, rough = state._replace(raised=lower, value=value), after
        return state, rough

    def _chosen(self, state: Working, rough: Nonsmooth) -> Working:
        """The working set: what it was, what is not 0, and the most violated of the others."""
        least, size = np.empty_like(state.weights), len(state.weights)
        rough.distance(state.weights, state.gradient, least)
        violated, wanted, inside = np.abs(least), state.weights != 0, np.zeros(size, dtype=bool)
        inside[state.columns[: state.known]] = True
        if state.known and not (((violated > 0) | wanted) & ~inside).any():
            return self._solved(state, rough)
        old = state.columns[: state.known * self.quadratic]  # a model of another point is none
        inside &= self.quadratic
        others = np.flatnonzero((violated > 0) & ~inside & ~wanted)
        room = max(LEAST, min(state.asked, 2 * len(others))) if state.asked else FIRST
        added = others[np.argsort(-violated[others], kind="stable")[:room]]
        fresh = _whole(np.union1d(np.flatnonzero(wanted & ~inside), added), inside, rough)
        if len(old) + len(fresh) > len(state.columns):
            return self._restricted(state, violated, rough)
        return self._asked(state, fresh, old)

    def _asked(self, state: Working, fresh: NDArray[np.int64], old: NDArray[np.int64]) -> Working:
        """For the Hessian: of the new columns alone, if the others' stays as it is."""
        count = len(fresh) + len(old)
        new = len(fresh) if self.quadratic and state.known else count
        state.columns[:count] = np.concatenate([fresh, old])
        state.model[len(fresh) : count, len(fresh) : count] = state.model[: len(old), : len(old)].copy()
        state.point[:] = state.weights
        every, known = self._every(count, len(state.weights)), len(old) if new < count else 0
        return state._replace(ask=int(Ask.COLUMNS), asked=count, new=new, every=every, known=known, length=0.0, hessians=0)

    def _restricted(self, state: Working, violated: Vector, rough: Nonsmooth) -> Working:
        """Nothing but the most violated, where the set is too small for all."""
        places = np.argsort(-violated, kind="stable")[: len(state.columns) // 2]
        places = _whole(np.sort(places), np.zeros(len(violated), dtype=bool), rough)[: len(state.columns)]
        return self._asked(state._replace(known=0, asked=0), places, np.zeros(0, dtype=np.int64))

    def _learnt(self, state: Working, evaluation: Evaluation) -> Working:
        """With the rows of the Hessian that were asked for."""
        found, new, count = evaluation.hessian, state.new, state.asked
        assert found is not None
        if state.every > 1:
            diagonal, whole = np.einsum("ii->i", found), state.curvatures[state.columns[:count]]
            usual = np.median(diagonal / np.where(whole > 0, whole, 1.0))
            np.maximum(diagonal, SEEN * usual * whole, out=diagonal)  # of a rare column a sample may have no row
        state.model[:new, :count] = found
        state.model[:count, :new] = found.T
        state.falls[:] = math.inf
        return state._replace(known=count, hessians=state.hessians + 1, rounds=0, trials=0)

    def _solved(self, state: Working, rough: Nonsmooth) -> Working:
        """To the minimum of the model over the working set."""
        return self._paced(self._aimed(state, rough))

    def _aimed(self, state: Working, rough: Nonsmooth) -> Working:
        order = np.argsort(state.columns[: state.known], kind="stable")
        places = state.columns[: state.known][order]
        hessian, usual = state.model[np.ix_(order, order)], state.curvatures[places]
        bends = np.einsum("ii->i", hessian)
        bends[:] = np.where(bends <= FLAT * usual, usual, bends + state.damped * np.maximum(usual, bends))
        known = places[places < len(rough.units)]
        part = rough.at(known)
        before, gradient = state.weights[places], state.gradient[places]
        after = Model(hessian, gradient, before, part).minimise(*() if self.quadratic else INEXACT)
        state.direction[:] = 0.0
        state.direction[places] = after - before
        fall = -kernel.dot(gradient, after - before) + part.value(before) - part.value(after)
        state.point[:] = state.weights
        state.point[places] = after
        return state._replace(foretold=max(fall, 0.0) * (not self.quadratic), length=1.0)

    def _paced(self, state: Working) -> Working:
        """Ask for a new Hessian at the trial where the one in use is too slow; and after the very first, if the set will stay."""
        size, place = len(state.weights), state.rounds % PATIENCE
        every = self._every(state.known, size)
        before = state.falls[place if every > 1 else place - 1]  # of few rows it is no great loss
        slow = state.foretold > FALLEN * before or (state.hessians == 1 and state.known == size)
        state.falls[place] = state.foretold
        state = state._replace(rounds=state.rounds + 1, ask=int(Ask.GRADIENT))
        return state if self.quadratic or not slow else self._anew(state, every if state.hessians == 1 else 1)

    def _anew(self, state: Working, every: int) -> Working:
        """Ask for another Hessian among the same columns, of every so many-th row."""
        return state._replace(ask=int(Ask.COLUMNS), new=state.known, asked=state.known, every=every)

    def _shorter(self, state: Working, rough: Nonsmooth) -> Working:
        """Nearer: with a model that bends more, or less far; where nothing helps, from the best weights again."""
        trials, length = state.trials + 1, SHORTER * state.length
        state = state._replace(trials=trials)
        misled = trials == MISLED and state.every > 1
        if state.bounded and trials < LOST:
            state = self._aimed(state._replace(damped=max(STEEPER * state.damped, DAMPED)), rough)
            return self._anew(state, 1) if misled else state
        if trials == LOST or misled:
            length, state = 0.0, state if self.quadratic else self._anew(state, 1)
        np.multiply(state.direction, length, out=state.point)
        np.add(state.point, state.weights, out=state.point)
        return state._replace(length=length)


def _whole(places: NDArray[np.int64], inside: NDArray[np.bool_], rough: Nonsmooth) -> NDArray[np.int64]:
    """With all weights of their units."""
    units = rough.units
    chosen = np.zeros(int(units.max(initial=-1)) + 1, dtype=bool)
    chosen[units[places[places < len(units)]]] = True
    whole: NDArray[np.int64] = np.concatenate([np.flatnonzero(chosen[units]), places[places >= len(units)]])
    return np.extract(~inside[whole], whole)
