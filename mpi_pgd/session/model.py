"""What is minimised and how, from the settings and what is known of the columns: the objective, the solver, its tasks."""

import math

import numpy as np

from mpi_pgd.config import flag, given
from mpi_pgd.drivers import precise
from mpi_pgd.drivers.history import History
from mpi_pgd.drivers.moments import Moments
from mpi_pgd.drivers.objective import Aims, Objective, Scaling
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.columns import ColumnsTask
from mpi_pgd.engine.hessian import HessianTask
from mpi_pgd.engine.precise import PreciseTask
from mpi_pgd.engine.query import Query
from mpi_pgd.engine.sums import Sums
from mpi_pgd.engine.tasks import Ask, GradientTask, Task
from mpi_pgd.losses import Loss, loss_of
from mpi_pgd.options import made
from mpi_pgd.penalties import PENALTIES, Penalty, rough
from mpi_pgd.session.inspect import Problem
from mpi_pgd.solvers import SOLVERS, Solver
from mpi_pgd.solvers.suit import DIGITS, SAMPLED, Choice, Facts
from mpi_pgd.solvers.working import MOST

SIDES = ("groups", "lower", "upper")  # of features, by which an objective is not smooth


def sums_of(problem: Problem, query: Query) -> Sums:
    """For the answers to ``query`` over all blocks, as many folds of them as suit the first task's."""
    folds = problem.settings.folding(query.tasks[0].layout.width)
    return Sums(query, problem.partition.blocks, folds > 0, folds=folds)


def objective(problem: Problem, moments: Moments) -> Objective:
    """What is minimised."""
    chosen, features = problem.settings, problem.table.features
    loss, targets = loss_of(chosen), len(moments.mean) - features
    scaling = Scaling.of(moments.mean, moments.deviation, moments.peak, chosen.intercept, chosen.standardize, targets)
    aims = aims_of(loss, moments, features)
    penalty = Penalty([made(term, chosen) for term in PENALTIES.values()], scaling.scale, aims.outputs, problem.sides)
    return Objective(problem.rows, scaling, loss, penalty, chosen.intercept, aims)


def aims_of(loss: Loss, moments: Moments, features: int) -> Aims:
    """What the objective has to know of the targets.

    Slopes and curvatures are those of a model that has an intercept alone, for targets at and about their mean.
    """
    start = loss.start(moments.shares if len(moments.shares) else moments.mean[features:])
    mean, peak, k = float(moments.mean[features]), float(moments.peak[features:].max()), len(start)
    y, pairs = np.array([mean, 0.0, peak, -peak]), k * (k + 1) // 2
    eta, bends, room = np.repeat(start[:, None], 4, axis=1), np.empty((pairs, 4)), np.empty((loss.rooms, 4))
    if k == 1:
        loss.curvatures(y, eta[0], bends[0], room)
        loss(y, eta[0], np.empty(4), room)
    elif len(moments.shares):
        loss.curvatures(np.zeros(4), eta, bends, room)
        loss(np.zeros(4), eta, np.empty(4), room)
    else:
        bends[:], eta = 1.0, np.full((1, 4), 2 * peak)
    return Aims(moments.weight, k, moments.floor, start, float(np.abs(bends).max()), float(np.abs(eta).max()))


def null_loss(problem: Problem, goal: Objective, moments: Moments, history: History) -> float | None:
    """The mean loss of the best model that has an intercept alone, above the floor; None if the fit started elsewhere."""
    if goal.loss.centred:
        return float(np.sum(np.square(moments.deviation[goal.features :]))) / 2
    return history.objective[0] if history.objective and not problem.init else None


def choose_solver(problem: Problem, goal: Objective) -> Choice:
    """The solver that the settings name, in the form that suits the problem. Refuses what suits none."""
    chosen, quadratic = problem.settings, goal.loss.centred
    why = " and ".join(flag(name) for name in given(chosen, [*rough(chosen), *SIDES])) if goal.penalty.nonsmooth else ""
    loose = chosen.tol > DIGITS
    refined = None if why or not quadratic else precise.refinement(goal, loose)
    step = 0.0 if chosen.step == "auto" else chosen.step
    about = Facts(problem.rows, goal.size, goal.outputs, quadratic, why, refined, step, goal.hessians, problem.endless, loose)
    return made(SOLVERS[chosen.solver], chosen).suited(about._replace(neighbours=problem.facts.neighbours))


def tasks_of(problem: Problem, goal: Objective, solver: Solver) -> dict[Ask, Task]:
    """All that the solver may ask for of all rows, the gradient first."""
    partition, scaling, p = problem.partition, goal.scaling, goal.features
    loss = loss_of(problem.settings)
    gradient = GradientTask(loss, p, partition.block_rows, goal.outputs)
    tasks: dict[Ask, Task] = {Ask.GRADIENT: gradient}
    rows, mean, scale = partition.block_rows * partition.panel, scaling.mean[:p], scaling.scale
    if not solver.needs and problem.settings.folding(gradient.layout.width) == 1:  # a bound that is loose costs one fold its digits
        return tasks
    gradient.bound = bound = _first_bound(goal, rows)
    largest = np.append(goal.reach, 1.0) * math.sqrt(goal.bend)
    free = goal.free > 0
    for ask in solver.needs & {Ask.HESSIAN, Ask.SAMPLE}:
        every = 1 if ask == Ask.HESSIAN else max(1, problem.rows // (SAMPLED * goal.size))
        tasks[ask] = HessianTask(loss, mean, scale, rows, bound, largest[: p + free], free, goal.outputs, every)
    if Ask.PRECISE in solver.needs:
        tasks[Ask.PRECISE] = PreciseTask(scaling.peak[:p], partition.block_rows, goal.outputs)
    if Ask.COLUMNS in solver.needs:
        tasks[Ask.COLUMNS] = ColumnsTask(loss, mean, scale, rows, bound, largest, min(MOST, goal.size), goal.outputs)
    return tasks


def _first_bound(goal: Objective, rows: int) -> Vector:
    """What no part of the gradient of so many rows exceeds at the start, if no row counts more than once."""
    slopes, p, k = rows * goal.aims.slope, goal.features, goal.outputs
    value = rows * max(1.0, goal.aims.slope * goal.aims.slope, abs(goal.aims.floor))
    return np.concatenate([np.tile(slopes * goal.scaling.peak[:p], k), np.full(k, slopes), [value]])
