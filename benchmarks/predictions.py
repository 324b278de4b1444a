"""How far the cost model is off on shaped networks, and whether `compare` names the mode that a plain timing finds.

    python benchmarks/predictions.py [--networks 5ms-20M,...] [--hosts 2,3,4,8] [--library mpich,openmpi] [--problems 30,...]
                                     [--out FOLDER] [--show]

On hosts made of network namespaces, one rank each: `compare` predicts and measures every mode and algorithm; a loop without our
clock times the same rounds; and `plan` predicts them from `network` files of 2, 3 and 4 hosts. Each cell's numbers are left in
FOLDER (default: predictions), so that the whole may be made in parts; --show only prints the table of what is there. Needs root;
a cell takes 10 to 150 s on two cores, all of it more than two hours.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))


class Network(NamedTuple):
    """Seconds one way, and bits a second."""

    delay: float
    bandwidth: float


NETWORKS = {
    "5ms-20M": Network(5e-3, 20e6),
    "0.2ms-1G": Network(2e-4, 1e9),
    "20ms-500M": Network(20e-3, 500e6),
    "1ms-100M": Network(1e-3, 100e6),
}
PROBLEMS = {"30": (2_000, 30), "3000": (400, 3_000), "60000": (64, 60_000), "compute": (1_000_000, 50)}  # rows, features
FILES = (2, 3, 4)  # hosts of the network files that plan reads
LARGEST, SECONDS = 2 << 20, 90.0  # of the messages for such a file
TURN, REPEATS = 0.35, 3  # seconds that a turn should take, and turns
NEAR, FAR, DIFFERENT = 0.15, 0.30, 0.10
TIMEOUT = 1800


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, words in (("networks", NETWORKS), ("hosts", "2348"), ("library", ("mpich", "openmpi")), ("problems", PROBLEMS)):
        parser.add_argument(f"--{name}", default=",".join(words))
    parser.add_argument("--out", default="predictions")
    parser.add_argument("--show", action="store_true", help="what is there already")
    parser.add_argument("--on-ranks", metavar="FILE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.on_ranks:
        on_ranks(json.loads(Path(options.on_ranks).read_text()))
        return
    folder = Path(options.out)
    if not options.show:
        folder.mkdir(exist_ok=True)
        hosts, problems = [int(word) for word in options.hosts.split(",")], options.problems.split(",")
        with tempfile.TemporaryDirectory() as made:
            data = {name: make(Path(made, f"{name}.h5"), *PROBLEMS[name]) for name in problems}
            for network in options.networks.split(","):
                for library in options.library.split(","):
                    run(folder.absolute(), network, library, hosts, data)
    cells = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    if cells:
        show(cells)


def make(path: Path, rows: int, features: int) -> str:
    command = [sys.executable, "-m", "mpi_pgd", "data", "make", path, "--rows", rows, "--features", features, "--quiet"]
    subprocess.run(list(map(str, command)), check=True, cwd=ROOT)
    return str(path)


def run(folder: Path, network: str, library: str, hosts: Sequence[int], data: Mapping[str, str]) -> None:
    from tests.hosts import Hosts, unavailable
    from tests.launch import libraries

    reason = unavailable() or ("" if library in libraries() else f"no environment with {library}")
    if reason:
        print(f"skipped: {reason}")
        return
    asked = {"folder": str(folder), "network": network, "library": library, "hosts": hosts, "data": data}
    with tempfile.TemporaryDirectory() as made, Hosts(max(hosts), *NETWORKS[network]) as there:
        question, begun = Path(made, "asked.json"), time.perf_counter()
        question.write_text(json.dumps(asked))
        result = there.mpirun(
            libraries()[library], max(hosts), "--on-ranks", question, script=__file__, timeout=TIMEOUT, env={"OMP_NUM_THREADS": 1}
        )
        print(f"{network} {library}: {time.perf_counter() - begun:.0f} s", "" if not result.returncode else result, flush=True)


# On the hosts


def on_ranks(asked: Mapping[str, Any]) -> None:
    import mpi4py

    mpi4py.rc.threads = False
    from mpi4py import MPI

    from mpi_pgd.comm.world import guard
    from mpi_pgd.session.run import one_thread
    from mpi_pgd.study.turns import Teams

    comm = MPI.COMM_WORLD
    with guard(comm), one_thread(), Teams(comm) as teams:
        for hosts in sorted(asked["hosts"]):
            for what in ("network", *asked["data"]):
                found = teams.do(hosts, lambda team, what=what: cell(team, what, asked))
                if comm.rank == 0 and found:
                    name = f"{asked['network']}-{asked['library']}-{hosts}-{what}.json"
                    known = {"network": asked["network"], "library": asked["library"], "hosts": hosts, "problem": what}
                    Path(asked["folder"], name).write_text(json.dumps(known | found))


def cell(team: Any, what: str, asked: Mapping[str, Any]) -> dict[str, Any] | None:
    """A network file, or one problem's rounds: predicted, measured by `compare`, and timed plainly."""
    from mpi_pgd import config
    from mpi_pgd.session.inspect import inspect_files
    from mpi_pgd.study.compare.measure import compare
    from mpi_pgd.study.network.measure import measure

    begun = time.perf_counter()
    if what == "network":
        return {"record": measure(team, largest=LARGEST, seconds=SECONDS)} if team.size in FILES else None
    rounds = turn_rounds(NETWORKS[asked["network"]], what, team.size)
    words = {"data": [asked["data"][what]], "solver": "gd", "rounds": rounds, "quiet": True}
    problem = inspect_files(team, config.settings(words))
    record = compare(problem, REPEATS if rounds > 2 else 2, lambda: (False, False))
    took, plain = time.perf_counter() - begun, timed(problem)
    kept = record and {name: record[name] for name in ("rows", "winner", "verdict", "notes", "doubts", "baseline")}
    return kept and {**kept, "plain": plain, "seconds": (took, time.perf_counter() - begun - took)}


