"""The solvers' states can be taken out and put back: the steps after that have the same bits."""

import numpy as np
import pytest

from mpi_pgd.engine.state import dump, load
from mpi_pgd.solvers import Solver
from mpi_pgd.solvers.evaluation import Curvature, Evaluation
from mpi_pgd.solvers.gd import GradientDescent
from mpi_pgd.solvers.nesterov import Nesterov
from tests.families import SOLVING, solver_of

SIZE = 5
EIGENVALUES = np.array([4.0, 2.0, 1.0, 0.1, 0.01])
AIM = np.linspace(-1, 3, SIZE) / 3
CURVATURE = Curvature(1.0, 8.0)
STEPS = [0.24, "auto"]


def gone(solver: Solver, state: object, steps: int) -> object:
    for _ in range(steps):
        away = state.point - AIM  # type: ignore[attr-defined]
        value, hessian = 0.5 * float(EIGENVALUES @ away**2), np.diag(EIGENVALUES) if state.ask else None  # type: ignore[attr-defined]
        state = solver.update(state, Evaluation(value, EIGENVALUES * away, 0.0, hessian))
    return state


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", SOLVING)
@pytest.mark.parametrize("stop", [0, 1, 7, 60])
def test_going_on_from_a_dump_gives_the_same_bits(name: str, stop: int, step: float | str) -> None:
    solver = solver_of(name, step=step)
    whole = gone(solver, solver.init(np.zeros(SIZE), CURVATURE), 100)
    kept = dump(gone(solver, solver.init(np.zeros(SIZE), CURVATURE), stop))
    assert kept.dtype == np.float64
    before = kept.tobytes()
    fresh = solver_of(name, step=step)
    state = gone(fresh, load(kept, fresh.init(np.ones(SIZE), CURVATURE)), 100 - stop)
    assert state.point.tobytes() == whole.point.tobytes()  # type: ignore[attr-defined]
    assert kept.tobytes() == before, "the steps wrote into what was kept"


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", SOLVING)
def test_a_dump_comes_back_as_it_was(name: str, step: float | str) -> None:
    solver = solver_of(name, step=step)
    kept = dump(gone(solver, solver.init(np.zeros(SIZE), CURVATURE), 9))
    state = load(kept, solver.init(np.zeros(SIZE), CURVATURE))
    assert type(state) is type(solver.init(np.zeros(SIZE), CURVATURE))
    assert dump(state).tobytes() == kept.tobytes()
    assert len(kept) == len(dump(solver.init(np.zeros(SIZE), CURVATURE)))


def test_the_momentums_age_stays_a_number() -> None:
    solver = Nesterov(0.24)
    state = gone(solver, solver.init(np.zeros(SIZE), CURVATURE), 3)
    assert type(load(dump(state), state).t) is float
    assert load(dump(state), state).t == state.t > 1  # type: ignore[attr-defined]


def test_a_dump_is_not_the_state_itself() -> None:
    solver = GradientDescent(0.24)
    state = solver.init(np.ones(SIZE), CURVATURE)
    kept = dump(state)
    gone(solver, state, 1)
    assert kept[:SIZE].tolist() == [1.0] * SIZE
