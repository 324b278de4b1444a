"""The seconds of a round, beside the floor (X read once at the memory's bandwidth) and the script a user would write.

    mpirun -n 1|2 python -m mpi4py benchmarks/round.py [--rows N] [--features P] [--repeats K]
    mpirun -n 1|2 python -m mpi4py benchmarks/round.py --memory     peak memory less the shard; what the loop allocates
    mpirun -n 1|2 python -m mpi4py benchmarks/round.py --startup    CPU seconds of a run of the shipped data with one round

All contestants take turns, so that a machine that drifts is fair to all; a turn starts at a barrier and lasts until the
slowest rank is done. Other load on the machine shows as times above the floor: run it when nobody else does.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

for _variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[_variable] = "1"
ROOT = str(Path(__file__).resolve().parents[1])  # measure this checkout, installed or not, here and in children
sys.path.insert(0, ROOT)
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (ROOT, os.environ.get("PYTHONPATH"))))

ROWS, FEATURES, REPEATS = 1_000_000, 200, 15
MEMORY_ROWS = 300_000
MEMORY_MEGABYTES = 100
LOOP_BYTES = 3016  # and the history, four numbers a round
STARTUP_SECONDS = 0.5
PIECE = 1 << 16  # numbers a call of the floor's reads: long enough to hide the call
GOALS = {"c/floor": ("at most", 1.65), "b/c": ("at least", 1.35), "c/d": ("at most", 1.03)}


def main() -> None:
    """Run what the options ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, help=f"of X, over all ranks ({ROWS:,}; with --memory {MEMORY_ROWS:,})")
    parser.add_argument("--features", type=int, default=FEATURES)
    parser.add_argument("--repeats", type=int, default=REPEATS, help="turns of each contestant")
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--memory", action="store_true", help="peak memory and the loop's allocations instead")
    other.add_argument("--startup", action="store_true", help="CPU seconds of a short run instead")
    options = parser.parse_args()
    if options.startup:
        startup()
        return
    import mpi4py

    mpi4py.rc.threads = False
    from mpi4py import MPI

    if options.memory:
        memory(MPI.COMM_WORLD, options.rows or MEMORY_ROWS, options.features)
    else:
        speed(MPI.COMM_WORLD, options.rows or ROWS, options.features, options.repeats)


def verdict(value: float, word: str, goal: float) -> str:
    """Say whether a goal is met."""
    return f"(goal: {word} {goal:g}) " + ("ok" if (value <= goal) == (word == "at most") else "MISSED")


# The seconds of a round


class Bench:
    """This rank's rows, and the contestants: each a function that goes round once."""

    def __init__(self, comm: Any, rows: int, features: int) -> None:
        import numpy as np

        from mpi_pgd.data.partition import Partition
        from mpi_pgd.engine.arrays import aligned

        self.comm, self.rows, self.features = comm, rows, features
        partition = Partition(rows, features)
        mine = len(partition.span(partition.shard(comm.rank, comm.size)))
        random = np.random.Generator(np.random.PCG64([1, comm.rank]))
        self.x, self.y = aligned((mine, features), np.float64), aligned((mine,), np.float64)
        for start in range(0, mine, 10_000):
            random.standard_normal(out=self.x[start : start + 10_000])
        random.standard_normal(out=self.y)
        self.w = np.random.Generator(np.random.PCG64(2)).standard_normal(features)  # the same on all ranks
        self.gradient = np.empty(features)

    def floors(self) -> dict[str, Callable[[], None]]:
        """Ways of reading every byte of X once. The fastest is the floor."""
        import numpy as np

        flat, eta = self.x.reshape(-1), np.empty(len(self.x))
        pieces = [flat[start : start + PIECE] for start in range(0, flat.size, PIECE)]

        def dot() -> None:
            for piece in pieces:
                np.dot(piece, piece)

        def largest() -> None:
            for piece in pieces:
                piece.max()

        def product() -> None:
            np.dot(self.x, self.w, out=eta)

        return {"floor: np.dot(flat, flat)": dot, "floor: np.max": largest, "floor: X @ u": product}

    def naive(self) -> None:
        """The script a user would write."""
        r = self.x @ self.w - self.y
        g = self.x.T @ r
        self.comm.Allreduce(g, self.gradient)

    def ours(self, order_free: bool) -> Callable[[], None]:
        """One round of the real loop, peer-to-peer, with the bound of the sums already exchanged."""
        from mpi_pgd.data.partition import Partition
        from mpi_pgd.engine.block import Block, Blocks
        from mpi_pgd.engine.loop import rounds
        from mpi_pgd.engine.query import Query
        from mpi_pgd.engine.sums import Sums
        from mpi_pgd.engine.tasks import GradientTask
        from mpi_pgd.losses.squared import Squared
        from mpi_pgd.modes.peer_to_peer import PeerToPeer

        cut = Partition(self.rows, self.features)
        step = cut.block_rows
        shard = Blocks(Block(self.x[i : i + step], self.y[i : i + step]) for i in range(0, len(self.x), step))
        mode, driver = PeerToPeer(self.comm), OneRound(self.w)
        query = Query([GradientTask(Squared(), self.features, step)])
        sums = Sums(query, cut.blocks, order_free)

        def turn() -> None:
            rounds(mode, shard, sums, driver, query)
            self.gradient[:] = driver.sums[: self.features]

        return turn

    def seconds(self, turn: Callable[[], None]) -> float:
        """From a barrier until the slowest rank is done."""
        from time import perf_counter

        from mpi4py import MPI

        self.comm.Barrier()
        start = perf_counter()
        turn()
        return float(self.comm.allreduce(perf_counter() - start, MPI.MAX))

    def medians(self, contestants: dict[str, Callable[[], None]], repeats: int) -> dict[str, float]:
        """The median seconds of each, taken in turn, in another order each time. The first turn of each is not counted."""
        import numpy as np

        shuffle = np.random.Generator(np.random.PCG64(3))  # the same on all ranks
        turns = np.empty((repeats + 1, len(contestants)))
        for turn in turns:
            for which in shuffle.permutation(len(contestants)):  # what a contestant leaves in the caches is the next one's load
                turn[which] = self.seconds(list(contestants.values())[which])
        return dict(zip(contestants, np.median(turns[1:], axis=0).tolist(), strict=True))


