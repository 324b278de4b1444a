"""The objective and its gradient against their definitions, with the intercept where the loss knows it, and where it does not."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from mpi_pgd.drivers.objective import Objective, Scaling
from mpi_pgd.engine.block import Block
from mpi_pgd.engine.tasks import GradientTask
from mpi_pgd.losses.squared import Squared
from mpi_pgd.penalties import Penalty
from mpi_pgd.penalties.ridge import Ridge

ROWS, FEATURES, L2 = 50, 3, 0.7


@dataclass(frozen=True)
class Unaware(Squared):
    """Least squares that does not know its best intercept: as most losses."""

    centred: ClassVar[bool] = False


def data() -> tuple[np.ndarray, np.ndarray]:
    g = np.random.default_rng(1)
    return g.normal([3.0, -70.0, 0.0], [1.0, 20.0, 1e-3], size=(ROWS, FEATURES)), 100 + g.normal(size=ROWS)


def objective(loss: Squared, intercept: bool, standardize: bool) -> Objective:
    table = np.c_[data()]
    scaling = Scaling.of(table.mean(axis=0), table.std(axis=0), np.abs(table).max(axis=0), intercept, standardize)
    return Objective(ROWS, scaling, loss, Penalty([Ridge(L2)], scaling.scale), intercept)


def evaluated(of: Objective, unknowns: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """The value, the gradient, and the weights in the user's units."""
    x, y = data()
    task = GradientTask(of.loss, FEATURES, ROWS)
    point, sums, gradient = np.empty(FEATURES + 1), np.empty(task.layout.width), np.empty(of.size)
    of.to_user(unknowns, point)
    task.bind(point)(Block(x, y), sums)
    return of.value_and_gradient(task.layout.split(sums), unknowns, gradient), gradient, point


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("loss", [Squared(), Unaware()])
def test_the_value_is_the_mean_loss_and_the_penalty(loss: Squared, intercept: bool, standardize: bool) -> None:
    (x, y), of = data(), objective(loss, intercept, standardize)
    unknowns = np.linspace(-1.0, 2.0, of.size)
    value, _, point = evaluated(of, unknowns)
    losses = 0.5 * (x @ point[:-1] + point[-1] - y) ** 2
    assert value == pytest.approx(losses.mean() + 0.5 * L2 * np.sum(unknowns[:FEATURES] ** 2), rel=1e-12)
    spread = x.std(axis=0) if intercept else np.sqrt(np.mean(x**2, axis=0))
    np.testing.assert_allclose(point[:-1], unknowns[:FEATURES] / (spread if standardize else 1.0), rtol=1e-12)
    assert bool(point[-1]) == intercept


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("loss", [Squared(), Unaware()])
def test_the_gradient_is_its_derivative(loss: Squared, intercept: bool, standardize: bool) -> None:
    of = objective(loss, intercept, standardize)
    unknowns = np.linspace(-1.0, 2.0, of.size)
    _, gradient, _ = evaluated(of, unknowns)
    for place in range(of.size):
        along = 1e-3 * np.eye(of.size)[place]
        slope = (evaluated(of, unknowns + along)[0] - evaluated(of, unknowns - along)[0]) / 2e-3  # exact, it is a quadratic
        assert gradient[place] == pytest.approx(slope, rel=1e-7, abs=1e-7)


def test_a_known_intercept_is_no_unknown_and_is_the_best() -> None:
    known, found = objective(Squared(), True, True), objective(Unaware(), True, True)
    assert (known.size, found.size) == (FEATURES, FEATURES + 1)
    weights = np.linspace(-1.0, 2.0, FEATURES)
    value, gradient, _ = evaluated(known, weights)
    same, with_intercept, _ = evaluated(found, np.append(weights, known.scaling.mean[-1]))
    assert (value, gradient.tolist()) == (same, with_intercept[:-1].tolist())
    assert with_intercept[-1] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("loss", [Squared(), Unaware()])
def test_the_largest_eigenvalue_lies_between_the_bounds(loss: Squared) -> None:
    of = objective(loss, True, True)
    hessian = np.array([evaluated(of, row)[1] - evaluated(of, np.zeros(of.size))[1] for row in np.eye(of.size)])
    least, most, _, diagonal = of.curvature()
    np.testing.assert_allclose(diagonal, np.diagonal(hessian), rtol=1e-9)
    assert least <= np.linalg.eigvalsh(hessian).max() * (1 + 1e-12)
    assert np.linalg.eigvalsh(hessian).max() <= most
    assert most == pytest.approx(np.trace(hessian), rel=1e-9)
