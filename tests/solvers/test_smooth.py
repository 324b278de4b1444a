"""Solvers of smooth objectives on the losses that people fit: the minimum is found, in about as many rounds as were measured."""

import math

import numpy as np
import pytest

from mpi_pgd.engine.state import dump, load
from mpi_pgd.engine.tasks import Ask
from mpi_pgd.solvers import Solver
from mpi_pgd.solvers.bb import BarzilaiBorwein
from mpi_pgd.solvers.evaluation import Curvature, Evaluation
from mpi_pgd.solvers.gd import GradientDescent
from mpi_pgd.solvers.lbfgs import LBFGS, LOST
from mpi_pgd.solvers.momentum import Momentum
from mpi_pgd.solvers.nesterov import Nesterov
from mpi_pgd.solvers.newton import Newton
from tests.smooth import LOSSES, Problem, problem, rare

pytestmark = pytest.mark.beside("numbers")

SOLVERS: dict[str, Solver] = {"lbfgs": LBFGS(), "newton": Newton(), "bb": BarzilaiBorwein()}


def rounds(solver: Solver, of: Problem, share: float, limit: int, state: object = None) -> tuple[int, list[int]]:
    """Until the objective is above the minimum by this ``share`` of what it was at the start, and what was asked for until then."""
    least, asked = of.minimum(), []
    aim = least + share * (of.evaluate(of.start).value - least)
    state = state or solver.init(of.start, of.curvature)
    for count in range(limit):
        found = of.evaluate(state.point, state.ask)  # type: ignore[attr-defined]
        asked.append(int(state.ask))  # type: ignore[attr-defined]
        if found.value <= aim:
            return count, asked
        state = solver.update(state, found)
    raise AssertionError(f"not within {limit} rounds")


@pytest.mark.parametrize("condition", [1e2, 1e4, 1e6])
@pytest.mark.parametrize(
    ("loss", "six", "nine"), [("logistic", 6, 8), ("poisson", 9, 11), ("gamma", 11, 15), ("squared", 5, 7), ("softmax", 8, 11)]
)
def test_lbfgs_in_the_metric_of_a_sample_does_not_feel_the_condition(loss: str, six: int, nine: int, condition: float) -> None:
    of = problem(loss, condition)
    assert rounds(LBFGS(), of, 1e-6, six + 2)[0] <= six + 1
    assert rounds(LBFGS(), of, 1e-9, nine + 2)[1].count(Ask.SAMPLE) == 1


@pytest.mark.parametrize("condition", [1e2, 1e6])
@pytest.mark.parametrize("loss", LOSSES)
def test_newton_takes_a_handful(loss: str, condition: float) -> None:
    of = problem(loss, condition)
    assert rounds(Newton(), of, 1e-12, 9)[0] <= (1 if loss == "squared" else 7)


@pytest.mark.parametrize("loss", LOSSES)
def test_solvers_without_a_hessian_get_there_too(loss: str) -> None:
    of = problem(loss, 1e2)
    assert rounds(BarzilaiBorwein(), of, 1e-6, 100)[0] <= 70
    count, asked = rounds(LBFGS(metric=False), of, 1e-6, 60)
    assert count <= 45
    assert set(asked) == {Ask.GRADIENT}


@pytest.mark.parametrize("signal", [1.0, 2.0])
@pytest.mark.parametrize("loss", ["poisson", "gamma"])
@pytest.mark.parametrize("solver", [GradientDescent(), Nesterov(), Momentum()])
def test_a_curvature_without_a_bound_is_learnt(solver: Solver, loss: str, signal: float) -> None:
    """First steps are far too long where it is large, and are made again."""
    of = problem(loss, 1e2, l2=0.1, signal=signal)
    curvature = Curvature(of.curvature.least / 100, math.inf, constant=False)
    state = solver.init(of.start, curvature)
    assert state.steps.recovers
    rounds(solver, of, 1e-4, 1200, state)


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("loss", LOSSES)
def test_an_l2_penalty_counts(name: str, loss: str) -> None:
    rounds(SOLVERS[name], problem(loss, 1e4, l2=0.1), 1e-8, 150)


