"""The solvers' states can be taken out and put back: the steps after that have the same bits."""

import numpy as np
import pytest

from mpi_pgd.solvers.descent import SOLVERS, Nesterov, Solver, dump, load

SIZE = 5
EIGENVALUES = np.array([4.0, 2.0, 1.0, 0.1, 0.01])
AIM = np.linspace(-1, 3, SIZE) / 3


def gone(solver: Solver, state: object, steps: int) -> object:
    for _ in range(steps):
        state = solver.update(state, EIGENVALUES * (state.point - AIM), 0.24, False)  # type: ignore[attr-defined]
    return state


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("stop", [0, 1, 7, 60])
def test_going_on_from_a_dump_gives_the_same_bits(name: str, stop: int) -> None:
    solver = SOLVERS[name](0.9)
    whole = gone(solver, solver.init(np.zeros(SIZE)), 100)
    kept = dump(gone(solver, solver.init(np.zeros(SIZE)), stop))
    assert kept.dtype == np.float64
    before = kept.tobytes()
    fresh = SOLVERS[name](0.9)
    state = gone(fresh, load(kept, fresh.init(np.ones(SIZE))), 100 - stop)
    assert state.point.tobytes() == whole.point.tobytes()  # type: ignore[attr-defined]
    assert kept.tobytes() == before, "the steps wrote into what was kept"


@pytest.mark.parametrize("name", SOLVERS)
def test_a_dump_comes_back_as_it_was(name: str) -> None:
    solver = SOLVERS[name](0.9)
    kept = dump(gone(solver, solver.init(np.zeros(SIZE)), 9))
    state = load(kept, solver.init(np.zeros(SIZE)))
    assert type(state) is type(solver.init(np.zeros(SIZE)))
    assert dump(state).tobytes() == kept.tobytes()
    assert len(kept) == len(dump(solver.init(np.zeros(SIZE))))


def test_the_momentums_age_stays_a_number() -> None:
    solver = Nesterov(0.9)
    state = gone(solver, solver.init(np.zeros(SIZE)), 3)
    assert type(load(dump(state), state).t) is float
    assert load(dump(state), state).t == state.t > 1  # type: ignore[attr-defined]


def test_a_dump_is_not_the_state_itself() -> None:
    solver = SOLVERS["gd"](0.9)
    state = solver.init(np.ones(SIZE))
    kept = dump(state)
    gone(solver, state, 1)
    assert kept[:SIZE].tolist() == [1.0] * SIZE