def turn_rounds(network: Network, what: str, ranks: int) -> int:
    """As many as a turn has time for."""
    rows, features = PROBLEMS[what]
    wire = 4 * network.delay + 2 * 16 * features * 8 / network.bandwidth * ranks.bit_length()
    return int(min(30, max(2, TURN / (wire + rows * features * 2e-9))))


def timed(problem: Any) -> list[tuple[str, str, float]]:
    """Mode, algorithm and the median seconds of a round on the slowest rank: nothing observes it, but for a look at the time.

    As `compare` does, without rounds in which bounds are exchanged, if there are others.
    """
    import numpy as np
    from mpi4py import MPI

    from mpi_pgd.drivers.fit import FitDriver
    from mpi_pgd.drivers.history import History
    from mpi_pgd.engine.loop import Observer, rounds
    from mpi_pgd.engine.query import Query
    from mpi_pgd.modes import ALIKE, AMONG_PEERS, differing
    from mpi_pgd.session.descend import planned
    from mpi_pgd.session.load import choose_mode, load_rows
    from mpi_pgd.session.model import sums_of
    from mpi_pgd.session.prepare import take_moments

    class Looks(Observer):
        def __init__(self) -> None:
            self.times: list[float] = []
            self.bounds: list[int] = []

        def asked(self, query: Query) -> None:
            self.times.append(time.perf_counter())
            self.bounds.append(query.bound)

        def mean(self) -> float:
            took, same = np.diff(self.times), np.diff(self.bounds) == 0
            return float(np.mean(took[same] if same.any() else took))

    def quiet() -> tuple[bool, bool]:
        return False, False

    peers = problem.on(problem.comm, problem.rows, **AMONG_PEERS)
    setup = take_moments(peers, choose_mode(peers), load_rows(peers, choose_mode(peers)), quiet)
    ways = differing(ALIKE, problem.nodes, problem.settings.ranks_per_node)
    found: dict[tuple[str, str], list[float]] = {way: [] for way in ways}
    shards: dict[int, Any] = {}
    for _ in range(REPEATS if problem.settings.rounds > 2 else 1):
        for mode, name in ways:
            mine = problem.on(problem.comm, problem.rows, mode=mode, algorithm=name, tol=0.0)
            topology, looks = choose_mode(mine), Looks()
            if topology.workers not in shards:
                shards = {topology.workers: load_rows(mine, topology)}
            shard = shards[topology.workers]
            goal, tasks, choice = planned(mine, shard, setup)
            query, chosen = Query(list(tasks.values())), mine.settings
            driver = FitDriver(goal, tasks, choice.solver, chosen.rounds, 0.0, lambda *_: None, History(time.perf_counter()), None)
            rounds(topology, shard, sums_of(mine, query), driver, query, [looks], quiet)
            taken = np.array(looks.mean())
            problem.comm.Allreduce(MPI.IN_PLACE, taken, MPI.MAX)
            found[mode, name].append(float(taken))
    return [(*way, float(np.median(some))) for way, some in found.items()]


