"""The learnt step: never longer than the curvature allows for good, and nearly as good as one that was known."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from mpi_pgd.engine.state import dump, load
from mpi_pgd.solvers.evaluation import Curvature, Evaluation
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
    steps = first_step("auto", size, Curvature(least, most))
    assert isinstance(steps, LearntStep)
    return steps


def test_the_constant_stays_below_the_largest_eigenvalue() -> None:
    generator = np.random.default_rng(2)
    for _ in range(50):
        values = BENCHMARK["spectrum"](generator, 1e4)
        steps = learning(len(values), values.mean(), values.sum())
        for _ in range(30):
            point = generator.normal(size=len(values))
            steps = steps.next(point, Evaluation(0.0, values * point, 0.0))
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
    steps = steps.next(point, Evaluation(0.0, point, rounding))
    steps = steps.next(point + moved * direction, Evaluation(0.0, point + changed * direction, rounding))
    assert steps.grown == learnt
    assert steps.length == pytest.approx(1e-3 if learnt else 1.0)


def test_a_combination_of_rounds_teaches_more() -> None:
    """Neither difference is along the most curved direction, their difference is."""
    values = np.array([10.0, 1.0])
    steps = learning(2, 1.0, 11.0)
    for point in np.array([[0.0, 0.0], [1.0, 3.0], [2.0, 0.0]]):
        steps = steps.next(point, Evaluation(0.0, values * point, 0.0))
    assert steps.length == pytest.approx(0.1)


def test_of_what_is_not_quadratic_only_one_difference_is_learnt_from() -> None:
    """A combination of two may be beyond all curvatures: here gradients of log cosh, which never bends more than 1."""
    learnt = []
    for constant in (True, False):
        steps = first_step("auto", 2, Curvature(1e-3, 100.0, constant))
        for point in np.array([[-1.0, -1.0], [-4.0, 3.0], [1.0, -4.0]]):
            steps = steps.next(point, Evaluation(0.0, np.tanh(point), 0.0))
        learnt.append(1 / steps.length)
    assert learnt[0] > 10
    assert learnt[1] <= 1


def test_a_point_that_is_too_far_is_come_back_from() -> None:
    """Where the curvature has no bound: the step is made again, from where it was, at half the length."""
    steps = first_step("auto", 1, Curvature(1.0, np.inf, constant=False))
    start, slope = np.array([3.0]), np.array([8.0])
    steps = steps.next(start, Evaluation(5.0, slope, 0.0))
    assert (steps.recovers, steps.begin(start, slope) is slope, steps.length) == (True, True, 1.0)
    for count, value in enumerate((np.inf, np.nan, 1e9), start=1):
        steps, away = steps.next(np.array([-5.0]), Evaluation(value, np.array([np.nan]), 0.0)), np.array([-5.0])
        assert steps.begin(away, np.array([np.nan])).tolist() == [8.0]
        assert (away.tolist(), steps.length, steps.grown) == ([3.0], 0.5**count, True)
    assert not learning(1, 1.0, 2.0).recovers


def test_what_was_learnt_comes_back() -> None:
    values = np.array([9.0, 4.0, 0.1])
    one = learning(3, 1.0, 13.1)
    generator = np.random.default_rng(3)
    points = generator.normal(size=(8, 3))
    for point in points[:4]:
        one = one.next(point, Evaluation(0.0, values * point, 0.0))
    kept = dump(one)
    other = load(kept, learning(3, 1.0, 13.1))
    assert dump(other).tolist() == kept.tolist()
    for point in points[4:]:
        found = Evaluation(0.0, values * point, 0.0)
        one, other = one.next(point, found), other.next(point, found)
        assert (one.length, one.grown) == (other.length, other.grown)
    assert len(dump(learning(3, 1.0, 2.0))) == len(kept)


@pytest.mark.parametrize("forged", [np.nan, np.inf, 0.0, -1.0])
def test_a_curvature_that_was_never_learnt_is_not_sound(forged: float) -> None:
    steps = learning(3, 1.0, 2.0)
    assert steps.sound
    assert not steps._replace(lipschitz=forged).sound
