"""Separable classes are recognised, completely and quasi-completely, whatever comes to rest beside; others are not."""

import numpy as np
import pytest

from mpi_pgd.drivers.separation import Separation, Trend, margins, sentence, separating, separation

ROWS = 200


def data(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Three columns and ones. In the second kind the last column is 1 in class 0 alone, as one-hot columns often are."""
    g = np.random.default_rng(3)
    x = np.c_[g.normal(size=(ROWS, 3)), np.ones(ROWS)]
    eta = x @ [1.0, -2.0, 0.5, 0.3]
    y = (eta + g.logistic(size=ROWS) > 0).astype(float)
    if kind == "complete":
        x, eta = x[np.abs(eta) > 0.2], eta[np.abs(eta) > 0.2]
        y = (eta > 0).astype(float)
    if kind == "quasi":
        x[:, 2] = (y == 0) & (g.uniform(size=ROWS) < 0.3)
    if kind == "at rest":  # nearly separable
        y = (eta + 0.1 * g.logistic(size=ROWS) > 0).astype(float)
    return x, y


def newton(x: np.ndarray, y: np.ndarray, rounds: int) -> tuple[np.ndarray, np.ndarray, Trend]:
    """The unknowns, the last step, and the trend."""
    w, step, trend = np.zeros(4), np.zeros(4), Trend()
    for _ in range(rounds):
        share = 1 / (1 + np.exp(-x @ w))
        gradient = x.T @ (share - y)
        step = -np.linalg.solve((x.T * (share * (1 - share))) @ x, gradient)
        trend = trend.next(float(-gradient @ step))
        w = w + step
        if trend.suspicious:
            break
    return w, step, trend


def judged(x: np.ndarray, y: np.ndarray, d: np.ndarray) -> Separation | None:
    found = margins(y, x @ d)
    return separation(float((-found).max()), float(found.max()))


@pytest.mark.parametrize(
    ("kind", "of_weights", "of_step"),
    [
        ("complete", Separation.COMPLETE, Separation.COMPLETE),
        ("quasi", None, Separation.QUASI),
    ],
)
def test_separable_classes_are_recognised(kind: str, of_weights: Separation | None, of_step: Separation) -> None:
    x, y = data(kind)
    w, step, trend = newton(x, y, 25)
    assert trend.suspicious
    assert (judged(x, y, w), judged(x, y, step)) == (of_weights, of_step)


@pytest.mark.parametrize("kind", ["mixed", "at rest"])
def test_classes_that_overlap_are_not(kind: str) -> None:
    x, y = data(kind)
    w, step, trend = newton(x, y, 10)
    assert not trend.suspicious
    assert (judged(x, y, w), judged(x, y, step)) == (None, None)


def test_margins_of_several_classes_are_over_the_best_of_the_others() -> None:
    eta = np.array([[1.0, 5.0, -1.0], [0.0, 7.0, -2.0], [3.0, 4.0, -1.5]])
    assert margins(np.array([0.0, 1.0, 2.0]), eta).tolist() == [-2.0, 2.0, -0.5]
    assert margins(np.array([0.0, 1.0, 0.0]), np.array([3.0, 2.0, -1.0])).tolist() == [-3.0, 2.0, 1.0]


@pytest.mark.parametrize(
    ("against", "along", "found"),
    [
        (-0.5, 2.0, Separation.COMPLETE),
        (0.0, 2.0, Separation.QUASI),
        (-1e-9, 2.0, Separation.QUASI),
        (1e-9, 2.0, Separation.QUASI),
        (0.1, 2.0, None),
        (0.0, 0.0, None),
        (2.0, -1.0, None),
    ],
)
def test_margins_tell(against: float, along: float, found: Separation | None) -> None:
    assert separation(against, along) == found


def test_columns_that_separate_alone_are_named() -> None:
    """Column 0 does, 1 does in one value, 2 is constant, 3 does in one pair of classes, 4 in all."""
    y = np.array([0, 0, 1, 1, 2, 2])
    x = np.array([[0, 1, 4, 0, 1], [1, 1, 4, 3, 2], [2, 0, 4, 1, 3], [3, 1, 4, 2, 4], [4, 0, 4, 0, 5], [5, 1, 4, 1, 6.0]])

    def ends(classes: list[int]) -> tuple[np.ndarray, np.ndarray]:
        parts = [x[y == each] for each in classes]
        return np.array([part.max(axis=0) for part in parts]), np.array([part.min(axis=0) for part in parts])

    assert separating(*ends([0, 1])).tolist() == [0, 1, 4]
    assert separating(*ends([1, 2])).tolist() == [0, 3, 4]
    assert separating(*ends([0, 1, 2])).tolist() == [0, 1, 4]


def test_the_sentence_names_who_separates() -> None:
    assert sentence(Separation.COMPLETE, ["age"], []) == (
        "no finite optimum: column age separates the classes completely; add --l2"
    )
    assert "each of the columns a, b separates the classes quasi-completely" in sentence(Separation.QUASI, ["a", "b"], [])
    assert "a combination of columns, with c, d foremost, separates" in sentence(Separation.QUASI, [], ["c", "d"])
