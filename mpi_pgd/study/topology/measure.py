"""One problem by every mode and graph, turn by turn, on the same rows: when each was how near the optimum, and what it had sent."""

import math
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from mpi4py import MPI

from mpi_pgd.data.memory import MemoryShard
from mpi_pgd.drivers.fit import FitDriver
from mpi_pgd.drivers.history import History
from mpi_pgd.drivers.moments import Moments
from mpi_pgd.drivers.status import Status
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.loop import Mode, Observer, StopFlags
from mpi_pgd.engine.query import Query
from mpi_pgd.engine.tasks import Ask
from mpi_pgd.modes import AMONG_PEERS, WAYS
from mpi_pgd.session.descend import Descent, Plan, descend, planned, stop_flags
from mpi_pgd.session.inspect import Problem
from mpi_pgd.session.load import choose_mode
from mpi_pgd.session.model import sums_of
from mpi_pgd.session.passes import make_rounds
from mpi_pgd.session.prepare import take_moments
from mpi_pgd.solvers.gd import GradientDescent
from mpi_pgd.study.solvers.measure import CROWDED, above, curve, in_turn, reached
from mpi_pgd.study.topology.contenders import DEFAULT, Contender, Reading, contenders, reads
from mpi_pgd.study.trust import disturbed
from mpi_pgd.study.turns import crowded, described, others_work, quartiles, watched

FIRST, APART = 50, 1.04  # rounds: the first so many points of peers are kept, then those of rounds so many times further on
ENDED = (Status.CONVERGED, Status.PRECISION)


class Turn(NamedTuple):
    """What came of one descent, on rank 0.

    Attributes:
        solver: by its own name.
        seconds, objectives: (rounds + 1,) at each evaluation, the start's first; inf where none is known.
        status: how it ended.
        sent: bytes a round: of all ranks, and of the one that sends most.
        facts: what is to be known of peers with neighbours.
    """

    solver: str
    seconds: Vector
    objectives: Vector
    status: Status
    sent: tuple[int, int]
    facts: Mapping[str, Any]


class Trail(Observer):
    """Where a peer was, round by round, and when: points are kept of ever fewer rounds, so that they are few."""

    def __init__(self, start: float) -> None:
        self.start, self.seconds, self.points, self._next = start, list[float](), dict[int, Vector](), 0

    def began(self, query: Query) -> None:
        """A point is about to be evaluated."""
        if len(self.seconds) == self._next:
            self.points[self._next] = query.point.copy()
            self._next = max(self._next + 1, math.ceil(self._next * APART) if self._next >= FIRST else 0)

    def asked(self, query: Query) -> None:
        """The round is over."""
        self.seconds.append(perf_counter() - self.start)


def topology(problem: Problem, repeats: int, seconds: float, levels: Sequence[str], flags: StopFlags) -> dict[str, Any] | None:
    """What is particular to topology.json, on rank 0; None elsewhere, and if a signal came before there was anything. Collective.

    Args:
        problem: its --rounds are the most of each turn; with --delay each takes turns without, and turns with it.
        repeats: turns of each.
        seconds: of each turn at most.
        levels: of all that the objective falls by from the start to the optimum: when it gets so near that is told.
        flags: tell of signals.

    Raises:
        InputError: the rows don't fit into the memory, or no mode takes the problem.
    """
    others = others_work(problem)
    peers = problem.on(problem.comm, **AMONG_PEERS, delay="", solver=DEFAULT)
    reading = reads()
    setup = take_moments(peers, choose_mode(peers), reading(peers), flags)
    limits = _limits(seconds, flags)
    optimum = descend(peers, choose_mode(peers), reading(peers), setup, limits(), lambda *_: None).driver
    found, notes = contenders(problem, reading, setup)

    def turn(one: Contender, **changes: Any) -> Turn:
        with np.errstate(over="ignore", invalid="ignore"):  # as in a fit: what overflows is judged
            return _turn(one.on(problem, **changes), reading, setup, limits())

    def status(done: Turn) -> Status:
        return Status(problem.comm.bcast(done.status))  # of a server's workers none knows

    turns, stopped = in_turn(found, repeats, turn, status, watched(problem))
    doubts = disturbed(others())
    if problem.comm.rank or not any(turns.values()):
        return None
    notes += [CROWDED] * crowded(problem) + [stopped] * bool(stopped)
    if optimum.status not in ENDED:
        notes.append(f"the optimum that all are held against may be lower, as who looked for it ended with: {optimum.status}")
    least = min(optimum.history.objective)
    limited = {"rounds": problem.settings.rounds, "seconds": seconds, "repeats": repeats, "ranks": problem.comm.size}
    more = {"loss": problem.settings.loss, "data": described(problem), "notes": notes, "doubts": doubts, "stopped": stopped}
    return judged({one: some for one, some in turns.items() if some}, least, levels) | limited | more


def _limits(seconds: float, flags: StopFlags) -> Callable[[], StopFlags]:
    """Of a turn that begins now."""
    return lambda: stop_flags(perf_counter(), seconds, lambda: flags()[1])


