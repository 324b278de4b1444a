"""The rounds: what is minimised and how, and all that goes around a round: the clock, balance, delays, snapshots."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from time import perf_counter
from typing import NamedTuple

from mpi_pgd.data.memory import MemoryShard
from mpi_pgd.drivers.fit import FitDriver, Watch
from mpi_pgd.drivers.history import History
from mpi_pgd.drivers.moments import Moments
from mpi_pgd.drivers.objective import Objective
from mpi_pgd.drivers.peer import PeerDriver
from mpi_pgd.drivers.status import Status
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.batchtask import BatchTask
from mpi_pgd.engine.block import Source
from mpi_pgd.engine.loop import Mode, Observer, StopFlags
from mpi_pgd.engine.query import Query
from mpi_pgd.engine.sums import Sums
from mpi_pgd.engine.tasks import Ask, Task
from mpi_pgd.observers.clock import Clock
from mpi_pgd.observers.costs import Costs
from mpi_pgd.session.inspect import Problem
from mpi_pgd.session.load import move_blocks
from mpi_pgd.session.model import choose_solver, null_loss, objective, sums_of, tasks_of
from mpi_pgd.session.neighbours import Neighbourhood, Peers
from mpi_pgd.session.passes import make_rounds
from mpi_pgd.session.separable import separated
from mpi_pgd.solvers.suit import Choice


class Descent(NamedTuple):
    """A descent that has ended; ``driver`` and ``costs`` mean something where updates are made and on rank 0."""

    driver: FitDriver
    query: Query
    costs: Costs
    sums: Sums
    moved: int  # blocks, from rank to rank
    choice: Choice  # of the solver
    null: float | None  # the mean loss of a model that has an intercept alone, above the floor; None if it is not known
    separation: str  # why there is no finite optimum; "" if there is one, as far as is known
    neighbours: Neighbourhood | None = None  # of peers that have some

    @property
    def coef(self) -> Vector:
        """(features,) float64 in the units of the data; (features, k) where there are k > 1 outputs."""
        found = self.query.point[: self.driver.of.weights].reshape(self.driver.of.outputs, -1)
        return found[0] if len(found) == 1 else found.T

    @property
    def intercept(self) -> float | Vector:
        """0 if none was fitted; (k,) where there are k > 1 outputs."""
        place, k = self.driver.of.weights, self.driver.of.outputs
        return float(self.query.point[place]) if k == 1 else self.query.point[place : place + k]


class Plan(NamedTuple):
    """What is minimised, and how."""

    goal: Objective
    tasks: Mapping[Ask, Task]  # all that the solver may ask for
    choice: Choice  # of it


def descend(
    problem: Problem,
    mode: Mode,
    shard: MemoryShard,
    setup: Moments,
    flags: StopFlags,
    watch: Watch,
    keep: int = 0,
    history: History | None = None,
    snapshots: Callable[[FitDriver | PeerDriver, Sums], Observer] | None = None,
    aligned: bool = False,
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
        aligned: whether the times are to be on one clock, for a timeline; their parts are right anyway.
    """
    comm, chosen = problem.comm, problem.settings
    goal, tasks, choice = planned(problem, shard, setup)
    start = goal.from_user(problem.init.point()) if problem.init else None
    query = Query(list(tasks.values()))
    sums = sums_of(problem, query)
    history, peers = history or History(perf_counter()), None
    driver = FitDriver(goal, tasks, choice.solver, chosen.rounds, chosen.tol, watch, history, start)
    descends: FitDriver | PeerDriver = driver
    if problem.facts.neighbours:
        peers = Peers(problem, mode, goal, tasks[Ask.GRADIENT], choice, watch, history, start)
        descends, query, sums = peers.driver, peers.query, peers.sums
    first = problem.facts.first_worker(comm.size)
    clock = Clock(comm, problem.nodes, first, keep, problem.facts.skips, problem.ids, aligned, lambda: shard.stream.waited)
    observers: list[Observer] = [problem.pulse, clock]
    if snapshots:
        observers.append(snapshots(descends, sums))
    balance = None
    if chosen.balance:
        from mpi_pgd.observers.balance import Balance  # these two not at start-up: hardly anyone asks for them

        share, move = problem.partition.rebalanced, partial(move_blocks, problem, mode, shard)
        balance = Balance(comm, mode.worker, shard.owners, clock.crowded, share, move, clock.read)
        observers.append(balance)
    source: Source = shard
    if chosen.delay or chosen.fail_slow:
        from mpi_pgd.observers.delay import Delayed, parse

        source = Delayed(shard, parse(chosen.delay, chosen.fail_slow), problem.ids[comm.rank], comm.rank - first)
    if peers:
        peers.begin(shard, flags)
    make_rounds(comm, mode, source, sums, descends, query, observers, flags)
    problem.pulse.enter("waiting for the end")
    clock.close()
    if peers:
        driver, query = peers.end(shard, flags)
    null = null_loss(problem, goal, setup, driver.history)
    why = separated(problem, mode, shard, driver, goal.from_user(query.point), flags)
    if why and chosen.tol:  # else all rounds were asked for, and made
        driver.status = Status.SEPARABLE
    return Descent(
        driver, query, clock.costs, sums, balance.moved if balance else 0, choice, null, why, peers.found() if peers else None
    )


def planned(problem: Problem, shard: MemoryShard, setup: Moments) -> Plan:
    """What is minimised and how. Collective.

    Raises:
        InputError: the solver that the settings name solves none such; or the model of the user's own can't be used.
    """
    chosen = problem.settings
    if chosen.model:
        from mpi_pgd.session.own import own_model  # not at start-up, as those above

        goal, tasks = own_model(problem, shard, setup.weight)
        choice = choose_solver(problem, goal)
    else:
        goal = objective(problem, setup)
        choice = choose_solver(problem, goal)
        tasks = tasks_of(problem, goal, choice.solver)
    if Ask.BATCH in choice.solver.needs:
        tasks[Ask.BATCH] = BatchTask(tasks[Ask.GRADIENT], problem.rows, chosen.seed)
    return Plan(goal, tasks, choice)


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
