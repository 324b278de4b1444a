"""Run by survival.py inside MPI: the program, with its rounds noted; or how long it takes to keep a snapshot.

    survival_ranks.py note FOLDER VICTIM ROUND WORDS ...    mpi_pgd WORDS; rank VICTIM kills itself in that round, if not -1
    survival_ranks.py keep FOLDER FEATURES

``note`` leaves in FOLDER the times of the evaluations on each rank (``ends.R``), rank 0's stamps of all rounds (``stamps.npy``) and
when the victim died (``killed``); ``keep`` the seconds of a snapshot (``kept``).
"""

import os
import runpy
import signal
import sys
from pathlib import Path
from time import perf_counter, time
from typing import Any

import mpi4py

mpi4py.rc.threads = False
from mpi4py import MPI  # noqa: E402

for _variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[_variable] = "1"
import numpy as np  # noqa: E402

from mpi_pgd.drivers.history import History  # noqa: E402
from mpi_pgd.observers.costs import Costs  # noqa: E402

TIMES = 300


def note(folder: Path, victim: int, fatal: int) -> None:
    """Note the rounds of what runs after this."""
    judge, add, stamps = History.add, Costs.add, []
    ends = (folder / f"ends.{MPI.COMM_WORLD.rank}").open("w", buffering=1)
    dead = MPI.COMM_WORLD.rank == victim

    def noted(history: History, *line: float) -> None:
        judge(history, *line)
        ends.write(f"{time()!r}\n")

    def kept(costs: Costs, some: Any) -> None:
        add(costs, some)
        stamps.append(some.copy())
        np.save(folder / "stamps.npy", np.concatenate(stamps, axis=1))

    History.add, Costs.add = noted, kept  # type: ignore[method-assign]
    if dead:
        _die_in(fatal, folder)


def _die_in(fatal: int, folder: Path) -> None:
    from mpi_pgd.engine.partial import Partial

    close, calls = Partial.close, 0

    def closed(partial: Partial, late: bool, signalled: bool) -> None:
        nonlocal calls
        calls += 1
        if calls == fatal:
            (folder / "killed").write_text(repr(time()))
            os.kill(os.getpid(), signal.SIGKILL)
        close(partial, late, signalled)

    Partial.close = closed  # type: ignore[method-assign]


def keep(folder: Path, features: int) -> None:
    """The median seconds of taking a snapshot and giving it to all."""
    from mpi_pgd.drivers.fit import FitDriver
    from mpi_pgd.drivers.objective import Objective, Scaling
    from mpi_pgd.engine.query import Query
    from mpi_pgd.engine.sums import Sums
    from mpi_pgd.engine.tasks import Ask, GradientTask
    from mpi_pgd.losses.squared import Squared
    from mpi_pgd.observers.snapshot import RankState, Snapshots
    from mpi_pgd.solvers.nesterov import Nesterov

    comm, history = MPI.COMM_WORLD, History(perf_counter())
    ones = np.ones(features + 1)
    objective = Objective(1, Scaling.of(0 * ones, ones, ones, True, True), Squared(), None, True)
    task = GradientTask(objective.loss, features, 1)
    driver = FitDriver(objective, {Ask.GRADIENT: task}, Nesterov("auto"), 1, 0.0, lambda *_: None, history)
    query, held, updates = Query([task]), RankState(history), comm.rank == 0
    snapshots = Snapshots(held, driver, Sums(query, 1), updates=updates, takes=True, comm=comm, every=0, done=lambda: None)
    taken = []
    for number in range(1, TIMES + 1):
        if comm.rank == 0:
            history.add(1.0, 1.0, 1.0)
            history.first = history.first or 64 * "0"
        query.snapshot = number
        comm.Barrier()
        start = perf_counter()
        snapshots.between(query)
        taken.append(perf_counter() - start)
    slowest = np.array(taken)
    comm.Allreduce(MPI.IN_PLACE, slowest, MPI.MAX)
    if comm.rank == 0:
        (folder / "kept").write_text(repr(float(np.median(slowest))))


if __name__ == "__main__":
    what, where, *rest = sys.argv[1:]
    if what == "keep":
        keep(Path(where), int(rest[0]))
    else:
        note(Path(where), int(rest[0]), int(rest[1]))
        sys.argv[1:] = rest[2:]
        runpy.run_module("mpi_pgd", run_name="__main__", alter_sys=True)