# The table


class Line(NamedTuple):
    """One round, predicted and measured."""

    network: str
    library: str
    hosts: int
    problem: str
    way: tuple[str, str]
    source: str  # what it was predicted from
    error: float  # predicted / measured - 1
    marked: str  # why it is not to be trusted; "": it is


def show(cells: Sequence[Mapping[str, Any]]) -> None:
    lines = list(compared(cells))
    print("\n| network | library | from | rounds | within 15 % | within 30 % | not marked | of these beyond 30 % |")
    print(f"|{'---|' * 8}")
    groups: dict[tuple[str, ...], list[Line]] = {}
    for line in lines:
        groups.setdefault((line.network, line.library, line.source), []).append(line)
        groups.setdefault(("all", "all", line.source), []).append(line)
    for which, some in sorted(groups.items()):
        near, far = (sum(abs(line.error) <= bound for line in some) for bound in (NEAR, FAR))
        plain = [line for line in some if not line.marked]
        beyond = sum(abs(line.error) > FAR for line in plain)
        print(f"| {' | '.join(which)} | {len(some)} | {near} | {far} | {len(plain)} | {beyond} |")
    for line in sorted(lines, key=lambda line: -abs(line.error))[:30]:
        print(f"  {line.error:+.0%} {' '.join(map(str, line[:4]))} {'/'.join(line.way)} from {line.source} {line.marked}")
    winners(cells)


def compared(cells: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    from mpi_pgd.study.model import Model

    files = {(one["network"], one["library"], one["hosts"]): one["record"] for one in cells if "record" in one}
    models = {key: Model.from_record(record) for key, record in files.items()}
    for one in cells:
        for row in one.get("rows", []):
            known = one["network"], one["library"], one["hosts"], one["problem"], (row["mode"], row["algorithm"])
            taken = row["seconds_per_round"]
            yield Line(*known, "compare", row["predicted_seconds_per_round"] / taken - 1, marked(row, one))
            for hosts in FILES:
                model = models.get((one["network"], one["library"], hosts))
                if model and model.fill == 1:
                    guess = model.round(*known[-1], one["hosts"], *PROBLEMS[one["problem"]], ranks_per_node=1)
                    wide = max(guess.high / guess.total, guess.total / max(guess.low, 1e-9 * guess.total)) > 1 + FAR
                    why = "extrapolated" if guess.extrapolated else "a wide interval" if wide else marked(row, one)
                    yield Line(*known, f"plan, {hosts} hosts", guess.total / taken - 1, why)


def marked(row: Mapping[str, Any], cell: Mapping[str, Any]) -> str:
    """What the study itself says of its figures."""
    return str(row.get("doubt") or "; ".join(cell.get("doubts") or []))


def winners(cells: Sequence[Mapping[str, Any]]) -> None:
    """Of the modes, each with its best algorithm: what compare says, and what the plain timing does."""
    right = wrong = close = unnamed = 0
    for one in cells:
        if "plain" not in one:
            continue
        best: dict[str, float] = {}
        for mode, _, seconds in one["plain"]:
            best[mode] = min(best.get(mode, seconds), seconds)
        first, second, *_ = sorted(best, key=best.__getitem__)
        if best[second] < (1 + DIFFERENT) * best[first]:
            close += 1
        elif not one["winner"]:
            unnamed += 1
        elif one["winner"]["mode"] == first:
            right += 1
        else:
            wrong += 1
            told = ", ".join(f"{mode} {seconds * 1e3:.4g} ms" for mode, seconds in best.items())
            print(f"  winner: {one['network']} {one['library']} {one['hosts']} {one['problem']}: {one['verdict']}; plainly {told}")
    print(f"\nthe faster mode by compare is that of the plain timing: {right}, not: {wrong}; compare names none: {unnamed}")
    print(f"the plain timings of both modes within 10 % of each other: {close}")


if __name__ == "__main__":
    main()
