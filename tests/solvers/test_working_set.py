"""Newton's method on a working set: the optimum of what is not smooth, in few rounds, however many weights there are."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mpi_pgd.engine.state import dump, load
from mpi_pgd.engine.tasks import Ask
from mpi_pgd.penalties.entries import Entries
from mpi_pgd.penalties.groups import Groups
from mpi_pgd.penalties.nonsmooth import Nonsmooth
from mpi_pgd.solvers import working_set
from mpi_pgd.solvers.evaluation import Curvature, Evaluation
from mpi_pgd.solvers.working import Working
from mpi_pgd.solvers.working_set import WorkingSet

pytestmark = pytest.mark.beside("numbers")

ROWS, FEATURES = 400, 300
INFINITE = np.full(FEATURES, np.inf)
Rows = Callable[
    [np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]
]  # of targets and eta: losses, slopes, curvatures


def squared(y: np.ndarray, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return 0.5 * (eta - y) ** 2, eta - y, np.ones_like(y)


def poisson(y: np.ndarray, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    mean = np.exp(eta)
    return mean - y * eta, mean - y, mean


def squared_hinge(y: np.ndarray, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    sides = 2 * (y > 1) - 1
    short = np.maximum(0.0, 1 - sides * eta)
    return short * short, -2 * sides * short, 2.0 * (short > 0)


class Table:
    """Rows and what is asked of them, as a driver would answer; an intercept is the last unknown of what is no least squares."""

    def __init__(self, loss: Rows, correlation: float = 0.5) -> None:
        draw = np.random.default_rng(2)
        z = np.sqrt(1 - correlation) * draw.normal(size=(ROWS, FEATURES)) + np.sqrt(correlation) * draw.normal(size=(ROWS, 1))
        signal = z[:, :9] @ draw.normal(size=9) / 3
        self.loss, self.free = loss, int(loss is not squared)
        self.y = signal + draw.normal(size=ROWS) if loss is squared else draw.poisson(np.exp(signal)).astype(float)
        self.z = np.column_stack([z, np.ones(ROWS)][: 1 + self.free])

    def answer(self, state: Working, rough: Nonsmooth) -> Evaluation:
        values, slopes, bends = self.loss(self.y, self.z @ state.point)
        hessian = None
        if state.ask == Ask.COLUMNS:
            every, new, asked, *columns = state.request.astype(int).tolist()
            assert len(columns) == asked
            z, h = self.z[::every], bends[::every, None]
            hessian = z[:, columns[:new]].T @ (h * z[:, columns]) / len(z)
        return Evaluation(float(values.mean()), self.z.T @ slopes / len(self.z), 0.0, hessian, prox=rough)


def penalties() -> dict[str, Nonsmooth]:
    return {
        "lasso": Entries(0.08, np.ones(FEATURES), -INFINITE, INFINITE),
        "weak": Entries(0.01, np.ones(FEATURES), -INFINITE, INFINITE),
        "not negative": Entries(0.02, np.ones(FEATURES), np.zeros(FEATURES), INFINITE),
        "groups": Groups(0.06, np.sqrt(np.full(FEATURES // 3, 3.0)), np.arange(FEATURES) // 3),
    }


def solved(
    table: Table, rough: Nonsmooth, limit: int, state: Any = None, rows: int = ROWS, left: float = 1e-10
) -> tuple[Working, int]:
    """Until so little of a subgradient is left; after how many rounds. The solver takes the table to have so many rows."""
    solver = WorkingSet(table.loss is squared, rows)
    most = np.inf if table.loss is poisson else 2.0
    state = state or solver.init(np.zeros(table.z.shape[1]), Curvature(1.0, most))
    least = np.empty(table.z.shape[1])
    for count in range(limit):
        found = table.answer(state, rough)
        if rough.distance(state.point, found.gradient, least) < left:
            return state, count
        state = solver.update(state, found)
    raise AssertionError(f"not solved in {limit} rounds")


@pytest.mark.parametrize(("loss", "whole", "limit"), [(squared, 512, 12), (poisson, 512, 12), (poisson, 0, 24)])
@pytest.mark.parametrize("name", ["lasso", "weak", "not negative", "groups"])
def test_the_optimum_takes_few_rounds(name: str, loss: Rows, whole: int, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where there are more unknowns than are in the set from the first round."""
    monkeypatch.setattr(working_set, "WHOLE", whole)
    solved(Table(loss), penalties()[name], limit)


