"""What survival costs: checkpoints, moved blocks, a recovery, replicas.

    python benchmarks/survival.py [--repeats N] [--only balance,checkpoint,recovery,replicas] [--rows N] [--features P]

All contestants take turns, in another order each time, and the figures are medians of the turns: other load on the machine is fair
to all, and still shows. Run it when nobody else does.
"""

# ruff: noqa: E402 - this checkout has to be found before it is imported
import argparse
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter
from typing import Any

for _variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[_variable] = "1"
ROOT = Path(__file__).resolve().parents[1]  # this checkout, installed or not
sys.path.insert(0, str(ROOT))

import numpy as np

from mpi_pgd.data import hdf5
from mpi_pgd.data.make import make
from mpi_pgd.data.memory import MemoryShard
from mpi_pgd.data.partition import Partition
from mpi_pgd.observers.costs import ARRIVE, BUSY, END, START
from mpi_pgd.observers.snapshot import INTERVAL
from mpi_pgd.recovery import checkpoint
from tests.launch import Library, launch, libraries

ROWS, FEATURES, REPEATS = 400_000, 50, 7
ULFM = ("--with-ft", "ulfm")
SCRIPT = ROOT / "benchmarks" / "survival_ranks.py"
STEP = 1e-3  # of our own: no power iteration
SETTLED = 32  # rounds
PARTS = "checkpoint,balance,recovery,replicas"
Way = tuple[int, Sequence[object], Sequence[str]]  # ranks, words, flags of mpirun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=REPEATS, help="turns of each contestant")
    parser.add_argument("--only", default=PARTS, help="some of the parts")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--features", type=int, default=FEATURES)
    options = parser.parse_args()
    parts = {"checkpoint": checkpoints, "balance": balance, "recovery": recovery, "replicas": replicas}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), options.rows, options.features, options.repeats)
        print(f"{options.rows:,} x {options.features} float64, medians of {options.repeats} turns, {os.cpu_count()} cores")
        for name in options.only.split(","):
            print(f"\n{name}")
            parts[name](bench)


class Bench:
    """The rows, and runs on them."""

    def __init__(self, folder: Path, rows: int, features: int, repeats: int) -> None:
        self.folder, self.rows, self.features, self.repeats = folder, rows, features, repeats
        self.data = folder / "rows.h5"
        make(self.data, rows, features)
        self.random = Random(0)

    def run(self, way: Way, rounds: int, victim: int = -1, fatal: int = 0) -> "Run":
        """One turn."""
        ranks, words, flags = way
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            out = Path(name)
            head = ("note", out, victim, fatal, self.data, "--step", STEP, "--rounds", rounds, "--tol", 0, "--quiet")
            files = [str(word).replace("FOLDER", name) for word in (*words, "--out", out)]
            # Open MPI's ranks spin while they wait, which costs those that share their cores; it is needed where ranks are lost.
            library = _library("openmpi" if flags or "mpich" not in libraries() else "mpich")
            result = launch(library, ranks, *head, *files, script=SCRIPT, flags=flags, timeout=300)
            if result.returncode:
                sys.exit(str(result))
            return Run(out, 1 if "client-server" in words and ranks > 1 else 0)

    def turns(self, ways: Mapping[str, Way], rounds: int, **more: int) -> dict[str, list["Run"]]:
        """All ways in turn; the runs of each."""
        runs: dict[str, list[Run]] = {name: [] for name in ways}
        for _ in range(self.repeats):
            for name in self.random.sample(list(ways), len(ways)):
                runs[name].append(self.run(ways[name], rounds, **more))
        return runs


