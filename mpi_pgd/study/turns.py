"""Contestants that descend the same problem turn by turn (A B A B), so that a machine that drifts is fair to all."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import product
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm.world import agreement, freed, rest
from mpi_pgd.data.budget import available_bytes
from mpi_pgd.data.memory import MemoryShard
from mpi_pgd.drivers.moments import Moments
from mpi_pgd.drivers.status import Status
from mpi_pgd.engine.loop import StopFlags
from mpi_pgd.errors import InputError
from mpi_pgd.model.file import digest
from mpi_pgd.modes import AMONG_PEERS, WAYS, settings
from mpi_pgd.observers.delay import parse
from mpi_pgd.report.pop import efficiencies
from mpi_pgd.report.progress import steps
from mpi_pgd.report.shapes import PARTS
from mpi_pgd.session.descend import descend
from mpi_pgd.session.inspect import Problem
from mpi_pgd.session.load import check_room, choose_mode, load_rows
from mpi_pgd.session.prepare import take_moments
from mpi_pgd.system import load

Done = TypeVar("Done")
MEMORY = 0.5  # of what rank 0's node can give, for the rows of one rank alone
WARM = 2  # rounds before the first turn: connections are made, caches filled


class Contestant(NamedTuple):
    """A way of going round: a mode, an algorithm, the first so many ranks and rows; and whether --delay is for it."""

    mode: str
    algorithm: str
    ranks: int
    rows: int
    delayed: bool = True


class Turn(NamedTuple):
    """What one descent took: seconds of a round by part (they add up to the round), and what came out."""

    parts: dict[str, float]
    server_share: float | None
    efficiencies: dict[str, float | None]
    workers: int
    bytes_per_round: int
    weights_sha256: str
    status: Status | None

    @property
    def seconds(self) -> float:
        """Of a round."""
        return sum(self.parts.values())


class Teams:
    """The first so many ranks of a world, as communicators, while the others rest."""

    def __init__(self, comm: MPI.Intracomm) -> None:
        self.comm = comm
        self._made: dict[int, MPI.Intracomm] = {}

        self._stack = ExitStack()

    def __enter__(self) -> "Teams":
        return self

    def __exit__(self, *failure: Any) -> None:
        self._stack.__exit__(*failure)

    def do(self, ranks: int, work: Callable[[MPI.Intracomm], Done]) -> Done | None:
        """What ``work`` gives on the first so many ranks; None on the others. Collective over all, as is its InputError."""
        if ranks not in self._made:
            part = self.comm.Split(0 if self.comm.rank < ranks else MPI.UNDEFINED, self.comm.rank)
            self._made[ranks] = cast(MPI.Intracomm, part)
            if part != MPI.COMM_NULL:
                self._stack.enter_context(freed(self._made[ranks]))
        team = self._made[ranks]
        with agreement(self.comm):
            try:
                done = work(team) if team != MPI.COMM_NULL else None
            except InputError:  # all of the team raise it; any other exception ends all ranks
                rest(self.comm)
                raise
            rest(self.comm)
        return done


class Race:
    """All that take part, on the ranks of one world. Collective; the turns are known on rank 0.

    Attributes:
        stopped: in words, if a signal ended it before all turns were done; the turn in which it came does not count.
    """

    def __init__(self, problem: Problem, flags: StopFlags) -> None:
        self.problem, self.flags = problem, flags
        self.stopped = ""
        self._setups: dict[int, Moments] = {}
        self._shard: tuple[tuple[int, int, int], MemoryShard] | None = None

    def run(self, contestants: Sequence[Contestant], repeats: int) -> dict[Contestant, list[Turn]]:
        """Everyone's turns, in turn."""
        turns: dict[Contestant, list[Turn]] = {one: [] for one in contestants}
        for rows in steps("preparation", list(dict.fromkeys(one.rows for one in contestants)), watched(self.problem)):
            self._prepare(rows)
        with Teams(self.problem.comm) as teams:
            turn_by_turn = list(product(range(repeats), contestants))
            for number, (repeat, one) in enumerate(steps("turn", turn_by_turn, watched(self.problem), itemgetter(1))):
                turn = teams.do(one.ranks, partial(self._turn, one, repeat == 0))
                if self._ended(turn):
                    self.stopped = f"stopped by a signal after {number} of {len(turn_by_turn)} turns"
                    break
                if turn:
                    turns[one].append(turn)
        self._shard = None
        return turns

    def _ended(self, turn: Turn | None) -> bool:
        """Whether a signal came. Collective. Raises InputError: the descent ran away; its rounds are not those of a fit."""
        with agreement(self.problem.comm):
            if turn and turn.status == Status.DIVERGED:
                step = self.problem.settings.step
                raise InputError(f"the fit diverged with --step {step}, so there is nothing to compare: use --step auto")
        return bool(self.problem.comm.bcast(turn and turn.status) == Status.SIGNAL)

    def _prepare(self, rows: int) -> None:
        """The objective and the step, with the same bits whoever computes them: all ranks together, as peers."""
        problem = self.problem.on(self.problem.comm, rows, **AMONG_PEERS)
        topology = choose_mode(problem)
        check_room(problem, topology)
        self._setups[rows] = take_moments(problem, topology, load_rows(problem, topology), self.flags)

    def _turn(self, one: Contestant, warm: bool, team: MPI.Intracomm) -> Turn | None:
        delay = self.problem.settings.delay
        there = one.delayed and all(item.among(one.ranks) for item in parse(delay, ""))
        delay = delay if there else ""  # one rank alone has not the rank that is to be slow among several
        problem = self.problem.on(team, one.rows, **settings(one.mode, one.algorithm), tol=0.0, delay=delay)
        topology = choose_mode(problem)
        key = (one.rows, topology.worker, topology.workers)
        held = np.array(self._shard is not None and self._shard[0] == key)
        team.Allreduce(MPI.IN_PLACE, held, MPI.LAND)  # loading is collective: all do it, or none
        if not held:
            self._shard = None  # the old rows go before the new ones come
            check_room(problem, topology)
            self._shard = key, load_rows(problem, topology)
        assert self._shard
        setup, shard = self._setups[one.rows], self._shard[1]
        if warm:
            descend(problem.on(team, one.rows, rounds=WARM), topology, shard, setup, self.flags, lambda *_: None)
        descent = descend(problem, topology, shard, setup, self.flags, lambda *_: None)
        if team.rank:
            return None
        sha = digest(descent.coef, descent.intercept)
        costs = descent.costs
        serving = costs.server_share() if topology.workers < one.ranks else None
        messages = problem.facts.messages(descent.sums.bytes, descent.query.buffer.nbytes, 0)
        wire = WAYS[one.mode, one.algorithm].sent_by_all(problem.speakers, messages)
        efficient = efficiencies(costs.ranks(opening=False))
        return Turn(costs.mean(opening=False), serving, efficient, topology.workers, wire, sha, descent.driver.status)


