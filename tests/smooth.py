"""Small problems of smooth losses for the solvers, with their minima: the losses are written down once more, on whole arrays."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.tasks import Ask
from mpi_pgd.solvers.evaluation import Curvature, Evaluation

EPSILON = float(np.finfo(np.float64).eps)
ROWS, COLUMNS, EVERY = 2000, 20, 5  # of which every fifth row is in the sample
Derivatives = tuple[
    Vector, Vector, Vector
]  # of the rows' losses (n,) in eta (k, n): themselves, the first (k, n), the second (k, k, n)


def logistic(y: Vector, eta: Vector) -> Derivatives:
    chance = np.where(eta > 0, 1.0, np.exp(-np.abs(eta))) / (1 + np.exp(-np.abs(eta)))
    return (np.logaddexp(0, eta) - y * eta)[0], chance - y, (chance * (1 - chance))[None]


def poisson(y: Vector, eta: Vector) -> Derivatives:
    mean = np.exp(eta)
    return (mean - y * eta - y + y * np.log(np.maximum(y, 1)))[0], mean - y, mean[None]


def gamma(y: Vector, eta: Vector) -> Derivatives:
    share = y * np.exp(-eta)
    return (share + eta - 1 - np.log(y))[0], 1 - share, share[None]


def squared(y: Vector, eta: Vector) -> Derivatives:
    return ((eta - y) ** 2 / 2)[0], eta - y, np.ones_like(eta)[None]


def softmax(y: Vector, eta: Vector) -> Derivatives:
    shares = np.exp(eta - eta.max(axis=0))
    shares /= shares.sum(axis=0)
    one = np.eye(len(eta))[:, y.astype(int)]
    return -np.log((shares * one).sum(axis=0)), shares - one, shares * (np.eye(len(eta))[:, :, None] - shares[:, None])


Loss = Callable[[Vector, Vector], Derivatives]
LOSSES: dict[str, Loss] = {"logistic": logistic, "poisson": poisson, "gamma": gamma, "squared": squared, "softmax": softmax}


@dataclass(frozen=True)
class Problem:
    """The mean loss of z (n, p + 1), whose last column is ones, plus l2/2 times the squares of all weights but the intercepts.

    The unknowns are [V (k, p) | c (k,)], row by row.
    """

    loss: Loss
    z: Vector
    y: Vector
    l2: float
    start: Vector

    @property
    def shape(self) -> tuple[int, int]:
        """Outputs and features."""
        p = self.z.shape[1] - 1
        return len(self.start) // (p + 1), p

    def evaluate(self, point: Vector, ask: int = Ask.GRADIENT) -> Evaluation:
        (k, p), n = self.shape, len(self.y)
        weights = np.column_stack([point[: k * p].reshape(k, p), point[k * p :]])
        held = np.append(np.full(k * p, self.l2), np.zeros(k))
        with np.errstate(over="ignore", invalid="ignore"):
            value, slopes, curved = self.loss(self.y, weights @ self.z.T)
            matrix = slopes @ self.z / n
            gradient = np.append(matrix[:, :p].ravel(), matrix[:, p]) + held * point
            rounding = EPSILON * float(np.abs(slopes).max()) * np.sqrt(len(point))
            hessian = None if ask == Ask.GRADIENT else self._hessian(curved, EVERY if ask == Ask.SAMPLE else 1) + np.diag(held)
            return Evaluation(float(value.mean() + held @ point**2 / 2), gradient, rounding, hessian)

    def _hessian(self, curved: Vector, every: int) -> Vector:
        (k, p), z = self.shape, self.z[::every]
        blocks = np.einsum("abn,ni,nj->aibj", curved[:, :, ::every], z, z, optimize=True) / len(z)
        order = np.append(np.arange(k * (p + 1)).reshape(k, p + 1)[:, :p].ravel(), np.arange(k) * (p + 1) + p)
        return blocks.reshape(len(order), len(order))[np.ix_(order, order)]

    @property
    def curvature(self) -> Curvature:
        diagonal = np.diagonal(self.evaluate(self.start, Ask.HESSIAN).hessian)
        return Curvature(float(diagonal.max()), float(diagonal.sum()), self.loss is squared)

    def solution(self) -> Vector:
        """By Newton's method, far beyond what is asked of the solvers."""
        point, here = self.start.copy(), self.evaluate(self.start, Ask.HESSIAN)
        for _ in range(60):
            step, length = np.linalg.lstsq(here.hessian, -here.gradient, rcond=1e-15)[0], 1.0
            fall = 1e-4 * float(step @ here.gradient)
            while length > 1e-9 and not self.evaluate(point + length * step).value <= here.value + length * fall:
                length /= 2
            if length <= 1e-9 or -fall < 1e-20:
                break
            point, here = point + length * step, self.evaluate(point + length * step, Ask.HESSIAN)
        return point

    def minimum(self) -> float:
        return self.evaluate(self.solution()).value


def drawn(name: str, x: Vector, l2: float, signal: float, generator: np.random.Generator) -> Problem:
    """Of features ``x`` (n, p), targets of a model whose eta has the deviation ``signal``, and a start with an intercept alone."""
    n, p = x.shape
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    eta = x @ generator.normal(size=p)
    eta *= signal / eta.std()
    start = np.zeros(p + 1)
    if name == "logistic":
        y = (generator.random(n) < 1 / (1 + np.exp(-eta))).astype(float)
        start[p] = np.log(y.mean() / (1 - y.mean()))
    elif name == "softmax":
        y = np.digitize(eta + generator.logistic(size=n), [-1.0, 1.0]).astype(float)
        start = np.append(np.zeros(3 * p), np.log(np.bincount(y.astype(int)) / n))
    elif name == "squared":
        y = eta + generator.normal(size=n)
        start[p] = y.mean()
    else:
        y = generator.poisson(np.exp(eta)).astype(float) if name == "poisson" else generator.gamma(2.0, np.exp(eta) / 2)
        start[p] = np.log(y.mean())
    return Problem(LOSSES[name], np.column_stack([x, np.ones(n)]), y, l2, start)


@cache
def problem(name: str, condition: float, l2: float = 0.0, signal: float = 1.0) -> Problem:
    """Of features with a Hessian of about that ``condition``."""
    generator = np.random.default_rng(3)
    turned = np.linalg.qr(generator.normal(size=(COLUMNS, COLUMNS)))[0]
    x = generator.normal(size=(ROWS, COLUMNS)) * np.geomspace(1, condition**-0.5, COLUMNS) @ turned.T
    return drawn(name, x, l2, signal, generator)


@cache
def rare(name: str) -> Problem:
    """Of categories, most of them rare, and some features that are not."""
    generator = np.random.default_rng(1)
    chances = np.geomspace(1, 1e-3, COLUMNS)
    hot = np.eye(COLUMNS)[generator.choice(COLUMNS, size=ROWS, p=chances / chances.sum())]
    return drawn(name, np.column_stack([hot[:, hot.any(axis=0)][:, 1:], generator.normal(size=(ROWS, 5))]), 1e-3, 1.0, generator)