class Run:
    """What one run left.

    Attributes:
        ends: when each of rank 0's evaluations was judged, in seconds since the epoch.
        busy: (workers, rounds) seconds that each was busy: of the processor where ranks outnumber cores, else of the clock.
        walls: (rounds,) seconds from the first start of a round to its last end.
    """

    def __init__(self, out: Path, first: int) -> None:
        self.ends = np.array([float(line) for line in (out / "ends.0").read_text().split()])
        self.record: dict[str, Any] = json.loads((out / "run.json").read_text())
        stamps = np.load(out / "stamps.npy")
        crowded = stamps[:, :, BUSY].any()
        own = stamps[:, :, BUSY] if crowded else stamps[:, :, ARRIVE] - stamps[:, :, START]
        self.busy = own[first:]
        self.walls = stamps[:, :, END].max(axis=0) - stamps[:, :, START].min(axis=0)
        self.killed = float((out / "killed").read_text()) if (out / "killed").exists() else 0.0

    @property
    def round(self) -> float:
        """Mean seconds of a round, with all that happens between rounds, once settled."""
        ends = self.ends[SETTLED:]
        return float((ends[-1] - ends[0]) / (len(ends) - 1))

    @property
    def critical(self) -> float:
        """Median seconds of a round of the busiest worker, once settled: what other load adds falls on any worker, in any round."""
        return float(np.median(self.busy[:, SETTLED:], axis=1).max())

    @property
    def work(self) -> float:
        """Median seconds that all workers together take for a round."""
        return float(np.median(self.busy[:, SETTLED:], axis=1).sum())


def _library(name: str) -> Library:
    if name not in libraries():
        sys.exit(f"no environment with {name} here: name its python in MPI_PGD_PYTHONS")
    return libraries()[name]


def verdict(value: float, goal: float) -> str:
    """Say whether a goal is met."""
    return f"(goal: at most {goal:g}) " + ("ok" if value <= goal else "MISSED")


def _middle(numbers: Sequence[float]) -> float:
    return float(median(numbers))


# Checkpoints


def checkpoint_ways(mode: str) -> dict[str, Way]:
    """Without, often, as by default; and with ULFM, where a state is kept anyway."""
    ranks, words = (3 if mode == "client-server" else 2), ("--mode", mode)
    ways: dict[str, tuple[Sequence[object], Sequence[str]]] = {
        "nothing": ((), ()),
        "--every 60s": (("--every", "60s"), ()),
        "--every 1s": (("--every", "1s"), ()),
        "ulfm, nothing": ((), ULFM),
        "ulfm, --every 1s": (("--every", "1s"), ULFM),
    }
    files = ("--checkpoint", "FOLDER/fit.ckpt")
    return {name: (ranks, (*words, *(files if more else ()), *more), flags) for name, (more, flags) in ways.items()}


def checkpoints(bench: Bench) -> None:
    """Rounds with a checkpoint now and then, beside rounds without; then what one write and one snapshot take."""
    for mode in ("client-server", "peer-to-peer"):
        runs = bench.turns(checkpoint_ways(mode), 400)
        for name, found in runs.items():
            beside = "ulfm, nothing" if name.startswith("ulfm") else "nothing"
            ratio = _middle([one.round / other.round for one, other in zip(found, runs[beside], strict=True)])
            print(f"  {mode:14}{name:18}{1e3 * _middle([one.round for one in found]):8.2f} ms a round, x {ratio:.3f}")
    write = writing(bench)
    print(f"  one write of 10,000 rounds: {1e3 * write:.1f} ms, of every 60 s {write / 60:.3%} {verdict(write / 60, 0.01)}")
    for ranks in (2, 5):
        with tempfile.TemporaryDirectory(dir=bench.folder) as name:
            launch(_library("openmpi"), ranks, "keep", name, bench.features, script=SCRIPT, flags=ULFM)
            kept = float(Path(name, "kept").read_text())
        share = kept / INTERVAL
        print(f"  one snapshot, given to {ranks} ranks: {1e6 * kept:.0f} us, of every 50 ms {share:.3%} {verdict(share, 0.01)}")


def writing(bench: Bench) -> float:
    """Seconds to write a checkpoint after 10,000 rounds, the disk's confirmation included."""
    rounds, size, width = 10_000, bench.features, bench.features + 1
    found = checkpoint.Checkpoint(
        settings={},
        data={"rows": bench.rows, "features": size},
        kernels="",
        versions={},
        rounds=rounds,
        elapsed=1.0,
        first=64 * "0",
        setup=np.array([width, *np.ones(3 * width + 2)]),
        state=np.ones(6 * size),
        history=tuple(np.ones(rounds) for _ in checkpoint.COLUMNS),
    )
    taken = []
    for _ in range(3 * bench.repeats):
        start = perf_counter()
        checkpoint.write(bench.folder / "fit.ckpt", found)
        taken.append(perf_counter() - start)
    return _middle(taken)


