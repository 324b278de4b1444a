"""What every penalty promises: its gradient is the derivative of its value, its curvature bounds that of the gradient."""

import numpy as np
import pytest

from mpi_pgd.options import options_of
from mpi_pgd.penalties import PENALTIES, Penalty

SIZE, STEP, STRENGTH = 7, 1e-6, 0.3


@pytest.fixture(params=PENALTIES)
def penalty(request: pytest.FixtureRequest) -> Penalty:
    make = PENALTIES[request.param]
    return make(**dict.fromkeys(options_of([make]), STRENGTH))


def at(penalty: Penalty, weights: np.ndarray) -> tuple[float, np.ndarray]:
    gradient = np.full(SIZE, np.nan)
    return penalty.value_and_gradient(weights, gradient), gradient


def test_the_gradient_is_the_derivative_of_the_value(penalty: Penalty) -> None:
    weights = np.random.default_rng(1).normal(size=SIZE)
    _, gradient = at(penalty, weights)
    for place in range(SIZE):
        along = STEP * np.eye(SIZE)[place]
        up, down = at(penalty, weights + along)[0], at(penalty, weights - along)[0]
        assert gradient[place] == pytest.approx((up - down) / (2 * STEP), rel=1e-6)


def test_the_curvature_bounds_that_of_the_gradient(penalty: Penalty) -> None:
    one, other = np.random.default_rng(2).normal(size=(2, SIZE))
    change = at(penalty, one)[1] - at(penalty, other)[1]
    assert np.linalg.norm(change) <= penalty.curvature * np.linalg.norm(one - other) * (1 + 1e-12)


@pytest.mark.parametrize("name", PENALTIES)
def test_without_options_nothing_is_added(name: str) -> None:
    value, gradient = at(PENALTIES[name](), np.ones(SIZE))
    assert (value, gradient.tolist()) == (0.0, [0.0] * SIZE)


def test_the_ridge_is_half_its_strength_times_the_squares() -> None:
    value, gradient = at(PENALTIES["ridge"](l2=0.5), np.arange(float(SIZE)))
    assert value == 0.5 * 0.5 * np.sum(np.arange(SIZE) ** 2)
    assert gradient.tolist() == (0.5 * np.arange(SIZE)).tolist()
