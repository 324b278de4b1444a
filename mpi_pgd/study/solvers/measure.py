"""One problem by every solver that takes it, turn by turn, on rows that are read once."""

import inspect
import math
from collections.abc import Callable, Sequence
from itertools import product
from time import perf_counter
from typing import Any, NamedTuple, TypeVar

import numpy as np

from mpi_pgd.data.memory import MemoryShard
from mpi_pgd.drivers.certificate import Kind
from mpi_pgd.drivers.fit import FitDriver
from mpi_pgd.drivers.history import History
from mpi_pgd.drivers.moments import Moments
from mpi_pgd.drivers.status import Status
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.loop import StopFlags
from mpi_pgd.errors import InputError
from mpi_pgd.modes import AMONG_PEERS
from mpi_pgd.report.progress import steps
from mpi_pgd.session.descend import descend, planned, stop_flags
from mpi_pgd.session.inspect import Problem
from mpi_pgd.session.load import check_room, choose_mode, load_rows
from mpi_pgd.session.prepare import take_moments
from mpi_pgd.solvers import SOLVERS
from mpi_pgd.solvers.suit import Choice
from mpi_pgd.study.turns import WARM, crowded, described, watched

POINTS = 300  # of a curve in the record
One = TypeVar("One")
Done = TypeVar("Done")
CROWDED = "ranks outnumber cores here: seconds are those of shared cores, rounds are what they are anywhere"


class Entrant(NamedTuple):
    """A solver that takes the problem.

    Attributes:
        name: its own.
        setting: what --solver says: its name, or that of who chose it.
        choice: its form, and why it was chosen.
    """

    name: str
    setting: str
    choice: Choice


class Turn(NamedTuple):
    """What came of one descent, on rank 0: (rounds + 1,) seconds and objectives at each evaluation, the start's first."""

    seconds: Vector
    objectives: Vector
    rounds: int
    status: Status
    certificate: Kind
    gap: float | None  # of the objective to its optimum, by the certificate, relative to all that it can fall by


def solvers(problem: Problem, repeats: int, seconds: float, levels: Sequence[str], flags: StopFlags) -> dict[str, Any] | None:
    """What is particular to solvers.json, on rank 0; None elsewhere, and if a signal came before there was anything. Collective.

    Args:
        problem: its --rounds are the most of each turn.
        repeats: turns of each.
        seconds: of each turn at most.
        levels: of all that the objective falls by from the start to the best that is found: when it gets so near the best is told.
        flags: tell of signals.

    Raises:
        InputError: the rows don't fit into the memory, or no solver takes the problem.
    """
    problem = problem.on(problem.comm, **AMONG_PEERS)
    mode = choose_mode(problem)
    check_room(problem, mode)
    shard = load_rows(problem, mode)
    setup = take_moments(problem, mode, shard, flags)
    found, refused = entrants(problem, shard, setup)

    settings = {one.name: one.setting for one in found}

    def turn(name: str, **changes: Any) -> Turn:
        chosen, start = problem.on(problem.comm, solver=settings[name], **changes), perf_counter()
        limits = stop_flags(start, seconds, lambda: flags()[1])
        with np.errstate(over="ignore", invalid="ignore"):  # as in a fit: what overflows is judged
            return _turn(descend(chosen, choose_mode(chosen), shard, setup, limits, lambda *_: None, history=History(start)).driver)

    turns, stopped = in_turn([one.name for one in found], repeats, turn, lambda done: done.status, watched(problem))
    if problem.comm.rank or not any(turns.values()):
        return None
    notes = refused + [CROWDED] * crowded(problem) + [stopped] * bool(stopped)
    limits = {"rounds": problem.settings.rounds, "seconds": seconds, "repeats": repeats}
    more = {"loss": problem.settings.model or problem.settings.loss, "data": described(problem), "notes": notes, "stopped": stopped}
    return judged([(one, turns[one.name]) for one in found if turns[one.name]], levels) | limits | more


def entrants(problem: Problem, shard: MemoryShard, setup: Moments) -> tuple[list[Entrant], list[str]]:
    """Who takes the problem, first who was chosen by a solver that is none itself; and why others don't. Collective.

    Raises:
        InputError: none does.
    """
    found: dict[str, Entrant] = {}
    refused = []
    for setting in SOLVERS:
        try:
            choice = planned(problem.on(problem.comm, solver=setting), shard, setup).choice
        except InputError as error:  # of facts, so on all ranks alike
            refused.append(str(error))
            continue
        name = choice.name or setting
        found.setdefault(name, Entrant(name, setting, choice))
    if not found:
        raise InputError(refused[0])
    return sorted(found.values(), key=lambda one: not one.choice.name), refused


