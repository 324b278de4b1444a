"""The rounds: what is minimised and how, and all that goes around a round: the clock, balance, delays, snapshots."""

import math
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import NamedTuple

import numpy as np

from mpi_pgd.data.memory import MemoryShard
from mpi_pgd.drivers.fit import FitDriver, Watch
from mpi_pgd.drivers.history import History
from mpi_pgd.drivers.moments import Moments
from mpi_pgd.drivers.objective import Aims, Objective, Scaling
from mpi_pgd.engine.block import Source
from mpi_pgd.engine.hessian import HessianTask
from mpi_pgd.engine.loop import Mode, Observer, StopFlags, rounds
from mpi_pgd.engine.precise import PreciseTask
from mpi_pgd.engine.query import Query
from mpi_pgd.engine.sums import Sums
from mpi_pgd.engine.tasks import Ask, GradientTask, Task
from mpi_pgd.losses import LOSSES, Loss
from mpi_pgd.observers.clock import Clock
from mpi_pgd.observers.costs import Costs
from mpi_pgd.observers.snapshot import Snapshots
from mpi_pgd.options import made
from mpi_pgd.penalties import PENALTIES, Penalty
from mpi_pgd.session.inspect import Problem
from mpi_pgd.session.load import move_blocks
from mpi_pgd.solvers import SOLVERS, Solver

SAMPLED = 20  # rows for each unknown, of which a sampled Hessian is made


class Descent(NamedTuple):
    """A descent that has ended; ``driver`` and ``costs`` mean something where updates are made and on rank 0."""

    driver: FitDriver
    query: Query
    costs: Costs
    sums: Sums
    moved: int  # blocks, from rank to rank


def descend(
    problem: Problem,
    mode: Mode,
    shard: MemoryShard,
    setup: Moments,
    flags: StopFlags,
    watch: Watch,
    keep: int = 0,
    history: History | None = None,
    snapshots: Callable[[FitDriver, Sums], Snapshots] | None = None,
) -> Descent:
    """The rounds, timed. Collective.

    Args:
        problem: whose settings say what to minimise and how.
        mode, shard, setup: of this problem.
        flags: asks for this rank's stop flags.
        watch: is told of every evaluation.
        keep: how many rounds' times rank 0 is to keep.
        history: where to go on; a new one if not given.
        snapshots: makes what keeps the state between rounds, and gives the driver the state to go on from.
    """
    comm, chosen = problem.comm, problem.settings
    goal = objective(problem, setup)
    solver = made(SOLVERS[chosen.solver], chosen)
    tasks = tasks_of(problem, goal, solver)
    query = Query(list(tasks.values()))
    sums = sums_of(problem, query)
    driver = FitDriver(goal, tasks, solver, chosen.rounds, chosen.tol, watch, history or History(perf_counter()))
    first = problem.facts.first_worker(comm.size)
    clock = Clock(comm, problem.nodes, first, keep, problem.facts.skips, problem.ids)
    observers: list[Observer] = [problem.pulse, clock]
    if snapshots:
        observers.append(snapshots(driver, sums))
    balance = None
    if chosen.balance:
        from mpi_pgd.observers.balance import Balance  # these two not at start-up: hardly anyone asks for them

        share, move = problem.partition.rebalanced, partial(move_blocks, problem, mode, shard)
        balance = Balance(comm, mode.worker, shard.owners, clock.crowded, share, move)
        observers.append(balance)
    source: Source = shard
    if chosen.delay or chosen.fail_slow:
        from mpi_pgd.observers.delay import Delayed, parse

        source = Delayed(shard, parse(chosen.delay, chosen.fail_slow), problem.ids[comm.rank], comm.rank - first)
    rounds(mode, source, sums, driver, query, observers, flags)
    problem.pulse.enter("waiting for the end")
    clock.close()
    return Descent(driver, query, clock.costs, sums, balance.moved if balance else 0)


def objective(problem: Problem, moments: Moments) -> Objective:
    """What is minimised."""
    chosen = problem.settings
    loss = made(LOSSES[chosen.loss], chosen)
    targets = len(moments.mean) - problem.table.features
    scaling = Scaling.of(moments.mean, moments.deviation, moments.peak, chosen.intercept, chosen.standardize, targets)
    aims = aims_of(loss, moments, problem.table.features)
    penalty = Penalty([made(term, chosen) for term in PENALTIES.values()], scaling.scale, aims.outputs)
    return Objective(problem.rows, scaling, loss, penalty, chosen.intercept, aims)


def aims_of(loss: Loss, moments: Moments, features: int) -> Aims:
    """What the objective has to know of the targets."""
    mean = moments.shares if len(moments.shares) else moments.mean[features:]
    start = loss.start(mean)
    peaks = np.maximum(mean, moments.peak[features:].max()) if len(start) == 1 else mean
    eta, room = np.stack([start, start], axis=1), np.empty((loss.rooms, 2))
    y, out = np.stack([mean, peaks], axis=1), np.empty((len(start) * (len(start) + 1) // 2, 2))
    lines = (y[0], eta[0], out[0]) if len(start) == 1 else (np.zeros(2), eta, out)
    loss.curvatures(lines[0], lines[1], lines[2], room)
    return Aims(moments.weight, len(start), moments.floor, start, float(out.max()))


def tasks_of(problem: Problem, goal: Objective, solver: Solver) -> dict[Ask, Task]:
    """All that the solver may ask for, the gradient first."""
    partition, scaling, features = problem.partition, goal.scaling, goal.features
    tasks: dict[Ask, Task] = {Ask.GRADIENT: GradientTask(goal.loss, features, partition.block_rows, goal.outputs)}
    rows = partition.block_rows * partition.panel
    largest = np.append((np.abs(scaling.mean[:features]) + scaling.peak[:features]) / scaling.scale, np.ones(min(1, goal.free)))
    largest *= math.sqrt(goal.bend)
    for ask in (Ask.HESSIAN, Ask.SAMPLE):
        if ask in solver.needs:
            every = 1 if ask == Ask.HESSIAN else max(1, problem.rows // (SAMPLED * goal.size))
            mean, scale, free = scaling.mean[:features], scaling.scale, goal.free > 0
            tasks[ask] = HessianTask(goal.loss, mean, scale, rows, largest, free, goal.outputs, every)
    if Ask.PRECISE in solver.needs:
        tasks[Ask.PRECISE] = PreciseTask(scaling.peak[:features], partition.block_rows, goal.outputs)
    return tasks


def sums_of(problem: Problem, query: Query) -> Sums:
    """For the answers to ``query`` over all blocks."""
    return Sums(query, problem.partition.blocks, problem.settings.sums == "order-free")


def stop_flags(
    start: float, max_seconds: float = math.inf, signalled: Callable[[], bool] = lambda: False, ahead: bool = False
) -> StopFlags:
    """This rank's stop flags: whether the time since ``start`` is up, whether a signal came.

    With ``ahead`` it is up already when another round, as long as the longest so far, would not end in time. The flag is raised
    within a round, of which most may be to come: waiting and the wire.
    """
    longest, last = 0.0, math.inf

    def flags() -> tuple[bool, bool]:
        nonlocal longest, last
        now = perf_counter()
        longest, last = max(longest, now - last), now
        return now - start + ahead * 2 * longest > max_seconds, signalled()

    return flags
