"""What every term and every penalty promises: the smooth part's gradient is the derivative of its value, and its curvature too."""

import numpy as np
import pytest

from mpi_pgd.penalties import PENALTIES, Penalty
from mpi_pgd.penalties.ridge import Ridge
from mpi_pgd.penalties.strengths import Strengths
from tests.penalties.samples import CASES, FACTORS, SAMPLES, SCALE

STEP, SIZE = 1e-6, len(SCALE)


def at(penalty: Penalty, weights: np.ndarray) -> tuple[float, np.ndarray]:
    gradient = np.full(len(weights), np.nan)
    return penalty.value_and_gradient(weights, gradient), gradient


@pytest.mark.parametrize(("name", "outputs"), CASES)
def test_the_gradient_is_the_derivative_of_the_value(name: str, outputs: int) -> None:
    penalty = SAMPLES[name].penalty(outputs)
    weights = np.random.default_rng(1).normal(size=SIZE * outputs)
    _, gradient = at(penalty, weights)
    for place in range(len(weights)):
        along = STEP * np.eye(len(weights))[place]
        up, down = at(penalty, weights + along), at(penalty, weights - along)
        assert gradient[place] == pytest.approx((up[0] - down[0]) / (2 * STEP), rel=1e-6, abs=1e-9)
        np.testing.assert_allclose((up[1] - down[1]) / (2 * STEP), penalty.curvature * (along > 0), atol=1e-8)


@pytest.mark.parametrize("name", PENALTIES)
def test_without_options_nothing_is_added(name: str) -> None:
    term = PENALTIES[name]()
    assert term.strengths == Strengths()
    penalty = Penalty([term], SCALE)
    value, gradient = at(penalty, np.ones(SIZE))
    assert (value, gradient.tolist(), penalty.nonsmooth) == (0.0, [0.0] * SIZE, None)


def test_the_ridge_is_half_its_strength_times_the_squares() -> None:
    value, gradient = at(Penalty([Ridge(l2=0.5)], SCALE), np.arange(float(SIZE)))
    assert value == 0.5 * 0.5 * np.sum(np.arange(SIZE) ** 2)
    assert gradient.tolist() == (0.5 * np.arange(SIZE)).tolist()


def test_factors_multiply_each_feature() -> None:
    value, gradient = at(SAMPLES["ridge, factors"].penalty(3), np.ones(3 * SIZE))
    assert gradient.tolist() == [*(0.3 * FACTORS)] * 3
    assert value == pytest.approx(3 * 0.15 * FACTORS.sum())
    assert at(SAMPLES["ridge, factors"].penalty(), np.ones(SIZE))[1].tolist() == (0.3 * FACTORS).tolist()
