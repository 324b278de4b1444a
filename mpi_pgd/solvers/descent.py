"""Gradient descent and its two accelerations.

States are NamedTuples of arrays; ``state.point`` (size,) is where the next round evaluates. An update may write the next state
into the arrays of the one it was given, so that the loop allocates nothing.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np

from mpi_pgd.engine.arrays import Vector


class Solver(Protocol):
    """One evaluation an update. Its state is a NamedTuple of arrays with a ``point``; only the solver knows the rest."""

    def init(self, weights: Vector) -> Any:
        """The state before the first round."""

    def update(self, state: Any, gradient: Vector, step: float, restart: bool) -> Any:
        """The state after a round whose gradient, (size,), was taken at ``state.point``; momentum may have to ``restart``."""


def dump(state: Any) -> Vector:
    """A state as one array of float64, for ``load``."""
    return np.concatenate([np.atleast_1d(np.asarray(part, dtype=np.float64)) for part in state])


def load(vector: Vector, like: Any) -> Any:
    """The state that ``dump`` made ``vector`` of; ``like`` is any state of the same solver and size."""
    ends = np.cumsum([np.size(part) for part in like])
    parts = [part.copy() if np.ndim(old) else float(part[0]) for part, old in zip(np.split(vector, ends[:-1]), like, strict=True)]
    return type(like)(*parts)


class Descent(NamedTuple):
    """The state of gradient descent."""

    point: Vector
    scratch: Vector


class GradientDescent:
    """w <- w - step * g."""

    def __init__(self, momentum: float) -> None:
        pass

    def init(self, weights: Vector) -> Descent:
        """Start at ``weights``."""
        return Descent(weights.copy(), np.empty_like(weights))

    def update(self, state: Descent, gradient: Vector, step: float, restart: bool) -> Descent:
        """One step."""
        state.point[:] -= np.multiply(gradient, step, out=state.scratch)
        return state


class HeavyBall(NamedTuple):
    """The state of momentum."""

    point: Vector
    velocity: Vector
    scratch: Vector


class Momentum:
    """The heavy ball: d <- momentum * d - step * g, w <- w + d.

    (B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.)
    """

    def __init__(self, momentum: float) -> None:
        self.momentum = momentum

    def init(self, weights: Vector) -> HeavyBall:
        """Start at ``weights``, at rest."""
        return HeavyBall(weights.copy(), np.zeros_like(weights), np.empty_like(weights))

    def update(self, state: HeavyBall, gradient: Vector, step: float, restart: bool) -> HeavyBall:
        """One step."""
        state.velocity[:] *= 0.0 if restart else self.momentum
        state.velocity[:] -= np.multiply(gradient, step, out=state.scratch)
        state.point[:] += state.velocity
        return state


class Accelerated(NamedTuple):
    """The state of Nesterov's method: the extrapolated point, the weights, room for the next ones, and the momentum's age t."""

    point: Vector
    weights: Vector
    scratch: Vector
    t: float


class Nesterov:
    """Accelerated gradient with adaptive restart by the gradient scheme.

    w' = y - step * g(y),  y' = w' + (t - 1)/t' (w' - w),  t' = (1 + sqrt(1 + 4 t^2))/2;  t restarts at 1 when g(y)'(w' - w) > 0.
    (Y. Nesterov 1983; A. Beck and M. Teboulle 2009, section 4; B. O'Donoghue and E. Candes, "Adaptive Restart for Accelerated
    Gradient Schemes", Foundations of Computational Mathematics 15, 2015, section 3.2.)
    """

    def __init__(self, momentum: float) -> None:
        pass

    def init(self, weights: Vector) -> Accelerated:
        """Start at ``weights``, at rest."""
        return Accelerated(weights.copy(), weights.copy(), np.empty_like(weights), 1.0)

    def update(self, state: Accelerated, gradient: Vector, step: float, restart: bool) -> Accelerated:
        """One step, one extrapolation, or a restart."""
        point, old, new, t = state
        np.multiply(gradient, -step, out=new)
        new += point
        moved = np.subtract(new, old, out=old)
        restart = restart or float(np.dot(gradient, moved)) > 0
        later = 1.0 if restart else (1 + math.sqrt(1 + 4 * t * t)) / 2
        moved *= 0.0 if restart else (t - 1) / later
        np.add(new, moved, out=point)
        return Accelerated(point, new, old, later)


SOLVERS: dict[str, Callable[[float], Solver]] = {
    "gd": GradientDescent,
    "momentum": Momentum,
    "nesterov": Nesterov,
}
