"""What is minimised, in plain numpy, by its definition: the same lines judge our weights and those of others."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Row = Callable[..., np.ndarray]


def _log(y: np.ndarray) -> np.ndarray:
    return np.log(np.where(y > 0, y, 1.0))


def _softmax(y: np.ndarray, eta: np.ndarray) -> np.ndarray:
    return np.logaddexp.reduce(eta, axis=0) - eta[y.astype(int), np.arange(len(y))]


def _huber(y: np.ndarray, eta: np.ndarray, huber_delta: float) -> np.ndarray:
    r = np.abs(eta[0] - y)
    return np.where(r <= huber_delta, r**2 / 2, huber_delta * (r - huber_delta / 2))


def _tweedie(y: np.ndarray, eta: np.ndarray, tweedie_power: float) -> np.ndarray:
    """Half the deviance, as textbooks have it."""
    p, mu = tweedie_power, np.exp(eta[0])
    return y ** (2 - p) / ((1 - p) * (2 - p)) - y * mu ** (1 - p) / (1 - p) + mu ** (2 - p) / (2 - p)


LOSSES: dict[str, Row] = {
    "squared": lambda y, eta: np.sum((eta - y) ** 2 / 2, axis=0),
    "logistic": lambda y, eta: np.logaddexp(0, (1 - 2 * y) * eta[0]),
    "softmax": _softmax,
    "poisson": lambda y, eta: np.exp(eta[0]) - y * eta[0] + y * _log(y) - y,
    "gamma": lambda y, eta: eta[0] + y * np.exp(-eta[0]) - 1 - np.log(y),
    "huber": _huber,
    "tweedie": _tweedie,
}


class Goal(NamedTuple):
    """The mean of a loss on features ``z`` (n, p), which may be weighted, plus penalties."""

    loss: str
    z: np.ndarray
    y: np.ndarray  # (n,) or (k, n)
    l2: float = 0.0
    l1: float = 0.0
    joint: bool = False
    options: dict[str, float] = {}  # of the loss  # noqa: RUF012
    weights: np.ndarray | None = None
    offset: np.ndarray | float = 0.0

    def value(self, v: np.ndarray, c: np.ndarray) -> float:
        """At weights (k, p) and intercepts (k,)."""
        rows = LOSSES[self.loss](self.y, v @ self.z.T + c[:, None] + self.offset, **self.options)
        sizes = np.linalg.norm(v, axis=0) if self.joint else np.abs(v)
        return float(np.average(rows, weights=self.weights) + self.l2 / 2 * np.sum(v**2) + self.l1 * np.sum(sizes))
