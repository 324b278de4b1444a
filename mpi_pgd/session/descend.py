"""The rounds: what is minimised and how, and all that goes around a round: the clock, balance, delays, snapshots."""

import math
from collections.abc import Callable
from time import perf_counter
from typing import NamedTuple

from mpi_pgd.data.memory import MemoryShard
from mpi_pgd.drivers.fit import FitRule, History, Watch
from mpi_pgd.drivers.moments import Moments
from mpi_pgd.drivers.objective import Objective, Scaling
from mpi_pgd.engine.loop import Ballot, Map, Order, Rule, Topology, rounds
from mpi_pgd.engine.sums import Partial
from mpi_pgd.engine.tasks import GradientMap
from mpi_pgd.losses.squared import least_squares
from mpi_pgd.modes.facts import Mode
from mpi_pgd.observers.balance import Balanced
from mpi_pgd.observers.clock import Clock
from mpi_pgd.observers.costs import Costs
from mpi_pgd.observers.delay import Delayed, parse
from mpi_pgd.observers.pulse import Felt
from mpi_pgd.observers.snapshot import Keeper, Keeping
from mpi_pgd.session.inspect import Problem
from mpi_pgd.session.load import move_blocks
from mpi_pgd.solvers.descent import SOLVERS
from mpi_pgd.solvers.steps import FixedSteps, LearntSteps, Steps


class Descent(NamedTuple):
    """A descent that has ended; ``rule`` and ``costs`` mean something where the rule is applied and on rank 0."""

    rule: FitRule
    order: Order
    costs: Costs
    partial: Partial
    moved: int  # blocks, from rank to rank


def descend(
    problem: Problem,
    mode: Mode,
    shard: MemoryShard,
    setup: Moments,
    ballot: Ballot,
    watch: Watch,
    keep: int = 0,
    history: History | None = None,
    keeper: Callable[[FitRule, Partial], Keeper] | None = None,
) -> Descent:
    """The rounds, timed. Collective.

    Args:
        problem: whose settings say what to minimise and how.
        mode, shard, setup: of this problem.
        ballot: asks for this rank's votes.
        watch: is told of every evaluation.
        keep: how many rounds' times rank 0 is to keep.
        history: where to go on; a new one if not given.
        keeper: makes what keeps the state between rounds, and gives the rule the state to go on from.
    """
    comm, chosen = problem.comm, problem.settings
    first = problem.facts.first_worker(comm.size)
    stragglers = parse(chosen.delay, chosen.fail_slow)
    order, partial = Order(problem.table.features), partial_of(problem, problem.table.features + 2)
    solver, goal = SOLVERS[chosen.solver](chosen.momentum), objective(problem, setup)
    history = history or History(perf_counter())
    rule = FitRule(goal, solver, steps(problem, goal), chosen.rounds, chosen.tol, watch, history)
    keeping = keeper(rule, partial) if keeper else None
    clock = Clock(comm, problem.nodes, first, mode, keeping or rule, keep, _number(mode), problem.ids)
    loop: Topology = clock
    balanced = None
    if chosen.balance:
        loop = balanced = Balanced(comm, mode.worker, shard.owners, clock, lambda owners: move_blocks(problem, mode, shard, owners))
    if stragglers:
        loop = Delayed(loop, stragglers, problem.ids[comm.rank], comm.rank - first)
    if keeping:
        loop = Keeping(loop, keeping)
    mapping = GradientMap(least_squares, problem.partition.block_rows)
    go_round(problem, loop, shard, mapping, partial, keeping or rule, order, ballot)
    clock.close()
    return Descent(rule, order, clock.costs, partial, balanced.moved if balanced else 0)


def objective(problem: Problem, moments: Moments) -> Objective:
    """What is minimised."""
    chosen = problem.settings
    scaling = Scaling.of(moments.mean, moments.deviation, moments.peak, chosen.intercept, chosen.standardize)
    return Objective(problem.rows, scaling, chosen.intercept, chosen.l2)


def steps(problem: Problem, goal: Objective) -> Steps:
    """As the settings say."""
    if problem.settings.step == "auto":
        return LearntSteps(goal.features, *goal.curvature())
    return FixedSteps(float(problem.settings.step))


def partial_of(problem: Problem, width: int) -> Partial:
    """For the sums of vectors of ``width`` numbers over all blocks."""
    return Partial(width, problem.partition.blocks, problem.settings.sums == "order-free")


def go_round(
    problem: Problem,
    topology: Topology,
    shard: MemoryShard,
    mapping: Map,
    partial: Partial,
    rule: Rule,
    order: Order,
    ballot: Ballot,
) -> None:
    """The loop, felt by the pulse. Collective."""
    rounds(Felt(topology, problem.pulse), shard, mapping, partial, rule, order, ballot)
    problem.pulse.enter("waiting for the end")


def votes(
    start: float, max_seconds: float = math.inf, signalled: Callable[[], bool] = lambda: False, ahead: bool = False
) -> Ballot:
    """This rank's votes: whether the time since ``start`` is up, whether a signal came.

    With ``ahead`` it is up already when another round, as long as the longest so far, would not end in time. The vote is cast
    within a round, of which most may be to come: waiting and the wire.
    """
    longest, last = 0.0, math.inf

    def ballot() -> tuple[bool, bool]:
        nonlocal longest, last
        now = perf_counter()
        longest, last = max(longest, now - last), now
        return now - start + ahead * 2 * longest > max_seconds, signalled()

    return ballot


def _number(mode: Mode) -> Callable[[], int] | None:
    """What gives the number of the round in hand, where ranks skip some."""
    return None if mode.round is None else lambda: mode.round or 0
