"""Solvers of what is not smooth: the optimum's own conditions hold, of l1, bounds and groups."""

import numpy as np
import pytest

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.penalties.entries import Entries
from mpi_pgd.penalties.groups import Groups
from mpi_pgd.penalties.nonsmooth import Nonsmooth
from mpi_pgd.solvers import SOLVERS
from mpi_pgd.solvers.evaluation import Curvature
from tests.smooth import COLUMNS, Problem, problem

NONE = np.full(COLUMNS, np.inf)
PROXIMAL = ["gd", "nesterov", "bb"]
ROUGH = {
    "l1": Entries(0.05, np.ones(COLUMNS), -NONE, NONE),
    "bounds": Entries(0.0, np.ones(COLUMNS), np.zeros(COLUMNS), np.full(COLUMNS, 0.3)),
    "both": Entries(0.02, np.linspace(0, 2, COLUMNS), np.full(COLUMNS, -0.1), NONE),
    "groups": Groups(0.05, np.ones(5), np.arange(COLUMNS) % 5),
}


def ended(name: str, of: Problem, rough: Nonsmooth, curvature: Curvature, limit: int) -> tuple[Vector, list[float]]:
    """The last point, and the objective's course; points never leave the bounds."""
    solver, left, course = SOLVERS[name](), np.empty(len(of.start)), []
    state = solver.init(of.start, curvature)
    for _ in range(limit):
        found = of.evaluate(state.point)
        course.append(found.value + rough.value(state.point))
        if rough.distance(state.point, found.gradient, left) < 1e-8:
            return state.point, course
        state = solver.update(state, found._replace(prox=rough))
    raise AssertionError(f"not within {limit} rounds")


@pytest.mark.parametrize("kind", ROUGH)
@pytest.mark.parametrize("loss", ["squared", "logistic", "poisson"])
@pytest.mark.parametrize("name", PROXIMAL)
def test_the_optimum_is_found(name: str, loss: str, kind: str) -> None:
    of = problem(loss, 30.0, l2=0.05)
    bound = of.curvature if loss != "poisson" else Curvature(of.curvature.least, np.inf, constant=False)
    point, course = ended(name, of, ROUGH[kind], bound, 1500)
    assert np.isfinite(course).all()
    assert course[-1] <= min(course) + 1e-12
    if kind == "l1":
        assert 0 < (point == 0).sum() < COLUMNS


def test_what_does_not_bind_changes_no_bit() -> None:
    """Gradient descent with bounds that are never met, and without."""
    of, solver = problem("squared", 30.0), SOLVERS["gd"]()
    free, bound = (solver.init(of.start, of.curvature) for _ in range(2))
    wide = Entries(0.0, np.ones(COLUMNS), np.full(COLUMNS, -100.0), np.full(COLUMNS, 100.0))
    for _ in range(20):
        free = solver.update(free, of.evaluate(free.point))
        bound = solver.update(bound, of.evaluate(bound.point)._replace(prox=wide))
    assert free.point.tobytes() == bound.point.tobytes()
