"""Who takes part in a topology study: every mode and graph that this problem and these ranks admit."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from mpi4py import MPI

from mpi_pgd import modes
from mpi_pgd.comm.graphs import alike
from mpi_pgd.config import OPTIONS
from mpi_pgd.data.memory import MemoryShard
from mpi_pgd.drivers.moments import Moments
from mpi_pgd.errors import InputError
from mpi_pgd.modes import MODES, WAYS
from mpi_pgd.session.descend import planned
from mpi_pgd.session.inspect import Problem
from mpi_pgd.session.load import check_room, choose_mode, load_rows
from mpi_pgd.solvers import SOLVERS
from mpi_pgd.solvers.gd import GradientDescent

DESCENT = next(name for name, each in SOLVERS.items() if each is GradientDescent)
DEFAULT = str(OPTIONS["solver"].default)
Reading = Callable[[Problem], MemoryShard]


class Contender(NamedTuple):
    """A way of going round, by which solver, and whom it waits for: as --delay says, or nobody."""

    mode: str
    algorithm: str
    solver: str
    delay: str

    def __str__(self) -> str:
        return f"{self.mode}, {self.algorithm}"

    def on(self, problem: Problem, **changes: Any) -> Problem:
        """The problem as it has it."""
        return problem.on(
            problem.comm, problem.rows, **modes.settings(self.mode, self.algorithm), solver=self.solver, delay=self.delay, **changes
        )


def reads() -> Reading:
    """Reads rows; those that were read last are not read again by whoever shares them out alike."""
    held: dict[tuple[int, int], MemoryShard] = {}

    def read(problem: Problem) -> MemoryShard:
        mode = choose_mode(problem)
        key, comm = (mode.worker, mode.workers), problem.comm
        there = np.array(key in held)
        comm.Allreduce(MPI.IN_PLACE, there, MPI.LAND)  # reading is collective: all do it, or none
        if not there:
            held.clear()  # the old rows go before the new ones come
            check_room(problem, mode)
            held[key] = load_rows(problem, mode)
        return held[key]

    return read


def contenders(problem: Problem, reading: Reading, setup: Moments) -> tuple[list[Contender], list[str]]:
    """Who takes part, and why others don't. Collective.

    With sums over all rows it is gradient descent, so that rounds are alike; peers with neighbours take that, and the solver that
    they have where none is named. Graphs that come out as an earlier one are left out.

    Raises:
        InputError: nobody does.
    """
    found: list[Contender] = []
    left: list[str] = []
    first = {name: names[0] for names in alike(problem.comm.size) for name in names}
    for mode, algorithm in WAYS:
        among = MODES[mode].neighbours
        if among and first.get(algorithm, algorithm) != algorithm:
            left.append(f"{mode} ({algorithm}) is left out: with so many ranks it is the {first[algorithm]}")
            continue
        try:
            for solver in (DEFAULT, DESCENT) if among else (DESCENT,):
                one = Contender(mode, algorithm, solver, "")
                taken = one.on(problem)
                planned(taken, reading(taken), setup)
                found.append(one)
        except InputError as error:  # of facts, so on all ranks alike
            left.append(f"{mode} ({algorithm}) is left out: {error}")
    if not found:
        raise InputError(left[0])
    slow = [one._replace(delay=problem.settings.delay) for one in found if problem.settings.delay]
    return [*found, *slow], left
