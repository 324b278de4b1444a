"""Least squares refined, without MPI, by the same drivers as in a run."""

from time import perf_counter
from typing import NamedTuple

import numpy as np

from mpi_pgd.drivers import precise
from mpi_pgd.drivers.certificate import Certificate
from mpi_pgd.drivers.fit import FitDriver
from mpi_pgd.drivers.history import History
from mpi_pgd.drivers.moments import Moments, MomentsDriver, look
from mpi_pgd.drivers.objective import Aims, Objective, Scaling
from mpi_pgd.drivers.status import Status
from mpi_pgd.engine.block import Block, Blocks
from mpi_pgd.engine.hessian import HessianTask
from mpi_pgd.engine.loop import rounds
from mpi_pgd.engine.precise import PreciseTask
from mpi_pgd.engine.query import Query
from mpi_pgd.engine.sums import Sums
from mpi_pgd.engine.tasks import Ask, GradientTask, Task
from mpi_pgd.losses.squared import Squared
from mpi_pgd.penalties import Penalty
from mpi_pgd.penalties.ridge import Ridge
from mpi_pgd.solvers.diagnosis import Diagnosis
from mpi_pgd.solvers.suit import DIGITS
from tests.engine.alone import Alone


class Model(NamedTuple):
    """What is fitted, and how the rows are cut."""

    intercept: bool = True
    l2: float = 0.0
    standardize: bool = True
    block_rows: int = 64
    weights: np.ndarray | None = None
    offset: np.ndarray | None = None


class Fitted(NamedTuple):
    """What came out, in the user's units; and all that was asked, in order."""

    weights: np.ndarray  # (k, p)
    intercept: np.ndarray  # (k,)
    objective: float
    certificate: Certificate
    asked: list[Ask]
    diagnosis: Diagnosis
    scaling: Scaling


def fit(x: np.ndarray, y: np.ndarray, model: Model | None = None, tol: float = DIGITS) -> Fitted:
    """For y (n,) or (k, n)."""
    model = model or Model()
    blocks = cut(x, y, model)
    p, k = x.shape[1], len(np.atleast_2d(y))
    moments = moments_of(x, y, blocks, model)
    scaling = Scaling.of(*moments[:3], model.intercept, model.standardize, k)
    aims = Aims(moments.weight, k)
    objective = Objective(len(x), scaling, Squared(), Penalty([Ridge(model.l2)], scaling.scale, k), model.intercept, aims)
    largest = 2 * scaling.peak[:p] / scaling.scale
    unknown = np.zeros(k * (p + 1) + 1)  # as the gradient is asked for before
    tasks: dict[Ask, Task] = {
        Ask.GRADIENT: GradientTask(Squared(), p, model.block_rows, k),
        Ask.HESSIAN: HessianTask(Squared(), scaling.mean[:p], scaling.scale, model.block_rows, unknown, largest, False, k),
        Ask.PRECISE: PreciseTask(scaling.peak[:p], model.block_rows, k),
    }
    solver = precise.refinement(objective, tol > DIGITS)
    query, asked = Query(list(tasks.values())), list[Ask]()

    def watch(*_: float) -> None:
        asked.append(list(tasks)[query.number])

    driver = FitDriver(objective, tasks, solver, 50, tol, watch, History(perf_counter()))
    rounds(Alone(), blocks, Sums(query, len(blocks)), driver, query)
    assert driver.status == Status.CONVERGED
    assert driver.diagnosis
    w, c = query.point[: k * p].reshape(k, p).copy(), query.point[k * p : k * (p + 1)].copy()
    return Fitted(w, c, driver.objective, driver.certificate, asked, driver.diagnosis, scaling)


def cut(x: np.ndarray, y: np.ndarray, model: Model) -> Blocks:
    blocks = Blocks()
    for start in range(0, len(x), model.block_rows):
        rows = slice(start, start + model.block_rows)
        extras = (None if each is None else each[rows].copy() for each in (model.weights, model.offset))
        blocks.append(Block(x[rows].copy(), np.ascontiguousarray(y[..., rows]), *extras, start=start))
    return blocks


def moments_of(x: np.ndarray, y: np.ndarray, blocks: Blocks, model: Model) -> Moments:
    columns = np.column_stack([x, np.atleast_2d(y).T])
    heaviest = 1.0 if model.weights is None else float(model.weights.max())
    more = model.block_rows, x.shape[1], Squared(), 0, False
    driver: MomentsDriver | None = MomentsDriver(look(blocks[0], np.abs(columns).max(axis=0)[x.shape[1] :], *more), heaviest, *more)
    while driver:
        query = Query([driver.task])
        sums = Sums(query, len(blocks))
        sums.expect(driver.bound)
        rounds(Alone(), blocks, sums, driver, query)
        found = driver.moments()
        driver = driver.after(found)
    return found