def _turn(problem: Problem, reading: Reading, setup: Moments, limits: StopFlags) -> Turn:
    """A descent, and how near it was to the optimum after each round. Collective."""
    shard, mode = reading(problem), choose_mode(problem)
    problem.comm.Barrier()
    start = perf_counter()
    trail = Trail(start)
    keeps = (lambda *_: trail) if problem.facts.neighbours else None
    done = descend(problem, mode, shard, setup, limits, lambda *_: None, history=History(start), snapshots=keeps)
    if problem.facts.neighbours:
        seconds, objectives = _followed(problem, trail, done, shard, setup)
    else:
        lines = done.driver.history.lines(0, len(done.driver.history.objective))
        seconds, objectives = lines[3], lines[0]
    status = problem.comm.bcast(done.driver.status)
    assert status, "it has ended"
    solver = done.choice.name or problem.settings.solver
    return Turn(solver, seconds, objectives, status, _sent(problem, done), _facts(done))


def _followed(problem: Problem, trail: Trail, done: Descent, shard: MemoryShard, setup: Moments) -> tuple[Vector, Vector]:
    """When the last peer was done with each round, and the objective over all rows at the mean of the peers' points. Collective.

    That is worked out after the descent, so it costs nobody's round; the last is that of the weights that came of it.
    """
    comm = problem.comm
    seconds = np.array(trail.seconds)
    comm.Allreduce(MPI.IN_PLACE, seconds, MPI.MAX)
    objectives = np.full(len(seconds), math.inf)
    plan, whole = planned(problem, shard, setup), choose_mode(problem).whole
    for turn, point in trail.points.items():
        comm.Allreduce(MPI.IN_PLACE, point, MPI.SUM)
        objectives[turn] = _objective(problem, plan, whole, shard, point / comm.size)
    objectives[-1] = done.driver.objective
    return seconds, objectives


def _objective(problem: Problem, plan: Plan, whole: Mode, shard: MemoryShard, point: Vector) -> float:
    """Over all rows, at a point in the user's units. Collective."""
    goal, tasks = plan.goal, {Ask.GRADIENT: plan.tasks[Ask.GRADIENT]}
    driver = FitDriver(goal, tasks, GradientDescent(), 0, 0.0, lambda *_: None, History(0.0), goal.from_user(point))
    query = Query(driver.tasks)
    make_rounds(problem.comm, whole, shard, sums_of(problem, query), driver, query)
    return driver.objective


def _sent(problem: Problem, done: Descent) -> tuple[int, int]:
    """Bytes of a round, of all ranks and of the one that sends most. Within a node that adds in memory, nobody sends any."""
    ranks = problem.speakers
    messages = problem.facts.messages(done.sums.bytes, done.query.buffer.nbytes, 0)
    each = [WAYS[problem.settings.way].sent(rank, ranks, messages) for rank in range(ranks)]
    return sum(each), max(each)


def _facts(done: Descent) -> dict[str, Any]:
    near = done.neighbours
    if near is None:
        return {}
    return {name: getattr(near, name) for name in ("neighbours", "diameter", "gap", "consensus", "biased")}


def judged(turns: Mapping[Contender, Sequence[Turn]], optimum: float, levels: Sequence[str]) -> dict[str, Any]:
    """The rows, a contender each, and what they are held against: the objective at the start, and at the optimum."""
    every = [turn for some in turns.values() for turn in some]
    first = float(every[0].objectives[0])
    best = min([optimum, *(float(np.nanmin(turn.objectives)) for turn in every)])
    return {"first": first, "best": best, "rows": [_row(one, some, first, best, levels) for one, some in turns.items()]}


def _row(one: Contender, turns: Sequence[Turn], first: float, best: float, levels: Sequence[str]) -> dict[str, Any]:
    """Of the turn in the middle, and the quartiles of all."""
    low, middle, high = quartiles(turns, lambda turn: float(turn.seconds[-1]))
    least = np.fmin.accumulate(middle.objectives)
    near = reached(middle.seconds, least, first, best, levels)
    total, most = middle.sent
    sent = {f"bytes_to_{level}": _times(near[f"rounds_to_{level}"], total) for level in levels}
    facts = {**middle.facts}
    rests = facts.pop("biased", False) and middle.status in ENDED  # else it may still have been on its way
    bias = above(float(middle.objectives[-1]), first, best) if rests else None
    return {
        **{"mode": one.mode, "algorithm": one.algorithm, "solver": middle.solver, "delay": one.delay},
        **{"status": str(middle.status), "rounds": len(middle.seconds) - 1, "objective": float(least[-1])},
        **{name: float(turn.seconds[-1]) for name, turn in (("seconds", middle), ("low", low), ("high", high))},
        **{"relative": above(float(least[-1]), first, best), "bias": bias, **near, **sent, **facts},
        **{"bytes_per_round": total, "bytes_of_busiest": most},
        "curve": curve(middle.seconds, least),
    }


def _times(rounds: float | None, each: int) -> int | None:
    """Bytes of so many rounds, and of the evaluation at the start."""
    return None if rounds is None else (int(rounds) + 1) * each