@pytest.mark.parametrize(("alike", "every"), [(True, 4), (False, 1)])
def test_some_of_many_rows_are_enough_for_the_hessian(alike: bool, every: int) -> None:
    """But where those of the sample are not like the others, the last Hessians are of all rows."""
    table, few = Table(poisson), INFINITE[:30]
    table.z, table.y = np.repeat(table.z[:, -31:], 4, axis=0), np.repeat(table.y, 4)
    if not alike:
        table.z[::4, :-1] *= 0.2
    rough = Entries(0.02, np.ones(30), -few, few)
    state, _ = solved(table, rough, 16 if alike else 40, rows=working_set.SAMPLED * 31 * 4)
    assert state.every == every


def test_a_weak_penalty_of_a_loss_with_kinks_takes_few_rounds_where_there_are_more_weights_than_rows() -> None:
    """Nearly all rows lie about the kink: a model made on one side of it says nothing of the other."""
    table = Table(squared_hinge)
    table.z, table.y = table.z[:60, -151:], table.y[:60]
    state, _ = solved(table, Entries(1e-4, np.ones(150), -INFINITE[:150], INFINITE[:150]), 150, left=1e-6)
    assert state.raised == 1


def test_a_set_that_is_too_small_for_all_that_matters_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The objective never rises, and more weights than are in the set come to matter."""
    table, rough = Table(squared), penalties()["weak"]
    best = rough.value(solved(table, rough, 12)[0].point) + table.answer(solved(table, rough, 12)[0], rough).value
    monkeypatch.setattr(working_set, "MOST", 40)
    solver, values = WorkingSet(True, ROWS), []
    state = solver.init(np.zeros(FEATURES), Curvature(1.0, 1.0))
    for _ in range(100):
        state = solver.update(state, table.answer(state, rough))
        values.append(state.value)
    assert all(after <= before * (1 + 1e-12) for before, after in itertools.pairwise(values))
    assert np.count_nonzero(state.weights) > 40
    assert state.value - best < 0.1 * (values[0] - best)


def test_only_new_columns_are_asked_for() -> None:
    """Of least squares, whose Hessian is the same everywhere."""
    table, rough, solver, asked = Table(squared), penalties()["weak"], WorkingSet(True, ROWS), []
    state = solver.init(np.zeros(FEATURES), Curvature(1.0, 1.0))
    for _ in range(12):
        if state.ask == Ask.COLUMNS:
            asked.append((state.new, state.asked))
        state = solver.update(state, table.answer(state, rough))
    assert len(asked) >= 2
    assert [before[1] + after[0] for before, after in itertools.pairwise(asked)] == [after[1] for after in asked[1:]]


@pytest.mark.parametrize("stop", [1, 2, 5])
def test_a_state_that_was_dumped_goes_on_to_the_same_bits(stop: int) -> None:
    table, rough = Table(poisson), penalties()["lasso"]
    solver = WorkingSet(False, ROWS)
    state = solver.init(np.zeros(FEATURES + 1), Curvature(1.0, 1.0))
    for _ in range(stop):
        state = solver.update(state, table.answer(state, rough))
    again = load(dump(state), solver.init(np.zeros(FEATURES + 1), Curvature(1.0, 1.0)))
    ends = [solved(table, rough, 40, one)[0].point for one in (again, state)]
    assert ends[0].tobytes() == ends[1].tobytes()


@pytest.mark.parametrize("most", [np.inf, 1.0])
def test_a_trial_that_is_too_far_is_made_shorter(most: float) -> None:
    """Of a loss whose curvature is bounded, by a model that bends more."""
    table, rough, solver = Table(poisson), penalties()["lasso"], WorkingSet(False, ROWS)
    state = solver.init(np.zeros(FEATURES + 1), Curvature(1.0, most))
    state = solver.update(state, table.answer(state, rough))
    trial = state.point.copy()
    state = solver.update(state, Evaluation(np.inf, np.zeros(FEATURES + 1), 0.0, prox=rough))
    if most == np.inf:
        np.testing.assert_allclose(state.point, state.weights + (trial - state.weights) / 2)
    else:
        assert 0.0 < np.linalg.norm(state.point - state.weights) < np.linalg.norm(trial - state.weights)
        assert solver.update(state, table.answer(state, rough)).damped <= state.damped
    assert (state.ask, state.step) == (Ask.COLUMNS, 0.0)
