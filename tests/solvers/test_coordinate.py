"""Coordinate descent against the conditions of an optimum, in every corner of a penalty."""

import numpy as np
import pytest

from mpi_pgd.penalties.entries import Entries
from mpi_pgd.penalties.groups import Groups
from mpi_pgd.penalties.nonsmooth import Nonsmooth
from mpi_pgd.solvers.coordinate import Model

SIZE = 24
FREE = np.full(SIZE, np.inf)
ROUGH: dict[str, Nonsmooth] = {
    "lasso": Entries(0.4, np.ones(SIZE), -FREE, FREE),
    "factors": Entries(0.4, np.arange(SIZE) / 10, -FREE, FREE),
    "not negative": Entries(0.0, np.ones(SIZE), np.zeros(SIZE), FREE),
    "bounds": Entries(0.2, np.ones(SIZE), np.full(SIZE, -0.3), np.full(SIZE, 0.2)),
    "groups": Groups(0.3, np.sqrt(np.full(SIZE // 3, 3.0)), np.arange(SIZE) // 3),
}


def problem(correlation: float, free: int) -> tuple[np.ndarray, np.ndarray]:
    """A Hessian and a gradient, with so many unknowns more that nothing holds."""
    draw = np.random.default_rng(4)
    z = np.sqrt(1 - correlation) * draw.normal(size=(200, SIZE + free)) + np.sqrt(correlation) * draw.normal(size=(200, 1))
    return z.T @ z / 200, -z.T @ (z[:, :5].sum(axis=1) + draw.normal(size=200)) / 200


@pytest.mark.parametrize("free", [0, 1])
@pytest.mark.parametrize("correlation", [0.0, 0.9])
@pytest.mark.parametrize("name", ROUGH)
def test_the_minimum_is_found(name: str, correlation: float, free: int) -> None:
    """From 0, and from somewhere within the bounds: no subgradient is left."""
    rough, (hessian, gradient) = ROUGH[name], problem(correlation, free)
    start, found = np.zeros(SIZE + free), []
    rough.prox(np.random.default_rng(5).normal(size=SIZE + free), 0.0, start)
    for weights in (np.zeros(SIZE + free), start):
        slopes = gradient + hessian @ weights
        after = Model(hessian, slopes, weights, rough).minimise()
        found.append(after)
        least = np.empty_like(after)
        assert rough.distance(after, gradient + hessian @ after, least) < 1e-9
        assert np.isfinite(rough.value(after))
    np.testing.assert_allclose(*found, atol=1e-8)


def test_nothing_leads_unknowns_away_together() -> None:
    """What they have in common changes nothing, as for a softmax's intercepts: rounding alone would decide."""
    hessian, gradient = problem(0.5, 3)
    for part in (hessian, hessian.T, gradient):
        part[SIZE:] -= part[SIZE:].mean(axis=0)
    after = Model(hessian, gradient, np.zeros(SIZE + 3), ROUGH["lasso"]).minimise()
    assert abs(after[SIZE:].sum()) < 1e-12
    assert ROUGH["lasso"].distance(after, gradient + hessian @ after, np.empty_like(after)) < 1e-9


def test_zeros_are_zeros() -> None:
    hessian, gradient = problem(0.0, 0)
    after = Model(hessian, gradient, np.zeros(SIZE), Entries(0.5, np.ones(SIZE), -FREE, FREE)).minimise()
    assert 0 < np.count_nonzero(after) < SIZE


def test_a_feature_of_zeros_keeps_its_weight() -> None:
    hessian, gradient = problem(0.0, 0)
    hessian[:, 3] = hessian[3] = gradient[3] = 0.0
    assert Model(hessian, gradient, np.zeros(SIZE), ROUGH["lasso"]).minimise()[3] == 0


@pytest.mark.parametrize(("strength", "size", "directions"), [(0.001, 24, 6), (0.1, 60, 1)])
def test_newton_steps_leave_few_sweeps(strength: float, size: int, directions: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where columns go together: a step over zeros is right if they are few, and what crosses its zero stays there if many are.

    With either kind of step alone, one of the two takes some three times as many, or sixty.
    """
    draw = np.random.default_rng(4 if directions > 1 else 0)
    if directions > 1:
        z = draw.normal(size=(200, directions)) @ draw.normal(size=(directions, size)) + 0.1 * draw.normal(size=(200, size))
    else:
        z = np.sqrt(0.1) * draw.normal(size=(200, size)) + np.sqrt(0.9) * draw.normal(size=(200, 1))
    y = z[:, : size // 2] @ draw.normal(size=size // 2) + draw.normal(size=200)
    sweep, sweeps = Model._sweep, list[int]()
    monkeypatch.setattr(Model, "_sweep", lambda model: sweeps.append(1) or sweep(model))
    free = np.full(size, np.inf)
    Model(z.T @ z / 200, -z.T @ y / 200, np.zeros(size), Entries(strength, np.ones(size), -free, free)).minimise()
    assert len(sweeps) <= 48


def test_weights_that_are_more_than_the_rank_take_few_sweeps() -> None:
    """Along what the Hessian knows nothing of the penalty alone falls, until a weight is 0."""
    draw = np.random.default_rng(1)
    z = draw.normal(size=(8, SIZE))
    hessian, start, rough = z.T @ z, draw.normal(size=SIZE), Entries(1e-4, np.ones(SIZE), -FREE, FREE)
    gradient = -z.T @ draw.normal(size=8)
    after = Model(hessian, gradient + hessian @ start, start, rough).minimise(sweeps=400)
    assert rough.distance(after, gradient + hessian @ after, np.empty_like(after)) < 1e-8
    assert np.count_nonzero(after) <= 8