class OneRound:
    """A driver that stops after one round."""

    def __init__(self, w: Any) -> None:
        import numpy as np

        self.w, self.sums = w, np.empty(len(w) + 2)

    def open(self, query: Any) -> None:
        """Evaluate at w, without an intercept."""
        query.point[:-1] = self.w
        query.stop = False

    def update(self, partial: Any, query: Any) -> None:
        """Keep the sums, and stop."""
        partial.total(self.sums)
        query.stop = True


def speed(comm: Any, rows: int, features: int, repeats: int) -> None:
    """Print the table of seconds and ratios."""
    import numpy as np

    from mpi_pgd.session.provenance import blas

    bench = Bench(comm, rows, features)
    contestants = {
        **bench.floors(),
        "b  naive numpy + Allreduce": bench.naive,
        "c  our round, order-free": bench.ours(True),
        "d  our round, plain sums": bench.ours(False),
    }
    answers = []
    for name in list(contestants)[-3:]:
        contestants[name]()
        answers.append(bench.gradient.copy())
    np.testing.assert_allclose(answers[1:], [answers[0]] * 2, rtol=1e-9, atol=1e-9 * np.abs(answers[0]).max())
    seconds = bench.medians(contestants, repeats)
    if comm.rank > 0:
        return
    floor = min(value for name, value in seconds.items() if name.startswith("floor"))
    b, c, d = list(seconds.values())[-3:]
    print(f"X {rows:,} x {features} float64 in memory, {comm.size} rank(s), medians of {repeats} turns")
    print(f"{'':28}{'ms':>9}{'x floor':>9}")
    for name, value in {"a  floor: the fastest of": floor, **seconds}.items():
        print(f"{'     ' * name.startswith('floor') + name:28}{1e3 * value:9.1f}{value / floor:9.3f}")
    print(f"floor: {8e-9 * rows * features / floor:.1f} GB/s; BLAS: {blas()}")
    for (name, goal), ratio in zip(GOALS.items(), (c / floor, b / c, c / d), strict=True):
        print(f"{name:8}{ratio:7.3f}  {verdict(ratio, *goal)}")


# Memory


