"""What the contestants of speed_ranks.py have in common: turns, the floor, and the program's own rounds. On every rank."""

import ctypes
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm.world import nodes
from mpi_pgd.config import settings
from mpi_pgd.engine.loop import Observer, rounds
from mpi_pgd.engine.query import Query
from mpi_pgd.engine.tasks import Ask
from mpi_pgd.observers.clock import Clock
from mpi_pgd.session.descend import descend, planned
from mpi_pgd.session.inspect import Problem, inspect_files
from mpi_pgd.session.load import choose_mode, load_rows
from mpi_pgd.session.model import sums_of
from mpi_pgd.session.prepare import take_moments

Turn = Callable[[], object]
Row = dict[str, Any]  # of the table: see speed_page.py
AHEAD = (0, 512, 2048, 8192)  # bytes that the floor prefetches ahead: the fastest is the floor
FLOOR = "floor"
SECONDS, LEAST = 30.0, 3  # of the turns of one race: no further one begins, unless there were fewer


def quiet() -> tuple[bool, bool]:
    return False, False


class Turns:
    """Contestants take turns, in another order each time; a turn lasts from a barrier until the slowest rank is done.

    ``seconds`` has those of each, (turns,): ``repeats`` or, where they take long, fewer, but LEAST; the first is not counted.
    A contestant that gives a number has measured by itself. Of the ``floor``'s ways the fastest is ``floor``.
    """

    def __init__(self, comm: MPI.Intracomm, contestants: Mapping[str, Turn], repeats: int) -> None:
        shuffle, begun = np.random.default_rng(3), perf_counter()  # the same on all ranks
        every, turns = list(contestants.values()), []
        while len(turns) <= min(repeats, LEAST) or (len(turns) <= repeats and comm.bcast(perf_counter() - begun) < SECONDS):
            turns.append(np.empty(len(every)))
            for which in shuffle.permutation(len(every)):  # what one leaves in the caches is the next one's load
                turns[-1][which] = self._one(comm, every[which])
        self.seconds = dict(zip(contestants, np.array(turns[1:]).T, strict=True))
        floors = [name for name in contestants if name.startswith(FLOOR)]
        if floors:
            fastest = min(floors, key=lambda name: np.median(self.seconds[name]))
            self.seconds[FLOOR] = self.seconds[fastest]

    def _one(self, comm: MPI.Intracomm, turn: Turn) -> float:
        comm.Barrier()
        start = perf_counter()
        own = turn()
        taken = np.array(own if isinstance(own, float) else perf_counter() - start)
        comm.Allreduce(MPI.IN_PLACE, taken, MPI.MAX)
        return float(taken)

    def median(self, name: str) -> float:
        return float(np.median(self.seconds[name]))

    def row(self, case: str, above: str, below: str, word: str, goal: float | None, unit: str = "times") -> Row:
        """The ratio of two, turn by turn: its median and quartiles."""
        low, value, high = np.quantile(self.seconds[above] / self.seconds[below], (0.25, 0.5, 0.75)).tolist()
        beside = ", ".join(f"{name} {milliseconds(self.median(name))}" for name in (above, below))
        return {"case": case, "value": value, "low": low, "high": high, "unit": unit, "word": word, "goal": goal, "beside": beside}


def milliseconds(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{1e3 * seconds:.3g} ms" if seconds >= 1e-4 else f"{1e6 * seconds:.3g} us"


def missing(case: str, why: object) -> Row:
    return {"case": case, "value": None, "why": str(why)}


def floors(folder: Path, x: Any) -> dict[str, Turn]:
    """Ways of reading every byte of ``x`` once."""
    read = ctypes.CDLL(str(folder / "floor.so")).read_once
    read.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t)
    place, size = x.ctypes.data, x.nbytes // 8 * 8
    return {f"{FLOOR} {ahead}": lambda ahead=ahead: read(place, size, ahead) and None for ahead in AHEAD}  # type: ignore[misc]


class Program:
    """The program's own rounds of a problem whose rows are in memory, by settings as a user gives them. Collective.

    Raises:
        InputError: the settings, or these files, are none that the program knows.
    """

    def __init__(self, comm: MPI.Intracomm, path: Path | str, **words: Any) -> None:
        given = {"data": [str(path)], "mode": "peer-to-peer", "solver": "gd", "tol": 0.0, "quiet": True, **words}
        self.comm = comm
        self.problem = inspect_files(comm, settings(given))
        self.mode = choose_mode(self.problem)
        self.shard = load_rows(self.problem, self.mode)
        self.setup = take_moments(self.problem, self.mode, self.shard, quiet)

    def turn(self, point: Any, ask: Ask = Ask.GRADIENT, **changes: Any) -> "Round":
        """One round at ``point`` (width,), with some settings changed."""
        return Round(self, self.problem.on(self.comm, **changes), point, ask)

    def descent(self, count: int) -> float:
        """The seconds of a round of so many that a fit makes, from one evaluation to the next, with all that lies between."""
        one = self.problem.on(self.comm, rounds=count)
        _, begin, *_, end = descend(one, self.mode, self.shard, self.setup, quiet, lambda *_: None).driver.history.seconds
        return (end - begin) / (count - 1)


class Round:
    """A turn: one round. ``sums`` are those of all rows."""

    def __init__(self, program: Program, problem: Problem, point: Any, ask: Ask) -> None:
        tasks = planned(problem, program.shard, program.setup).tasks
        self.program, self.point, self.number, self.count = program, point, list(tasks).index(ask), 1
        self.query = Query(list(tasks.values()))
        self.kept = sums_of(problem, self.query)
        self.sums = np.empty(0)

    def __call__(self, *observers: Observer) -> None:
        rounds(self.program.mode, self.program.shard, self.kept, self, self.query, observers)

    def open(self, query: Query) -> None:
        query.number, query.stop, self.left = self.number, False, self.count
        query.point[: len(self.point)] = self.point

    def update(self, partial: Any, query: Query) -> None:
        self.left -= 1
        query.stop = self.left == 0
        if query.stop:
            self.sums = partial.total(np.empty(partial.width))

    def products(self) -> Turn:
        """This rank's rows multiplied and added up as a round does, and nothing else."""
        blocks, mapped = self.program.shard.blocks(self.query), self.query.task.bind(self.query.point)
        partial = self.kept.begin(self.query, self.program.mode.maximum)
        return lambda: partial.take(mapped, blocks)

    def parts(self, count: int) -> dict[str, float]:
        """Seconds of each part of a round, by the program's clock, mean over so many; on rank 0."""
        clock = Clock(self.program.comm, nodes(self.program.comm), 0)
        self.count = count + 1
        self(clock)
        self.count = 1
        clock.close()
        return clock.costs.mean(opening=False) if self.program.comm.rank == 0 else {}
