"""Small problems of all losses and penalties, and their optima by a plain method: what certificates are tested against.

Losses are written out here, above their floors, of all rows at once: values and slopes, of targets and eta, (n,) or (k, n).
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from mpi_pgd.penalties import Penalty

Loss = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def squared(y: np.ndarray, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return (0.5 * (eta - y) ** 2).reshape(-1, len(eta.T)).sum(axis=0), eta - y


def logistic(y: np.ndarray, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    sign = 2 * y - 1
    return np.logaddexp(0, -sign * eta), -sign * np.exp(-np.logaddexp(0, sign * eta))


def softmax(y: np.ndarray, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    peak = eta.max(axis=0)
    log = np.log(np.exp(eta - peak).sum(axis=0)) + peak
    chosen = y.astype(int)
    slopes = np.exp(eta - log)
    slopes[chosen, np.arange(len(y))] -= 1
    return log - eta[chosen, np.arange(len(y))], slopes


def poisson(y: np.ndarray, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        floor = y - np.where(y > 0, y * np.log(y), 0.0)
        return np.exp(eta) - y * eta - floor, np.exp(eta) - y


def gamma(y: np.ndarray, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    with np.errstate(over="ignore"):
        return y * np.exp(-eta) + eta - 1 - np.log(y), 1 - y * np.exp(-eta)


def huber(y: np.ndarray, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    away = eta - y
    return np.where(np.abs(away) <= 1, away**2 / 2, np.abs(away) - 0.5), np.clip(away, -1, 1)


LOSSES: dict[str, Loss] = {each.__name__: each for each in (squared, logistic, softmax, poisson, gamma, huber)}


class Problem(NamedTuple):
    """Columns of mean 0, targets, weights of rows that sum up to 1, offsets; k outputs, and how many intercepts are to be found."""

    loss: Loss
    z: np.ndarray
    y: np.ndarray
    rows: np.ndarray
    offset: np.ndarray
    outputs: int
    free: int
    penalty: Penalty

    @property
    def size(self) -> int:
        return self.outputs * self.z.shape[1] + self.free

    def smooth(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """The value and the gradient of all that is smooth, as an evaluation has them."""
        k, p = self.outputs, self.z.shape[1]
        v, c = x[: k * p].reshape(k, p), x[k * p :]
        eta = v @ self.z.T + self.offset + (c[:, None] if self.free else 0.0)
        values, slopes = self.loss(self.y, eta if k > 1 else eta[0])
        slopes = slopes.reshape(k, -1) * self.rows
        gradient = np.append((slopes @ self.z).ravel(), slopes.sum(axis=1) if self.free else [])
        more = self.penalty.curvature * x[: k * p]
        gradient[: k * p] += more
        return float(self.rows @ values + 0.5 * (more @ x[: k * p])), gradient

    def rough(self, x: np.ndarray) -> float:
        return self.penalty.nonsmooth.value(x) if self.penalty.nonsmooth else 0.0

    def prox(self, x: np.ndarray, step: float) -> np.ndarray:
        out = x.copy()
        if self.penalty.nonsmooth:
            self.penalty.nonsmooth.prox(x, step, out)
        return out


def problem(seed: int, name: str, penalty: Callable[[int, np.ndarray], Penalty], outputs: int, intercept: bool) -> Problem:
    """Of 40 rows and 6 columns, one of them constant; rows have weights and offsets for every other seed."""
    g = np.random.default_rng(seed)
    n = 40
    z = g.normal(size=(n, 6)) * g.uniform(0.3, 2, size=6) + g.normal(size=(n, 1))
    rows = g.uniform(0.1, 2, size=n) if seed % 2 else np.ones(n)
    rows /= rows.sum()
    z -= rows @ z
    z[:, 2] = 0.0
    offset = 0.3 * g.normal(size=(outputs, n)) if seed % 2 else np.zeros((outputs, n))
    eta = 0.7 * g.normal(size=(outputs, 6)) @ z.T + offset + g.normal(size=(outputs, 1)) * intercept
    y = eta + g.normal(size=eta.shape) if outputs > 1 else eta[0] + g.standard_t(2, size=n)
    if name == "squared" and intercept:  # which the program centres, so that its intercept is none of the unknowns
        y -= ((y - offset.reshape(y.shape)) @ rows).reshape(-1, *[1] * (y.ndim - 1)) if outputs > 1 else (y - offset[0]) @ rows
    if name == "logistic":
        y = (y > 0).astype(float)
    if name == "softmax":
        y = np.argmax(eta + g.gumbel(size=eta.shape), axis=0).astype(float)
    if name == "poisson":
        y = g.poisson(np.exp(np.clip(eta[0], -4, 3))).astype(float)
    if name == "gamma":
        y = np.exp(np.clip(eta[0], -4, 4)) * g.gamma(2.0, size=n) + 1e-3
    free = outputs if intercept and name != "squared" else 0
    return Problem(LOSSES[name], z, y, rows, offset, outputs, free, penalty(outputs, np.array([1, 1, np.inf, 1, 1, 1.0])))


def descent(of: Problem, rounds: int) -> Iterator[tuple[np.ndarray, float, np.ndarray]]:
    """Accelerated proximal gradient with backtracking and restarts: points, with the value and the gradient of what is smooth."""
    x = of.prox(np.zeros(of.size), 0.0)
    y, t, step, old = x, 1.0, 1.0, np.inf
    for _ in range(rounds):
        at_y, slope = of.smooth(y)
        while True:
            new = of.prox(y - step * slope, step)
            moved = new - y
            value, gradient = of.smooth(new)
            if value <= at_y + slope @ moved + moved @ moved / (2 * step) + 1e-15 * abs(at_y) or step < 1e-12:
                break
            step /= 2
        yield new, value, gradient
        total = value + of.rough(new)
        t, before = (1.0, 1.0) if total > old else ((1 + np.sqrt(1 + 4 * t * t)) / 2, t)
        y = new + (before - 1) / t * (new - x)
        x, old, step = new, total, step * 1.1
