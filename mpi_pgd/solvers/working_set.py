"""Newton's method where the penalty is not smooth: a model of the few weights that matter, solved by coordinate descent."""

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.tasks import Ask
from mpi_pgd.penalties.nonsmooth import Nonsmooth
from mpi_pgd.solvers.coordinate import Model
from mpi_pgd.solvers.evaluation import Curvature, Evaluation
from mpi_pgd.solvers.suit import Choice, Facts

FIRST, LEAST = 128, 32  # columns of the first working set, and that are added at least
MOST = 1024  # columns at most; where more weights matter, the most violated ones are moved, the others held
ARMIJO = 1e-4  # of the fall that the model foretells, at least
SHORTER = 0.5  # times the length: the next trial
FLAT = 1e-10  # of the curvature before the first round: a loss that bends no more there, as Huber's far off, has no minimum
LOST = 40  # trials that fail one after the other: rounding is all that is left


class Working(NamedTuple):
    """The state of the working set.

    Attributes:
        point, ask: what the next round evaluates.
        weights, value: (size,) of the best point, and the objective there.
        direction, foretold, length: of the trial from there: (size,), the fall of the model over it, and how far it goes.
        columns, asked, new: (MOST,) the places of the working set, of which so many are meant, the new ones first.
        curvature: before the first round.
        model: (MOST, MOST) the Hessian among them, as far as it is known.
        known: of how many.
        trials: that failed one after the other.
        step: the length of the last step.
    """

    point: Vector
    ask: int
    weights: Vector
    value: float
    direction: Vector
    foretold: float
    length: float
    columns: NDArray[np.int64]
    asked: int
    new: int
    curvature: float
    model: Vector
    known: int
    trials: int
    step: float

    @property
    def request(self) -> Vector:
        """What a ``ColumnsTask`` has to know beside the point."""
        return np.array([self.new, self.asked, *self.columns[: self.asked]], dtype=np.float64)

    @property
    def steps(self) -> "Working":
        """Itself."""
        return self

    @property
    def sound(self) -> bool:
        """Whether there is something to go on with."""
        return math.isfinite(self.length) and 0 <= self.new <= self.asked <= MOST

    @property
    def recovers(self) -> bool:
        """From any trial."""
        return True

    def gain(self, norm: float) -> float:
        """A trial that was too far is followed by one that is not."""
        return math.inf


