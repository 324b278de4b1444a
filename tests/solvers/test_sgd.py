"""Stochastic gradient descent on the losses that people fit: batches, epochs, schedules, and the mean that is judged."""

from dataclasses import replace

import numpy as np
import pytest

from mpi_pgd.engine.batches import UNIT, units
from mpi_pgd.engine.state import dump, load
from mpi_pgd.engine.tasks import Ask
from mpi_pgd.penalties.entries import Entries
from mpi_pgd.solvers.evaluation import Curvature, Evaluation
from mpi_pgd.solvers.sgd import SCHEDULES, Epochs, StochasticGradient
from tests.smooth import COLUMNS, ROWS, Problem, problem

pytestmark = pytest.mark.beside("numbers")


def evaluated(of: Problem, state: Epochs, seed: int = 0) -> Evaluation:
    """What a round finds: of all rows, or of those of the batch that is asked for."""
    if state.ask == Ask.GRADIENT:
        return of.evaluate(state.point)
    epoch, start, stop = state.request.astype(int).tolist()
    rows = (units(seed, epoch, start, stop, state.units)[:, None] * np.uint64(UNIT) + np.arange(UNIT, dtype=np.uint64)).ravel()
    rows = rows[rows < len(of.y)]
    return replace(of, z=of.z[rows], y=of.y[rows]).evaluate(state.point)


def above(of: Problem, solver: StochasticGradient, epochs: int) -> list[float]:
    """The objective less the minimum after each epoch, as a share of the first."""
    least, found, state = of.minimum(), [], solver.init(of.start, of.curvature)
    while len(found) <= epochs:
        here = evaluated(of, state)
        if state.ask == Ask.GRADIENT:
            found.append(here.value - least)
        state = solver.update(state, here)
    return [value / found[0] for value in found]


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("loss", ["logistic", "poisson", "squared"])
def test_a_few_epochs_come_near(loss: str, schedule: str) -> None:
    found = above(problem(loss, 10.0), StochasticGradient(schedule=schedule, batch=32, rows=ROWS), 12)
    assert found[12] < found[3] < found[1] < 1
    assert found[12] < 0.05


@pytest.mark.parametrize(("batch", "batches"), [(1, 125), (16, 125), (100, 20), (1000, 2), (10**9, 1)])
def test_an_epoch_is_a_round_a_batch_and_one_over_all_rows(batch: int, batches: int) -> None:
    solver, of = StochasticGradient(step=1e-3, batch=batch, rows=ROWS), problem("logistic", 10.0)
    state, asked, positions = solver.init(of.start, of.curvature), [], []
    for _ in range(batches + 2):
        asked.append(state.ask)
        if state.ask == Ask.BATCH:
            assert state.request[0] == 0
            positions += range(*state.request[1:].astype(int))
        state = solver.update(state, evaluated(of, state))
    assert asked == [Ask.GRADIENT, *[Ask.BATCH] * batches, Ask.GRADIENT]
    assert positions == list(range(ROWS // UNIT))
    assert state.request[0] == 1


def test_the_mean_of_an_epochs_iterates_is_judged_and_the_last_goes_on() -> None:
    solver = StochasticGradient(step=0.5, schedule="inverse", batch=16, rows=32)
    state = solver.init(np.zeros(1), Curvature(1.0, 1.0))
    points, steps = [], []
    for _ in range(7):
        points.append(float(state.point[0]))
        state = solver.update(state, Evaluation(0.0, np.ones(1), 0.0))
        steps.append(state.step)
    assert steps == [0.0, 0.5, 0.5 / 1.5, 0.5 / 1.5, 0.25, 0.2, 0.2]
    assert points == pytest.approx([0, 0, -0.5, -(0.5 + 0.5 + 0.5 / 1.5) / 2, -0.5 - 0.5 / 1.5, -0.75 - 0.5 / 1.5, points[6]])
    assert points[6] == pytest.approx(-(0.75 + 0.95) / 2 - 0.5 / 1.5)


def test_what_is_not_smooth_is_taken_with_each_step() -> None:
    of, rough = problem("squared", 10.0), Entries(0.0, np.ones(COLUMNS), np.zeros(COLUMNS), np.full(COLUMNS, 0.1))
    solver = StochasticGradient(batch=64, rows=ROWS)
    state = solver.init(of.start, of.curvature)
    for _ in range(100):
        assert np.isfinite(rough.value(state.point))
        state = solver.update(state, evaluated(of, state)._replace(prox=rough))


@pytest.mark.parametrize("stop", [0, 1, 5, 32, 33, 40])
def test_going_on_from_a_dump_gives_the_same_bits(stop: int) -> None:
    of, solver = problem("logistic", 10.0), StochasticGradient(schedule="inverse-sqrt", batch=64, rows=ROWS)

    def gone(state: Epochs, count: int) -> Epochs:
        for _ in range(count):
            state = solver.update(state, evaluated(of, state))
        return state

    state = gone(solver.init(of.start, of.curvature), stop)
    kept = dump(state)
    whole = dump(gone(state, 45))
    assert dump(gone(load(kept, solver.init(np.ones_like(of.start), of.curvature)), 45)).tobytes() == whole.tobytes()
