"""Every solver on every problem: it finds the minimum, from any start, however the problem is scaled."""

import numpy as np
import pytest

from mpi_pgd.solvers.evaluation import Curvature, Evaluation
from tests.families import STEPPED, SURE, solver_of

PROBLEMS = {
    "one": [3.0],
    "alike": [1.0] * 6,
    "well conditioned": [1.0, 1.5, 2.0, 3.0],
    "two clusters": [1.0, 1.0, 40.0, 40.0],
    "spread": np.geomspace(0.5, 30.0, 12).tolist(),
    "flat": [0.0, 1.0, 4.0],  # a direction that changes nothing
}


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e8])
@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("name", SURE)
def test_the_minimum_is_found(name: str, problem: str, scale: float) -> None:
    """Of half the sum of eigenvalue times distance squared."""
    values = scale * np.array(PROBLEMS[problem])
    aim = np.random.default_rng(5).normal(size=len(values))
    solver = solver_of(name)
    state = solver.init(np.ones(len(values)), Curvature(float(values.max()), float(values.sum())))
    first = np.linalg.norm(values * (state.point - aim))
    for _ in range(4000):
        away = state.point - aim
        gradient = values * away
        if np.linalg.norm(gradient) <= 1e-10 * first:
            break
        hessian = np.diag(values) if state.ask else None
        state = solver.update(state, Evaluation(float(away @ gradient) / 2, gradient, 1e-16 * float(first), hessian))
    np.testing.assert_allclose(state.point[values > 0], aim[values > 0], atol=1e-8)
    assert state.point[values == 0].tolist() == [1.0] * int((values == 0).sum())
    assert state.steps.sound


@pytest.mark.parametrize("name", STEPPED)
def test_a_step_that_was_given_is_taken(name: str) -> None:
    solver = solver_of(name, step=0.125)
    state = solver.update(solver.init(np.zeros(2), Curvature(1.0, 2.0)), Evaluation(0.0, np.array([8.0, -16.0]), 0.0))
    assert state.step == 0.125
    assert state.point.tolist() == [-1.0, 2.0]  # the first step of each is that of gradient descent