@dataclass(frozen=True)
class WorkingSet:
    """Rounds in turn: the Hessian among the weights that matter; the minimum of its model and the penalty, tried.

    The full gradient of each trial says which other weights matter. A squared loss has the same Hessian everywhere: then only the
    columns that are new are asked for, and the trial is the minimum over the set.
    (T. B. Johnson and C. Guestrin, "Blitz", ICML 2015; J. D. Lee, Y. Sun and M. A. Saunders, "Proximal Newton-Type Methods", SIAM
    Journal on Optimization 24, 2014.)
    """

    quadratic: bool
    needs: ClassVar[frozenset[Ask]] = frozenset({Ask.COLUMNS})

    def suited(self, facts: Facts) -> Choice:
        """Itself: ``Newton`` makes it."""
        return Choice(self)

    def init(self, weights: Vector, curvature: Curvature) -> Working:
        """Start at ``weights`` (size,)."""
        most = min(MOST, len(weights))
        columns, model = np.zeros(most, dtype=np.int64), np.zeros((most, most))
        start = weights.copy()
        best, none, bend = weights.copy(), np.zeros_like(start), curvature.known
        return Working(start, Ask.GRADIENT, best, math.inf, none, 0.0, 0.0, columns, 0, 0, bend, model, 0, 0, 0.0)

    def update(self, state: Working, evaluation: Evaluation) -> Working:
        """After a trial: accept it and look what else matters, or try a shorter one. After a Hessian: the next trial."""
        rough = evaluation.prox
        assert rough
        if state.ask == Ask.COLUMNS:
            return self._solved(self._learnt(state, evaluation), evaluation, rough)
        value = evaluation.value + rough.value(state.point)
        if not value <= state.value - ARMIJO * state.length * state.foretold + 1e-15 * abs(state.value):
            return self._shorter(state)
        state.weights[:] = state.point
        state = state._replace(value=value, step=state.length, trials=0)
        return self._chosen(state, evaluation, rough)

    def _chosen(self, state: Working, evaluation: Evaluation, rough: Nonsmooth) -> Working:
        """The working set: what it was, what is not 0, and the most violated of the others."""
        least, size = np.empty_like(state.weights), len(state.weights)
        rough.distance(state.weights, evaluation.gradient, least)
        old = state.columns[: state.asked * self.quadratic]  # a model of another point is none
        inside = np.zeros(size, dtype=bool)
        inside[old] = True
        wanted = state.weights != 0
        wanted[len(rough.units) :] = True  # what is not penalised
        violated = np.abs(least)
        others = np.flatnonzero((violated > 0) & ~inside & ~wanted)
        room = max(LEAST, min(state.asked, 2 * len(others))) if state.asked else FIRST
        added = others[np.argsort(-violated[others], kind="stable")[:room]]
        fresh = _whole(np.union1d(np.flatnonzero(wanted & ~inside), added), inside, rough)
        if len(old) + len(fresh) > len(state.columns):
            return self._restricted(state, violated, evaluation, rough)
        if self.quadratic and state.known and not len(fresh):
            return self._solved(state, evaluation, rough)
        return self._asked(state, fresh, old)

    def _asked(self, state: Working, fresh: NDArray[np.int64], old: NDArray[np.int64]) -> Working:
        """For the Hessian: of the new columns alone, if the others' stays as it is."""
        count = len(fresh) + len(old)
        new = len(fresh) if self.quadratic and state.known else count
        state.columns[:count] = np.concatenate([fresh, old])
        state.model[len(fresh) : count, len(fresh) : count] = state.model[: len(old), : len(old)].copy()
        state.point[:] = state.weights
        return state._replace(ask=int(Ask.COLUMNS), asked=count, new=new, known=len(old) if new < count else 0)

    def _restricted(self, state: Working, violated: Vector, evaluation: Evaluation, rough: Nonsmooth) -> Working:
        """Nothing but the most violated, where the set is too small for all."""
        places = np.argsort(-violated, kind="stable")[: len(state.columns) // 2]
        places = _whole(np.sort(places), np.zeros(len(violated), dtype=bool), rough)[: len(state.columns)]
        return self._asked(state._replace(known=0, asked=0), places, np.zeros(0, dtype=np.int64))

    def _learnt(self, state: Working, evaluation: Evaluation) -> Working:
        """With the rows of the Hessian that were asked for."""
        found, new, count = evaluation.hessian, state.new, state.asked
        assert found is not None
        state.model[:new, :count] = found
        state.model[:count, :new] = found.T
        return state._replace(known=count)

    def _solved(self, state: Working, evaluation: Evaluation, rough: Nonsmooth) -> Working:
        """To the minimum of the model over the working set."""
        order = np.argsort(state.columns[: state.asked], kind="stable")
        places = state.columns[: state.asked][order]
        hessian = state.model[np.ix_(order, order)]
        bends = np.einsum("ii->i", hessian)
        bends[bends <= FLAT * state.curvature] = state.curvature
        known = places[places < len(rough.units)]
        part = rough.at(known)
        before = state.weights[places]
        after = Model(hessian, evaluation.gradient[places], before, part).minimise()
        state.direction[:] = 0.0
        state.direction[places] = after - before
        fall = -float(evaluation.gradient @ state.direction) + part.value(before) - part.value(after)
        state.point[:] = state.weights
        state.point[places] = after
        return state._replace(ask=int(Ask.GRADIENT), foretold=max(fall, 0.0) * (not self.quadratic), length=1.0)

    def _shorter(self, state: Working) -> Working:
        length, trials = SHORTER * state.length, state.trials + 1
        if trials == LOST:
            length = 0.0
        np.multiply(state.direction, length, out=state.point)
        np.add(state.point, state.weights, out=state.point)
        return state._replace(length=length, trials=trials)


def _whole(places: NDArray[np.int64], inside: NDArray[np.bool_], rough: Nonsmooth) -> NDArray[np.int64]:
    """With all weights of their units."""
    units = rough.units
    chosen = np.zeros(int(units.max(initial=-1)) + 1, dtype=bool)
    chosen[units[places[places < len(units)]]] = True
    whole: NDArray[np.int64] = np.concatenate([np.flatnonzero(chosen[units]), places[places >= len(units)]])
    return np.extract(~inside[whole], whole)
