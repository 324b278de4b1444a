"""Trials along a line: which are accepted, and where the next one is."""

import math

import numpy as np
import pytest

from mpi_pgd.solvers.evaluation import Evaluation
from mpi_pgd.solvers.linesearch import LEAST, MOST, Line, Spectral, minimum


def line(value: float, slope: float, length: float = 1.0) -> Line:
    return Line(np.zeros(1), np.array([slope]), np.ones(1), value, slope, length, 0)


def trial(value: float, slope: float) -> Evaluation:
    return Evaluation(value, np.array([slope]), 0.0)


@pytest.mark.parametrize(("bottom", "cubic"), [(0.3, 0.0), (0.7, 1.0), (0.2, -0.5), (2.0, 0.1)])
def test_the_minimum_of_a_cubic_is_exact(bottom: float, cubic: float) -> None:
    """f = a (x - bottom)^2 + cubic (x - bottom)^3 with the larger of its two flat points at the bottom."""

    def value(x: float) -> tuple[float, float]:
        away = x - bottom
        return 2 * away**2 + cubic * away**3, 4 * away + 3 * cubic * away**2

    (start, slope), (end, there) = value(0.0), value(1.0)
    assert slope < 0
    assert minimum(start, slope, end, there) == pytest.approx(bottom)


@pytest.mark.parametrize(
    ("value", "slope", "accepted"),
    [
        (0.5, 0.0, True),  # a fall
        (1.0 - 1e-5, 1.0, False),  # too small a fall for the slope
        (1.0 + 1e-13, 0.5, True),  # equal but for rounding, and not far beyond the bottom
        (1.0 + 1e-13, 1.5, False),  # equal, but at the other side
        (1.0 + 1e-6, 0.5, False),
        (math.inf, -1.0, False),
        (math.nan, -1.0, False),
    ],
)
def test_trials(value: float, slope: float, accepted: bool) -> None:
    assert line(1.0, -1.0).accepts(trial(value, slope)) == accepted


def test_the_first_evaluation_is_where_a_line_begins() -> None:
    assert Line.at(np.ones(2)).accepts(Evaluation(1e300, np.ones(2), 0.0))


@pytest.mark.parametrize(
    ("value", "slope", "share"),
    [
        (1.0, 1.0, MOST),  # 1 - x + x^2
        (1.5, 2.0, 1 / 3),  # 1 - x + 1.5 x^2
        (1.0, 3.0, MOST),
        (12.0, 20.0, LEAST),
        (1e230, 1e231, LEAST),
        (math.inf, 1.0, LEAST),
        (math.nan, math.nan, LEAST),
    ],
)
def test_the_next_trial_is_nearer_within_bounds(value: float, slope: float, share: float) -> None:
    """Values and slopes at shares of the length, from 1 with the slope -1."""
    found = line(1.0, -1 / 8, 8.0).shorter(trial(value, slope / 8))
    assert found.trials == 1
    assert found.length == pytest.approx(share * 8)


def test_a_search_that_is_not_monotone_goes_below_the_highest_of_the_last_values() -> None:
    steps = Spectral(0.5, np.full(10, -math.inf), 0)
    assert steps.accepts(7.0, np.zeros(1))
    for value in (7.0, *range(10)):
        steps = steps.went(float(value), 0.5)
    assert steps.accepts(8.9, np.full(1, 0.1))  # the 7 has been forgotten, the highest is 9
    assert not steps.accepts(9.1, np.full(1, 0.1))
    assert not steps.accepts(math.nan, np.full(1, 0.1))
    assert (steps.shorter(10.0).length, steps.shorter(math.inf).length) == (0.5 * MOST, 0.5 * LEAST)