def memory(comm: Any, rows: int, features: int) -> None:
    """Print the peak memory of a real fit less the shard, and the growth of what the loop holds."""
    import resource

    from mpi_pgd import fit
    from mpi_pgd.data.partition import Partition

    with SharedFolder(comm) as folder:
        path = str(folder / "rows.h5")
        if comm.rank == 0:  # in a child: its memory is not to count
            make = [sys.executable, "-m", "mpi_pgd", "data", "make", path, "--rows", str(rows)]
            subprocess.run([*make, "--features", str(features)], check=True, stdout=subprocess.DEVNULL)
        comm.Barrier()
        fit(path, mode="peer-to-peer", rounds=20, tol=0.0)
        comm.Barrier()
    cut = Partition(rows, features)
    shard = 8 * (features + 1) * len(cut.span(cut.shard(comm.rank, comm.size)))
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    grown, allowed = loop_growth(comm, features)
    lines = comm.gather((shard, peak, grown))
    for rank, (shard, peak, grown) in enumerate(lines or []):
        rest = (peak - shard) / 1e6
        print(f"rank {rank}: peak {peak / 1e6:.1f} MB less shard {shard / 1e6:.1f} MB = {rest:.1f} MB ", end="")
        print(verdict(rest, "at most", MEMORY_MEGABYTES))
        print(f"rank {rank}: the loop's peak grew by {grown} bytes from round 5 to 50 ", end="")
        print(verdict(grown, "at most", allowed))


class SharedFolder:
    """A temporary folder that rank 0 makes and removes, and all ranks know."""

    def __init__(self, comm: Any) -> None:
        self.comm = comm
        self.own = tempfile.TemporaryDirectory() if comm.rank == 0 else None

    def __enter__(self) -> Path:
        return Path(self.comm.bcast(self.own.name if self.own else None))

    def __exit__(self, *_: object) -> None:
        if self.own:
            self.own.cleanup()


def loop_growth(comm: Any, features: int, first: int = 5, last: int = 50) -> tuple[int, int]:
    """Bytes by which the peak of Python's and numpy's memory grows over the rounds of a fit, and the bytes allowed."""
    import tracemalloc

    import numpy as np

    from mpi_pgd.comm.world import nodes
    from mpi_pgd.data.partition import Partition
    from mpi_pgd.drivers.fit import FitDriver
    from mpi_pgd.drivers.history import History
    from mpi_pgd.drivers.objective import Objective, Scaling
    from mpi_pgd.engine.block import Block, Blocks
    from mpi_pgd.engine.loop import rounds
    from mpi_pgd.engine.query import Query
    from mpi_pgd.engine.sums import Sums
    from mpi_pgd.engine.tasks import Ask, GradientTask
    from mpi_pgd.losses.squared import Squared
    from mpi_pgd.modes.peer_to_peer import PeerToPeer
    from mpi_pgd.observers.clock import Clock
    from mpi_pgd.solvers.nesterov import Nesterov

    bench = Bench(comm, 20_000, features)
    cut = Partition(bench.rows, features)
    step = cut.block_rows
    shard = Blocks(Block(bench.x[i : i + step], bench.y[i : i + step]) for i in range(0, len(bench.x), step))
    held = [0, 0]

    def watch(number: int, value: float, norm: float) -> None:
        if number == first:
            tracemalloc.reset_peak()
            held[0] = tracemalloc.get_traced_memory()[0]
        elif number == last:
            held[1] = tracemalloc.get_traced_memory()[1]

    ones = np.ones(features + 1)
    objective = Objective(bench.rows, Scaling.of(0 * ones, ones, ones, True, True), Squared(), None, True)
    task = GradientTask(objective.loss, features, step)
    driver = FitDriver(objective, {Ask.GRADIENT: task}, Nesterov("auto"), last + 1, 0.0, watch, History(0.0))
    query = Query([task])
    sums, clock = Sums(query, cut.blocks), Clock(comm, nodes(comm), 0)
    tracemalloc.start()
    rounds(PeerToPeer(comm), shard, sums, driver, query, [clock])
    tracemalloc.stop()
    return held[1] - held[0], LOOP_BYTES + 32 * (last - first)


# Start-up


def startup() -> None:
    """Let a child be this rank of a short run of the shipped data, and print the CPU seconds that it took."""
    import resource

    command = [sys.executable, "-m", "mpi_pgd", "--rounds", "1", "--mode", "peer-to-peer", "--quiet"]
    # Not closing files hands on the pipe to MPICH's launcher.
    done = subprocess.run(command, close_fds=False, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = used.ru_utime + used.ru_stime
    rank = os.environ.get("PMI_RANK", "0")
    print(f"rank {rank}: {seconds:.3f} s of CPU {verdict(seconds, 'at most', STARTUP_SECONDS)}")


if __name__ == "__main__":
    main()
