"""A last look at a fit whose unknowns have come to no rest: whether a plane separates the rows, so that no optimum is finite."""

from collections.abc import Sequence
from time import perf_counter

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm.world import agreement
from mpi_pgd.data.memory import MemoryShard
from mpi_pgd.data.names import called
from mpi_pgd.drivers.fit import FitDriver
from mpi_pgd.drivers.history import History
from mpi_pgd.drivers.objective import Objective
from mpi_pgd.drivers.separation import sentence, separating, separation
from mpi_pgd.drivers.status import Status
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.extremes import ExtremesTask
from mpi_pgd.engine.loop import Mode, StopFlags
from mpi_pgd.engine.query import Query
from mpi_pgd.session.inspect import Problem
from mpi_pgd.session.model import sums_of, tasks_of
from mpi_pgd.session.passes import make_rounds
from mpi_pgd.solvers import CLOSER, PLAIN, Solver
from mpi_pgd.solvers.suit import Facts

CLOSELY = 10  # rounds of Newton's method, in which what has an optimum comes to rest
FOREMOST = 3  # columns of a combination that are named
MATTERS = 0.1  # of the largest weight of a direction, that such a column has


def separated(problem: Problem, mode: Mode, shard: MemoryShard, driver: FitDriver, unknowns: Vector, flags: StopFlags) -> str:
    """Why there is no finite optimum, in a sentence; "" if nothing is known of that. Collective.

    It costs nothing where the unknowns are at rest, or time is short, as a signal came or it is used up; else a pass over the rows,
    and before it some rounds more, unless as many as were asked for were made. All is decided by sums and maxima over all blocks,
    and rank 0 has what the sums were judged by.

    Args:
        problem, mode, shard: of the fit.
        driver: of the fit, which has ended.
        unknowns: (size,) that it ended at.
        flags: ask for this rank's stop flags.
    """
    comm = problem.comm
    if not (driver.looks and comm.bcast(driver.restless)):
        return ""
    problem.pulse.enter("looking for what separates the rows")
    tried = [unknowns, driver.state.point - driver.motion.point]
    by = comm.bcast(_closely(driver))
    if by:
        driver = _closer(problem, mode, shard, driver, unknowns, flags, *by)
        tried += [driver.state.point - driver.motion.point, driver.state.point - unknowns]
    return _found(problem, shard, driver, [np.nan_to_num(comm.bcast(each)) for each in tried])


def _closely(driver: FitDriver) -> tuple[Solver, int] | None:
    """What tells more than the fit did, and its rounds: Newton's method where a matrix costs little; else as many again."""
    goal = driver.of
    if goal.penalty.nonsmooth or driver.solver == CLOSER or not driver.tol:
        return None
    facts = Facts(goal.rows, goal.size, goal.outputs, quadratic=False, hessians=goal.hessians)
    if facts.sampled:  # a matrix costs less than ``size`` gradients
        return (CLOSER, CLOSELY) if driver.status != Status.ROUNDS or driver.rounds >= CLOSELY * goal.size else None
    return (PLAIN, max(driver.rounds, CLOSELY)) if driver.status != Status.ROUNDS else None


def _closer(
    problem: Problem, mode: Mode, shard: MemoryShard, driver: FitDriver, unknowns: Vector, flags: StopFlags, by: Solver, limit: int
) -> FitDriver:
    """Go on for what it tells alone. Collective."""
    tasks = tasks_of(problem, driver.of, by)
    query = Query(list(tasks.values()))
    history = History(perf_counter())
    found = FitDriver(driver.of, tasks, by, limit, driver.tol, lambda *_: None, history, unknowns)
    make_rounds(problem.comm, mode.whole, shard, sums_of(problem, query), found, query, [problem.pulse], flags)
    return found


def _found(problem: Problem, shard: MemoryShard, driver: FitDriver, tried: Sequence[Vector]) -> str:
    """What a pass over the rows shows, along each of the directions ``tried`` (size,). Collective."""
    goal, names = driver.of, problem.table.names
    k, p = goal.outputs, goal.features
    mean, classes = goal.scaling.mean[:p], shard.targets.classes if shard.targets else ()
    directions = [_direction(goal, driver.unheld, each) for each in tried]
    task = ExtremesTask(goal.loss, mean, k, len(directions))
    point = np.concatenate([_in_user_units(goal, each) for each in directions])
    with agreement(problem.comm):
        largest = task.largest(point, shard.blocks(Query([task])))
    problem.comm.Allreduce(MPI.IN_PLACE, largest, MPI.MAX)
    parts = task.layout.split(largest)
    unheld = np.zeros(goal.weights, dtype=bool)
    unheld[driver.unheld] = True
    unheld = unheld.reshape(k, p)[0]
    alone = separating(parts["highest"], -parts["lowest"], k, problem.settings.intercept)
    clear, tied = (columns[unheld[columns]] for columns in alone)

    who = "the classes" if classes else "rows whose target is 0 from the others"
    if len(clear) or len(tied):
        who = "a class from the others" if k > 1 else who
        how = ("completely" if len(clear) else "quasi-completely") if classes else ""
        return sentence(who, called(names, clear if len(clear) else tied), [], how)
    for direction, against, along in zip(directions, parts["against"], parts["along"], strict=True):
        kind = separation(float(against), float(along))
        if kind:
            size = np.abs(direction[: goal.weights]).reshape(k, p).max(axis=0)
            order = np.argsort(-size, kind="stable")[:FOREMOST]
            return sentence(who, [], called(names, order[size[order] >= MATTERS * size.max()]), str(kind) if classes else "")
    return ""


def _direction(goal: Objective, unheld: Vector, tried: Vector) -> Vector:
    """(size,) along nothing that a penalty or a bound holds; of several outputs what they have in common changes no loss."""
    found = np.zeros(goal.size)
    free = np.append(unheld, np.arange(goal.weights, goal.size))
    found[free] = tried[free]
    if goal.outputs > 1:
        for part in (found[: goal.weights], found[goal.weights :]):
            lines = part.reshape(goal.outputs, -1)
            lines -= lines.mean(axis=0)
    return found


def _in_user_units(goal: Objective, direction: Vector) -> Vector:
    """[w (k, p) | c (k,)], of which the intercepts are on centred features."""
    k = goal.outputs
    weights = direction[: goal.weights].reshape(k, -1) / goal.scaling.scale
    return np.concatenate([weights.ravel(), direction[goal.weights :] if goal.free else np.zeros(k)])