# Moved blocks


def balance(bench: Bench) -> None:
    """A worker that is three times slower. Four workers share two cores: what counts is the busiest one's processor time."""
    delay = ("--delay", "1:3")
    for mode, ranks, workers in (("peer-to-peer", 4, 4), ("client-server", 5, 4), ("peer-to-peer", 2, 2)):
        words = ("--mode", mode)
        ways: dict[str, Way] = {
            "no delay": (ranks, words, ()),
            "delay": (ranks, (*words, *delay), ()),
            "delay, balance": (ranks, (*words, *delay, "--balance"), ()),
        }
        runs = bench.turns(ways, 160)
        work = [run.work for run in runs["no delay"]]
        ideal = [each / (workers - 1 + 1 / 3) for each in work]
        of = "processor" if ranks > (os.cpu_count() or 1) else "wall"
        print(f"  {mode}, {workers} workers, {of} ms a round of the busiest; ideal {1e3 * _middle(ideal):.2f}")
        print(f"    {'':16}(without delay and evenly shared, that is x {(workers - 2 / 3) / workers:.3f})")
        for name, found in runs.items():
            ratio = _middle([run.critical / best for run, best in zip(found, ideal, strict=True)])
            moved = _middle([run.record["moved_blocks"] for run in found])
            wall = 1e3 * _middle([run.round for run in found])
            told = verdict(ratio, 1.15) if "balance" in name else ""
            print(
                f"    {name:16}{1e3 * _middle([run.critical for run in found]):8.2f} ms, x {ratio:.3f} of the ideal, "
                f"{moved:.0f} blocks moved, {wall:.2f} ms in all {told}"
            )


# A recovery


def recovery(bench: Bench) -> None:
    """One of four ranks is killed in the middle; how long until the others have finished the next round."""
    for mode in ("client-server", "peer-to-peer"):
        away, cost, rows = [], [], 0
        for _ in range(bench.repeats):
            run = bench.run((4, ("--mode", mode), ULFM), 120, victim=2, fatal=60)
            (loss,) = run.record["losses"]
            away.append(float(run.ends[run.ends > run.killed][0]) - run.killed)
            cost.append(loss["cost"])
            rows = loss["rows_read"]
        read = reading(bench, rows)
        goal = verdict(_middle(away), round(1 + read, 3))
        print(f"  {mode:14} from the kill to the next round {_middle(away):.3f} s, at most {max(away):.3f} {goal}")
        print(f"  {'':14} of it {_middle(cost):.3f} s after it was seen; {rows:,} rows are read in {read:.3f} s by one process")


def reading(bench: Bench, rows: int) -> float:
    """Seconds to read so many rows."""
    table = hdf5.inspect([str(bench.data)], "X", "y")
    partition = Partition(table.rows, table.features)
    taken = []
    for _ in range(bench.repeats):
        shard = MemoryShard(table, partition)
        start = perf_counter()
        shard.hold(np.arange(-(-rows // partition.block_rows)))
        taken.append(perf_counter() - start)
    return _middle(taken)


# Replicas


def replicas(bench: Bench) -> None:
    """Four workers, one of which becomes ten times slower. With replicas each maps twice as much, and nobody waits for it."""
    slow = ("--fail-slow", "1@10")
    ways: dict[str, Way] = {
        "none": (5, ("--mode", "client-server"), ()),
        "none, fail slow": (5, ("--mode", "client-server", *slow), ()),
        "--replicas 2": (5, ("--mode", "client-server", "--replicas", 2), ()),
        "--replicas 2, fail slow": (5, ("--mode", "client-server", "--replicas", 2, *slow), ()),
    }
    runs = bench.turns(ways, 100)
    print("  (the slow worker is busy all the time, on cores that it shares with the others)")
    for name, found in runs.items():
        ratio = _middle([one.round / other.round for one, other in zip(found, runs["none"], strict=True)])
        print(f"  {name:26}{1e3 * _middle([run.round for run in found]):8.2f} ms a round, x {ratio:.2f}")


if __name__ == "__main__":
    main()
