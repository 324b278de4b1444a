"""The learnt step: never longer than the curvature allows for good, and nearly as good as one that was known."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from mpi_pgd.engine.state import dump, load
from mpi_pgd.solvers.steps import LearntStep, first_step

BENCHMARK = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks/steps.py"))


@pytest.mark.parametrize("name", ["gd", "momentum", "nesterov"])
def test_rounds_over_spectra_are_near_those_of_the_exact_step(name: str) -> None:
    aimed, largest = BENCHMARK["AIMED"][name]
    generator = np.random.default_rng(1)
    for _ in range(60):
        values = BENCHMARK["spectrum"](generator, min(largest, 1e3))
        aim = generator.normal(size=len(values))
        exact = BENCHMARK["rounds"](name, 1 / values.max(), values, aim)
        learnt = BENCHMARK["rounds"](name, "auto", values, aim)
        assert learnt <= max(aimed * exact, exact + BENCHMARK["MORE"])


def learning(size: int, least: float, most: float) -> LearntStep:
    steps = first_step("auto", size, (least, most))
    assert isinstance(steps, LearntStep)
    return steps


def test_the_constant_stays_below_the_largest_eigenvalue() -> None:
    generator = np.random.default_rng(2)
    for _ in range(50):
        values = BENCHMARK["spectrum"](generator, 1e4)
        steps = learning(len(values), values.mean(), values.sum())
        for _ in range(30):
            point = generator.normal(size=len(values))
            steps = steps.next(point, values * point, 0.0)
        assert (1 - 1e-12) / values.max() <= steps.length <= 1 / values.mean()


@pytest.mark.parametrize(
    ("moved", "changed", "rounding", "learnt"),
    [
        (1e-16, 1e-12, 0.0, False),  # the point's own rounding
        (1e-6, 1e-3, 1e-5, False),  # the gradient's
        (1e-6, 1e-3, 1e-9, True),
        (1e-6, -1e-3, 1e-9, False),  # not convex: noise
    ],
)
def test_rounding_teaches_nothing(moved: float, changed: float, rounding: float, learnt: bool) -> None:
    steps, point, direction = learning(2, 1.0, 1e6), np.array([1.0, 1.0]), np.array([1.0, -2.0])
    steps = steps.next(point, point, rounding)
    steps = steps.next(point + moved * direction, point + changed * direction, rounding)
    assert steps.grown == learnt
    assert steps.length == pytest.approx(1e-3 if learnt else 1.0)


def test_a_combination_of_rounds_teaches_more() -> None:
    """Neither difference is along the most curved direction, their difference is."""
    values = np.array([10.0, 1.0])
    steps = learning(2, 1.0, 11.0)
    for point in np.array([[0.0, 0.0], [1.0, 3.0], [2.0, 0.0]]):
        steps = steps.next(point, values * point, 0.0)
    assert steps.length == pytest.approx(0.1)


def test_what_was_learnt_comes_back() -> None:
    values = np.array([9.0, 4.0, 0.1])
    one = learning(3, 1.0, 13.1)
    generator = np.random.default_rng(3)
    points = generator.normal(size=(8, 3))
    for point in points[:4]:
        one = one.next(point, values * point, 0.0)
    kept = dump(one)
    other = load(kept, learning(3, 1.0, 13.1))
    assert dump(other).tolist() == kept.tolist()
    for point in points[4:]:
        one, other = one.next(point, values * point, 0.0), other.next(point, values * point, 0.0)
        assert (one.length, one.grown) == (other.length, other.grown)
    assert len(dump(learning(3, 1.0, 2.0))) == len(kept)


@pytest.mark.parametrize("forged", [np.nan, np.inf, 0.0, -1.0])
def test_a_curvature_that_was_never_learnt_is_not_sound(forged: float) -> None:
    steps = learning(3, 1.0, 2.0)
    assert steps.sound
    assert not steps._replace(lipschitz=forged).sound