def described(problem: Problem) -> dict[str, Any]:
    """The data, for the record of a study."""
    return {"files": list(problem.settings.data), "rows": problem.rows, "features": problem.table.features}


def watched(problem: Problem) -> bool:
    """Whether this rank says how far the study is."""
    return problem.comm.rank == 0 and not problem.settings.quiet


def others_work(problem: Problem) -> Callable[[], list[dict[str, Any]]]:
    """Begin to watch what else the machines do; called, it gives on rank 0 what they did (``load.between``). Collective."""
    before = load.usage()

    def seen() -> list[dict[str, Any]]:
        found = problem.comm.gather((before, load.usage()))
        return load.between(problem.nodes, *zip(*found, strict=True)) if found else []

    return seen


def crowded(problem: Problem) -> bool:
    """Whether ranks outnumber cores on some node."""
    return max(Counter(problem.nodes).values()) > (os.cpu_count() or 1)


def quartiles(values: Iterable[Done], key: Callable[[Done], float]) -> tuple[Done, Done, Done]:
    """The lower quartile, the middle and the upper one, each a value that was: the quartiles outwards, so around the middle."""
    ordered = sorted(values, key=key)
    last = len(ordered) - 1
    return ordered[last // 4], ordered[last // 2], ordered[-(-3 * last // 4)]


def row(one: Contestant, turns: Sequence[Turn]) -> dict[str, Any]:
    """A row of the study: the turn in the middle, and the quartiles of all."""
    low, middle, high = quartiles(turns, lambda turn: turn.seconds)
    return {
        "mode": one.mode,
        "algorithm": one.algorithm,
        "ranks": one.ranks,
        "workers": middle.workers,
        "seconds_per_round": middle.seconds,
        "low": low.seconds,
        "high": high.seconds,
        **middle.parts,
        **middle.efficiencies,
        "bytes_per_round": middle.bytes_per_round,
        "server_share": middle.server_share,
        "weights_sha256": middle.weights_sha256,
    }


def alone(problem: Problem) -> Contestant:
    """One rank with all rows, or as many as half of its memory holds. Collective."""
    fitting = np.array(int(MEMORY * available_bytes() / problem.table.bytes(1)))
    problem.comm.Bcast(fitting)
    return Contestant(**AMONG_PEERS, ranks=1, rows=max(1, min(problem.rows, int(fitting))))


def baseline(one: Contestant, turns: Sequence[Turn], rows: int) -> dict[str, Any]:
    """The round of one rank, carried on to all ``rows`` if it did not hold them all: what it does is in proportion to them."""
    found, times = row(one, turns), rows / one.rows
    carried = {key: found[key] * times for key in ("seconds_per_round", "low", "high", *PARTS)}
    return {"name": "one rank", "threads": 1, "rows": one.rows, "extrapolated": times > 1, **carried}
