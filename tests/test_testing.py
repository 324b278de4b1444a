"""What check_loss finds."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mpi_pgd.testing import check_loss

Function = Callable[[np.ndarray, np.ndarray], Any]


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x)))


def logistic(y: np.ndarray, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.logaddexp(0, eta) - y * eta, sigmoid(eta) - y


def hinge(y: np.ndarray, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.maximum(0, 1 - (2 * y - 1) * eta), (1 - 2 * y) * ((2 * y - 1) * eta < 1)


def gamma(y: np.ndarray, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return y * np.exp(-eta) + eta + 0 / y, 1 - y * np.exp(-eta)


def own_line(y: np.ndarray, eta: np.ndarray, memory: np.ndarray = np.empty((2, 200))) -> np.ndarray:  # noqa: B008
    """Gives the same memory each time."""
    pair = memory[:, : len(y)]
    pair[0], pair[1] = logistic(y, eta)
    return tuple(pair)


@pytest.mark.parametrize("function", [logistic, hinge, own_line, lambda y, eta: list(logistic(y, eta))])
def test_what_is_right_passes(function: Function) -> None:
    for seed in range(5):
        check_loss(function, seed=seed)
    check_loss(function, [1])


def test_targets_may_be_given() -> None:
    check_loss(gamma, [0.5, 1, 30.0])
    with pytest.raises(
        AssertionError, match=r"row \d+, y = 0, eta = \S+: expected a finite number, .*targets.*, found the loss nan"
    ):
        check_loss(gamma)


def keeps(y: np.ndarray, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    eta -= y
    return eta**2 / 2, eta


def keeps_y(y: np.ndarray, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    found = logistic(y, eta)
    y[3] += 1
    return found


ROW = r"row \d+, y = [01], eta = -?[\d.]+: "


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda y, eta: (logistic(y, eta)[0], 1.0001 * logistic(y, eta)[1]), ROW + r"expected \S+, found the slope \S+"),
        (lambda y, eta: (logistic(y, eta)[0], -logistic(y, eta)[1]), ROW + r"expected \S+, found the slope \S+"),
        (
            lambda y, eta: (logistic(y, eta)[0], sigmoid(eta) - y.mean()),
            ROW + "expected .*, found the slope among 1 rows in place of 64",
        ),
        (
            lambda y, eta: ((eta - eta.max()) ** 2 / 2, eta - eta.max()),
            ROW + "expected .*, found the loss among 1 rows in place of 64",
        ),
        (lambda y, eta: (eta + np.arange(len(y)), np.ones(len(y))), ROW + r"expected .*, found the loss among \d+ rows"),
        (
            lambda y, eta: (np.log(1 + np.exp(eta)) - y * eta, sigmoid(eta) - y),
            "eta = 10000: expected a finite number, .*found the loss inf",
        ),
        (
            lambda y, eta: (np.logaddexp(0, eta) - y * eta, np.exp(eta) / (1 + np.exp(eta)) - y),
            "eta = 10000: expected no nan, found the slope nan",
        ),
        (lambda y, eta: (np.where(eta > 99, -np.inf, 0), np.zeros(len(y))), "expected not minus infinity, found the loss -inf"),
        (keeps, "row 0: expected eta to be left as it is, .*, found"),
        (keeps_y, "row 3: expected y to be left as it is, .*, found"),
        (lambda y, eta: eta - y, r"expected a pair \(losses, slopes\), found ndarray"),
        (lambda y, eta: (eta, eta, eta), r"expected a pair \(losses, slopes\), found 3 things"),
        (lambda y, eta: (logistic(y, eta)[0].sum(), eta), r"expected losses of shape \(64,\), one a row, found shape \(\)"),
        (lambda y, eta: (eta, eta[:, None]), r"expected slopes of shape \(64,\), one a row, found shape \(64, 1\)"),
        (lambda y, eta: (eta, np.float32(eta)), "expected slopes of type float64, found float32"),
    ],
)
def test_what_is_wrong_is_named(function: Function, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        check_loss(function)