def in_turn(
    everyone: Sequence[One], repeats: int, turn: Callable[..., Done], status: Callable[[Done], Status], shown: bool
) -> tuple[dict[One, list[Done]], str]:
    """Everyone's turns, after some rounds that don't count; and why there are fewer, if a signal came. Collective.

    Args:
        everyone: what ``turn`` takes, and is given the ``rounds`` that don't count; each one's text is its name.
        status: how a turn ended, on every rank.
        shown: whether to say how far it is.
    """
    turns: dict[One, list[Done]] = {one: [] for one in everyone}
    every = list(product(range(repeats), everyone))
    for number, (repeat, one) in enumerate(steps("turn", every, shown, lambda pair: str(pair[1]))):
        if repeat == 0:
            turn(one, rounds=WARM)
        done = turn(one)
        if status(done) == Status.SIGNAL:
            return turns, f"stopped by a signal after {number} of {len(every)} turns"
        turns[one].append(done)
    return turns, ""


def _turn(driver: FitDriver) -> Turn:
    """Raises InputError: not even the start can be judged."""
    objectives, _, _, seconds = driver.history.lines(0, len(driver.history.objective))
    assert driver.status, "it has ended"
    if not len(objectives):
        raise InputError(
            "the sums at the start are too large for float64, so there is nothing to compare: divide the largest columns and "
            "targets by a power of ten"
        )
    objectives[driver.drawn] = math.inf  # a batch's may be below the optimum's
    certificate = driver.certificate
    told = certificate.kind != Kind.NORM and driver.fallen > 0 and math.isfinite(certificate.gap)
    gap = certificate.gap / driver.fallen if told else None
    return Turn(seconds, objectives, driver.rounds, driver.status, certificate.kind, gap)


def judged(turns: Sequence[tuple[Entrant, Sequence[Turn]]], levels: Sequence[str]) -> dict[str, Any]:
    """The rows, a solver each, and what they are held against: the objective at the start, and the best that any found."""
    objectives = np.concatenate([turn.objectives for _, some in turns for turn in some])
    first, best = float(turns[0][1][0].objectives[0]), float(objectives[np.isfinite(objectives)].min())
    return {"first": first, "best": best, "rows": [_row(one, some, first, best, levels) for one, some in turns]}


def _row(one: Entrant, turns: Sequence[Turn], first: float, best: float, levels: Sequence[str]) -> dict[str, Any]:
    """Of the turn in the middle, and the quartiles of all."""
    middle = sorted(turns, key=lambda turn: float(turn.seconds[-1]))[(len(turns) - 1) // 2]
    low, high = np.percentile([turn.seconds[-1] for turn in turns], [25, 75]).tolist()
    least = np.fmin.accumulate(middle.objectives)
    form = (inspect.getdoc(type(one.choice.solver)) or "").partition("\n")[0]
    chosen = {"chosen_by": one.setting, "reason": one.choice.reason} if one.choice.name else {}
    return {
        "solver": one.name,
        **chosen,
        "form": form,
        "status": str(middle.status),
        "rounds": middle.rounds,
        "seconds": float(middle.seconds[-1]),
        "low": low,
        "high": high,
        "objective": float(least[-1]),
        "relative": above(float(least[-1]), first, best),
        **reached(middle.seconds, least, first, best, levels),
        "certificate": str(middle.certificate),
        "gap": middle.gap,
        "curve": curve(middle.seconds, least),
    }


def above(objective: float, first: float, best: float) -> float:
    """How far above the best one, of all that was gained from the start; 0 where nothing was to be gained."""
    return (objective - best) / (first - best) if first > best else 0.0


def reached(seconds: Vector, least: Vector, first: float, best: float, levels: Sequence[str]) -> dict[str, float | int | None]:
    """The seconds and rounds after which the objective was first within each of ``levels``; None: it never was."""
    found: dict[str, float | int | None] = {}
    for level in levels:
        there = np.flatnonzero(least - best <= float(level) * (first - best))
        found[f"seconds_to_{level}"] = float(seconds[there[0]]) if len(there) else None
        found[f"rounds_to_{level}"] = int(there[0]) if len(there) else None
    return found


def curve(seconds: Vector, least: Vector) -> dict[str, list[float]]:
    """The least objective until then, where it fell, and at the end; of many such points some, the rounds ever further apart."""
    fell = np.flatnonzero(np.append(True, least[1:] < least[:-1]))
    if len(fell) > POINTS:
        fell = fell[np.unique(np.geomspace(1, len(fell), POINTS).round().astype(int)) - 1]
    places = np.append(fell[fell < len(least) - 1], len(least) - 1)
    return {"round": places.tolist(), "seconds": seconds[places].tolist(), "objective": least[places].tolist()}