@pytest.mark.parametrize("loss", ["logistic", "poisson", "gamma"])
def test_a_warm_start_is_nearer(loss: str) -> None:
    """From the minimum of another penalty."""
    of = problem(loss, 1e4, l2=1e-3)
    near = problem(loss, 1e4, l2=2e-3).solution()
    least = of.minimum()
    for solver in (LBFGS(), Newton()):
        state = solver.init(near, of.curvature)
        for _ in range(6):
            state = solver.update(state, of.evaluate(state.point, state.ask))
        assert of.evaluate(state.point).value - least < 1e-4 * (of.evaluate(near).value - least)


@pytest.mark.parametrize("loss", LOSSES)
def test_columns_that_no_sampled_row_has_do_not_lead_astray(loss: str) -> None:
    """Categories of 1 to 1,000 rows in 2,000: in the sample many look constant."""
    count, asked = rounds(LBFGS(), rare(loss), 1e-6, 40)
    assert count <= 35
    assert asked.count(Ask.HESSIAN) <= 4


@pytest.mark.parametrize("loss", ["poisson", "gamma"])
def test_where_few_rows_have_all_the_curvature_all_rows_are_asked(loss: str) -> None:
    """A signal of 4 standard deviations on a log scale: first trials overflow, and a sample says little of the optimum."""
    of = problem(loss, 1e4, signal=4.0)
    count, asked = rounds(LBFGS(), of, 1e-9, 60)
    assert count <= 35
    assert 1 <= asked.count(Ask.HESSIAN) <= 4
    assert rounds(Newton(), of, 1e-9, 30)[0] <= 20


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("value", [math.inf, math.nan, 1e300])
def test_a_trial_that_is_too_far_is_come_back_from(name: str, value: float) -> None:
    """The first three trials end nowhere; the gradients that come with them mean nothing."""
    of, solver = problem("poisson", 1e2), SOLVERS[name]
    state = solver.init(of.start, of.curvature)
    state = solver.update(state, of.evaluate(state.point, state.ask))
    away = np.linalg.norm(state.point - of.start)
    for _ in range(3):
        state = solver.update(state, Evaluation(value, np.full(len(of.start), math.nan), 0.0))
        assert 0 < np.linalg.norm(state.point - of.start) <= away / 2
        away = np.linalg.norm(state.point - of.start)
    assert state.steps.recovers
    assert state.steps.sound
    rounds(solver, of, 1e-6, 150, state)


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("stop", [0, 1, 2, 5, 9, 30])
def test_going_on_from_a_dump_gives_the_same_bits(name: str, stop: int) -> None:
    """Of a fit with failed trials, a second sample and a Hessian of all rows, in the middle of any of these."""
    of, solver = problem("gamma", 1e4, signal=4.0), SOLVERS[name]

    def gone(state: object, count: int) -> list[bytes]:
        seen = []
        for _ in range(count):
            state = solver.update(state, of.evaluate(state.point, state.ask))  # type: ignore[attr-defined]
            seen.append(dump(state).tobytes())
        return seen

    start = solver.init(of.start, of.curvature)
    state = start
    for _ in range(stop):
        state = solver.update(state, of.evaluate(state.point, state.ask))
    kept = dump(state)
    whole = gone(state, 8)
    assert gone(load(kept, solver.init(np.zeros_like(of.start), of.curvature)), 8) == whole


def test_a_direction_in_which_nothing_is_found_is_given_up() -> None:
    """The best weights are evaluated once more, and the pairs are no more."""
    of, solver = problem("logistic", 1e2), LBFGS()
    state = solver.init(of.start, of.curvature)
    for _ in range(4):
        state = solver.update(state, of.evaluate(state.point, state.ask))
    best = state.steps.weights.copy()
    for _ in range(LOST):
        state = solver.update(state, Evaluation(math.inf, np.zeros_like(best), 0.0))
    assert state.point.tolist() == best.tolist()
    assert state.pairs.added == 0
    rounds(solver, of, 1e-9, 30, state)


def test_newtons_decrement_is_what_is_left() -> None:
    of, solver = problem("logistic", 1e4), Newton()
    state, least = solver.init(of.start, of.curvature), of.minimum()
    assert state.decrement == math.inf
    for count in range(4):
        here = of.evaluate(state.point, Ask.HESSIAN)
        state = solver.update(state, here)
        assert state.decrement == pytest.approx(here.value - least, rel=1.0 if count < 2 else 0.1, abs=1e-14)
