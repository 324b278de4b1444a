"""How far the cost model is off on a cluster of shaped hosts: `network` measures, real rounds at other sizes are held against it.

    python benchmarks/predictions.py [--hosts 4] [--library mpich|openmpi] [--largest BYTES]

Each round is one of the real topologies, after a map that sleeps. A round is predicted three times: from all that was measured
(but never its own size), from every other size, and from the other numbers of hosts alone. Needs root; about 4 minutes.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

FEATURES = (7_000, 20_000, 60_000)  # partials of 112 KB, 320 KB and 960 KB
NAP, TURNS, ROUNDS = 0.005, 3, 3
DELAY, BANDWIDTH = 1e-3, 100e6
GOAL = 0.15


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=4)
    parser.add_argument("--library", default="mpich")
    parser.add_argument("--largest", type=int, default=2 << 20, help="message that network measures, bytes")
    parser.add_argument("--on-ranks", metavar="FILE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.on_ranks:
        on_ranks(Path(options.on_ranks), options.largest)
        return
    from tests.hosts import Hosts, unavailable
    from tests.launch import libraries

    reason = unavailable() or ("" if options.library in libraries() else f"no environment with {options.library}")
    if reason:
        print(f"skipped: {reason}")
        return
    with tempfile.TemporaryDirectory() as folder, Hosts(options.hosts, DELAY, BANDWIDTH) as hosts:
        found = Path(folder, "found.json")
        words = ("--largest", options.largest, "--on-ranks", found)
        result = hosts.mpirun(libraries()[options.library], options.hosts, *words, script=__file__, timeout=600)
        if result.returncode:
            sys.exit(str(result))
        show(**json.loads(found.read_text()))


# On the hosts


def on_ranks(path: Path, largest: int) -> None:
    import mpi4py

    mpi4py.rc.threads = False
    from mpi4py import MPI

    from mpi_pgd.comm.world import guard
    from mpi_pgd.study.network.measure import measure

    comm = MPI.COMM_WORLD
    with guard(comm):
        record = measure(comm, largest=largest)
        rounds = list(measured(comm))
        if comm.rank == 0:
            path.write_text(json.dumps({"record": record, "rounds": rounds}))


def measured(comm: Any) -> Iterator[tuple[str, str, int, int, float]]:
    """Mode, algorithm, ranks, features, and the seconds of a round less the map's."""
    from mpi_pgd.modes import MODES, WAYS
    from mpi_pgd.modes.facts import Team
    from mpi_pgd.study.turns import Teams

    def turns(team: Any, p: int) -> list[float]:
        return [seconds(team, MODES[mode].make(Team(team), name), p) for mode, name in WAYS]

    with Teams(comm) as teams:
        for features in FEATURES:
            for ranks in range(2, comm.size + 1):
                found = teams.do(ranks, partial(turns, p=features))
                for way, taken in zip(WAYS, found or [], strict=False):
                    yield *way, ranks, features, taken


def seconds(team: Any, topology: Any, features: int) -> float:
    """The median of some turns of some rounds back to back, on the slowest rank; the first round connects."""
    import numpy as np
    from mpi4py import MPI

    from mpi_pgd.engine.partial import Partial
    from mpi_pgd.engine.query import Query
    from mpi_pgd.engine.tasks import GradientTask
    from mpi_pgd.losses.squared import Squared

    task = GradientTask(Squared(), features, 1)
    partial, query = Partial(task.layout.width, 100), Query([task])
    topology.step(partial, lambda: None, query)
    turns = []
    for _ in range(TURNS):
        team.Barrier()
        start = time.perf_counter()
        for _ in range(ROUNDS):
            time.sleep(NAP)
            topology.step(partial, lambda: None, query)
        taken = np.array((time.perf_counter() - start) / ROUNDS - NAP)
        team.Allreduce(MPI.IN_PLACE, taken, MPI.MAX)
        turns.append(float(taken))
    return float(np.median(turns))


# Beside the model


def show(record: dict[str, Any], rounds: list[tuple[str, str, int, int, float]]) -> None:
    from mpi_pgd.study.model import sizes

    known = sorted({row["bytes"] for row in record["rows"]})
    models = {
        "other p": lambda _: model(record, lambda row: True),
        "every other size": lambda _: model(record, lambda row: known.index(row["bytes"]) % 2 == 0),
        "other m": lambda ranks: model(record, lambda row: row["ranks"] != ranks),
    }
    print(f"predicted / measured - 1; partials of {', '.join(f'{sizes(p)[0]:,}' for p in FEATURES)} bytes\n")
    print(f"| mode, algorithm | m | {' | '.join(models)} |\n|---|---|{'---|' * len(models)}")
    missed = dict.fromkeys(models, 0)
    groups: dict[tuple[str, str, int], list[tuple[int, float]]] = {}
    for mode, name, ranks, features, taken in rounds:
        groups.setdefault((mode, name, ranks), []).append((features, taken))
    for (mode, name, ranks), points in groups.items():
        cells = []
        for kind, made in models.items():
            curve = made(ranks).curve(mode, name, ranks, 1)
            errors = [sum(curve.wire(ranks, *sizes(features))) / taken - 1 for features, taken in points]
            missed[kind] += sum(abs(error) > GOAL for error in errors)
            cells.append(", ".join(f"{error:+.0%}" for error in errors))
        print(f"| {mode} {name} | {ranks} | {' | '.join(cells)} |")
    print(f"\nbeyond {GOAL:.0%}, of {len(rounds)} rounds: {', '.join(f'{kind} {count}' for kind, count in missed.items())}")


def model(record: dict[str, Any], keep: Callable[[dict[str, Any]], bool]) -> Any:
    from mpi_pgd.study.curves import fitted
    from mpi_pgd.study.model import Model

    kept = {name: [row for row in record[name] if keep(row)] for name in ("rows", "sums")}
    return Model.from_record(fitted({**record, **kept}))


if __name__ == "__main__":
    main()
