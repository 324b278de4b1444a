"""What measuring costs: rounds of about a millisecond with the clock around them and without, turn by turn; and the trace.

    mpirun -n 1|2 python -m mpi4py benchmarks/clock.py [--rounds N] [--repeats K]

The goal is 1 % of a round of 1 ms for the clock, and for the trace 1 % of the rounds' time. A turn lasts until
the slowest rank is done; other load on the machine shows in both.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

for _variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[_variable] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

FEATURES, SECONDS, GOAL = 200, 1e-3, 0.01


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=500, help="of a turn")
    parser.add_argument("--repeats", type=int, default=15, help="turns of each")
    options = parser.parse_args()
    import mpi4py

    mpi4py.rc.threads = False
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    shard, rows = rows_for(comm, SECONDS)
    plain, timed = contestants(comm, shard, rows, options.rounds)
    turns: dict[str, list[float]] = {"without": [], "with": []}
    for _ in range(options.repeats):
        for name, go in (("without", plain), ("with", timed)):
            comm.Barrier()
            start = perf_counter()
            go()
            comm.Barrier()
            turns[name].append((perf_counter() - start) / (options.rounds + 1))
    start = perf_counter()
    costs = timed()
    rounds_seconds = perf_counter() - start
    write = traced(costs, rounds_seconds)
    if comm.rank == 0:
        without, with_ = (median(turns[name]) for name in ("without", "with"))
        # Paired: neighbours in time share the machine's moods.
        cost = median(b / a for a, b in zip(turns["without"], turns["with"], strict=True)) - 1
        print(f"{comm.size} ranks, a round: {without * 1e6:.1f} us without the clock, {with_ * 1e6:.1f} us with it")
        print(f"the clock costs {cost:+.2%} of a round {verdict(cost)}")
        spent = write / rounds_seconds
        print(f"writing the trace takes {write * 1e3:.1f} ms, {spent:.2%} of the rounds' time {verdict(spent)}")


def verdict(value: float) -> str:
    return f"(goal: at most {GOAL:.0%}) " + ("ok" if value <= GOAL else "MISSED")


def rows_for(comm: Any, seconds: float) -> tuple[list[Any], int]:
    """Blocks that take about so long to map."""
    import numpy as np

    from mpi_pgd.data.partition import Partition
    from mpi_pgd.engine.arrays import aligned
    from mpi_pgd.engine.block import Block, Blocks
    from mpi_pgd.engine.tasks import GradientTask
    from mpi_pgd.losses.squared import Squared

    step = Partition(1_000_000, FEATURES).block_rows
    random = np.random.default_rng(comm.rank)

    def block() -> Block:
        x = aligned((step, FEATURES), np.float64)
        x[:] = random.standard_normal(x.shape)
        return Block(x, random.standard_normal(step))

    one, out = block(), np.zeros(FEATURES + 2)
    mapped = GradientTask(Squared(), FEATURES, step).bind(np.zeros(FEATURES + 1))
    taken = []
    for _ in range(20):
        start = perf_counter()
        mapped(one, out)
        taken.append(perf_counter() - start)
    count = np.array(max(1, round(seconds / median(taken))))
    comm.Bcast(count)
    return Blocks([one, *(block() for _ in range(int(count) - 1))]), step * int(count) * comm.size


def contestants(comm: Any, shard: list[Any], rows: int, limit: int) -> tuple[Callable[[], Any], Callable[[], Any]]:
    import numpy as np

    from mpi_pgd.comm.world import nodes
    from mpi_pgd.data.partition import Partition
    from mpi_pgd.drivers.fit import FitDriver
    from mpi_pgd.drivers.history import History
    from mpi_pgd.drivers.objective import Objective, Scaling
    from mpi_pgd.engine.loop import rounds
    from mpi_pgd.engine.query import Query
    from mpi_pgd.engine.sums import Sums
    from mpi_pgd.engine.tasks import Ask, GradientTask
    from mpi_pgd.losses.squared import Squared
    from mpi_pgd.modes.peer_to_peer import PeerToPeer
    from mpi_pgd.observers.clock import Clock
    from mpi_pgd.report.trace import rounds_of
    from mpi_pgd.solvers.nesterov import Nesterov

    names, blocks = nodes(comm), Partition(rows, FEATURES).blocks
    task = GradientTask(Squared(), FEATURES, len(shard[0].y))
    ones = np.ones(FEATURES + 1)
    objective = Objective(rows, Scaling.of(0 * ones, ones, ones, True, True), Squared(), None, True)

    def go(timed: bool) -> Any:
        driver = FitDriver(objective, {Ask.GRADIENT: task}, Nesterov("auto"), limit, 0.0, lambda *_: None, History(0.0))
        clock = Clock(comm, names, 0, rounds_of(comm.size)) if timed else None
        query = Query([task])
        rounds(PeerToPeer(comm), shard, Sums(query, blocks), driver, query, [clock] if clock else [])
        if clock:
            clock.close()
            return clock.costs
        return None

    return lambda: go(False), lambda: go(True)


def traced(costs: Any, seconds: float) -> float:
    """Seconds to write the trace of rounds that took so many seconds."""
    from mpi_pgd.report import trace

    if not costs.recent:
        return 0.0
    with tempfile.TemporaryDirectory() as folder:
        start = perf_counter()
        trace.write(Path(folder, "trace.json"), costs.nodes, *costs.kept(trace.rounds_of(len(costs.nodes), seconds)))
        return perf_counter() - start


if __name__ == "__main__":
    main()
