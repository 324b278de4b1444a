"""The lecture's claims, on a cluster of 2 to 8 hosts with links of 1 ms and 100 Mbit/s (tests/hosts.py); needs root.

    python benchmarks/lecture.py [--library mpich|openmpi] [--out DIR] [--quick]

1. A linear server's messages cost more the more hosts there are, a ring's hardly do.
2. Complexity / bandwidth + latency, fitted on few hosts, predicts rounds on others, of other sizes.
3. A round takes as long as its slowest worker.
4. The speedup ratio over m, with and without communication.

Prints Markdown; DIR gets it as lecture.md, with all figures in lecture.json. Each is measured, or says beside it that it is
predicted (by the cost model), theory (by a formula from the link's nominal numbers), simulated (by SimGrid, if /usr/bin/python3
has it) or emulated (the map sleeps, so that hosts that share two cores compute as if each had its own).
"""

# ruff: noqa: E402 - this checkout has to be found before it is imported
import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]  # this checkout, installed or not
sys.path.insert(0, str(ROOT))

from benchmarks import lecture_tables as tables
from mpi_pgd.modes import WAYS
from mpi_pgd.observers.delay import exponential
from mpi_pgd.study.model import Model
from tests.hosts import Hosts, unavailable
from tests.launch import Library, Result, libraries

DELAY, BANDWIDTH, HOSTS = 1e-3, 100e6, 8
SIZES = (1_000, 100_000, 1_000_000)  # bytes of a message
# Of a name the first mode's: with a server, linear is two collectives.
SCHEDULES = {name: algorithm.schedules for (_, name), algorithm in reversed(WAYS.items()) if not algorithm.library}
MEASURED, MANY = (2, 4, 8), (16, 64, 256, 1024)  # hosts; the latter are only simulated
EAGER = {"openmpi": 65536}  # bytes over TCP: longer messages are asked for first; UCX, which MPICH uses, does not
ENDLESS = 1 << 40
FEATURES = (6_250, 20_000, 60_000)  # partials of 100, 320 and 960 KB ...
ROWS = 64  # ... and one block of rows, as the map is not the point
LARGEST = 2 << 20  # bytes: with larger ones, less time would be left for each
FITTED, OTHERS = 4, (3, 6, 8)  # hosts that `network` sees, and hosts whose rounds are predicted
SLOW, FACTOR = 2, 3  # this rank is so many times slower
MEAN = 0.01  # seconds of the exponential delays
WORK, EMULATED_FEATURES = 1.0, 10_000  # seconds of one worker's emulated map; a partial of 160 KB
SIMGRID = "/usr/bin/python3"

Case = tuple[str, int, tuple[int, ...], float]  # algorithm, hosts, bytes of each collective, seconds of a worker's map


class Cluster:
    """Runs programs on the first hosts, and keeps what they write."""

    def __init__(self, hosts: Hosts, library: Library, folder: Path, quick: bool) -> None:
        self.hosts, self.library, self.folder, self.quick = hosts, library, folder, quick
        self.packet = (hosts.mtu + 38) / (hosts.mtu - 52)  # what Ethernet, IP and TCP add
        self.beta = 8 / BANDWIDTH * self.packet  # seconds a byte
        self.counts = (*MEASURED, *(MANY[:2] if quick else MANY))  # hosts that are simulated

    def ranks(self, ranks: int, what: str, *words: object) -> dict[str, Any]:
        """The answer of lecture_ranks.py."""
        path = self.folder / f"{what}.json"
        script = ROOT / "benchmarks" / "lecture_ranks.py"
        _good(self.hosts.mpirun(self.library, ranks, what, path, *words, script=script, timeout=600))
        return dict(json.loads(path.read_text()))

    def program(self, ranks: int, *words: object, name: str) -> dict[str, Any]:
        """What ``mpi_pgd WORDS --out`` writes into the file ``name``."""
        folder = self.folder / f"out{len(list(self.folder.iterdir()))}"
        _good(self.hosts.mpirun(self.library, ranks, *words, "--out", folder, timeout=600))
        return dict(json.loads((folder / name).read_text()))

    def data(self, rows: int, features: int) -> Path:
        """Synthetic rows."""
        path = self.folder / f"{rows}x{features}.h5"
        command = [self.library.python, "-m", "mpi_pgd", "data", "make", path, "--rows", rows, "--features", features]
        subprocess.run(list(map(str, command)), check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
        return path

    def simulated(self, cases: Sequence[Case], graphs: dict[str, list[tuple[int, ...]]] | None = None) -> dict[Case, float]:
        """SimGrid's seconds of a round; nothing without SimGrid. Of graphs, "NAME HOSTS" with the neighbours of each host."""
        if not simgrid():
            return {}
        wire = {
            "delay": DELAY,
            "bandwidth": 1 / self.beta,
            "eager": EAGER.get(self.library.name, ENDLESS),
            "window": self.hosts.window,
            "graphs": graphs or {},
            "schedules": {name: [schedule.__name__ for schedule in schedules] for name, schedules in SCHEDULES.items()},
        }
        answer = subprocess.run(
            [SIMGRID, ROOT / "benchmarks" / "simulated.py"],
            input=json.dumps({**wire, "cases": cases}),
            capture_output=True,
            text=True,
            check=True,
            timeout=900,
        )
        return dict(zip(cases, json.loads(answer.stdout)["seconds"], strict=True))

    def say(self, text: str) -> None:
        """How far it has come, on standard error."""
        print(f"lecture: {text}", file=sys.stderr, flush=True)


def _good(result: Result) -> None:
    if result.returncode:
        sys.exit(str(result))


def simgrid() -> bool:
    """Whether there is a SimGrid."""
    done = subprocess.run([SIMGRID, "-c", "import simgrid"], capture_output=True) if Path(SIMGRID).exists() else None
    return done is not None and done.returncode == 0


# The claims: each gives its figures


def messages(cluster: Cluster) -> dict[str, Any]:
    """Claim 1: every collective, measured, by the formulas, simulated."""
    sizes = SIZES[:2] if cluster.quick else SIZES
    cluster.say("messages")
    found = cluster.ranks(HOSTS, "messages", _words(MEASURED), _words(sizes))
    cluster.say("simulating messages")
    collectives = {name: len(schedules) for name, schedules in SCHEDULES.items()}
    cases = [(name, m, (size,) * times, 0.0) for size in sizes for name, times in collectives.items() for m in cluster.counts]
    simulated = [
        {"algorithm": name, "ranks": m, "bytes": size[0], "seconds": seconds}
        for (name, m, size, _), seconds in cluster.simulated(cases).items()
    ]
    return {**found, "simulated": simulated}


def _words(numbers: Sequence[int]) -> str:
    return ",".join(map(str, numbers))


def model(cluster: Cluster, measured: dict[str, Any]) -> dict[str, Any]:
    """Claim 2: `network` on few hosts, `compare` on others."""
    cluster.say("the network of few hosts")
    network = cluster.program(FITTED, "network", "--largest", LARGEST, name="network.json")
    predictor = Model.from_record(network)
    rows = []
    for count in FEATURES[:1] if cluster.quick else FEATURES:
        path = cluster.data(ROWS, count)
        for ranks in OTHERS[-1:] if cluster.quick else OTHERS:
            cluster.say(f"rounds of {count} features on {ranks} hosts")
            record = cluster.program(ranks, *_compare(path), name="compare.json")
            rows += [_beside(predictor, row, record) for row in record["rows"]]
    return {"fits": network["fits"], "rows": rows, "messages": _messages(predictor, measured["rows"])}


def _compare(path: Path) -> list[object]:
    return ["compare", path, "--step", 1e-4, "--rounds", 4, "--repeats", 3]


def _beside(predictor: Model, row: dict[str, Any], record: dict[str, Any]) -> dict[str, Any]:
    """A measured round, and what the model of the few hosts makes of it with the one rank's map."""
    data, first = record["data"], record["baseline"]
    shape = (row["ranks"], data["rows"], data["features"])
    guess = predictor.round(row["mode"], row["algorithm"], *shape, seconds_per_row=first["compute"] / first["rows"])
    return {**row, "features": data["features"], "predicted_seconds_per_round": guess.total, "predicted": guess._asdict()}


def _messages(predictor: Model, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages of claim 1 on the most hosts, predicted too."""
    found = []
    for row in rows:
        if row["ranks"] == HOSTS and row["bytes"] >= SIZES[1]:
            curve = predictor.curve(row["mode"], row["algorithm"], HOSTS, 1)
            found.append({**row, "predicted_seconds": curve.wire(HOSTS, row["bytes"], row["bytes"]).seconds})
    return found


def slowest(cluster: Cluster) -> dict[str, Any]:
    """Claim 3: one slow rank in either mode, and exponential delays of all."""
    rounds = 20 if cluster.quick else 100
    path = cluster.data(100_000, 200)
    common = [path, "--step", 1e-4, "--tol", 0, "--rounds", rounds, "--quiet", "--delay", f"{SLOW}:{FACTOR}"]
    cluster.say("a slow rank")
    modes = ("client-server", "peer-to-peer")
    runs = {mode: cluster.program(4, *common, "--mode", mode, name="run.json")["costs"] for mode in modes}
    cluster.say("exponential delays")
    study = ["study", "straggler", cluster.data(2_000, 20), "--mean", MEAN, "--rounds", 50 if cluster.quick else 300]
    rows = cluster.program(HOSTS, *study, "--step", 1e-4, name="straggler.json")["rows"]
    return {"runs": runs, "stragglers": [{**row, "drawn": _drawn(row["workers"], row["rounds"])} for row in rows]}


def _drawn(workers: int, rounds: int) -> float:
    """The mean over the rounds of the largest delay of a worker: they are the same on every run."""
    delays = [islice(exponential(MEAN, worker), rounds) for worker in range(workers)]
    return sum(map(max, zip(*delays, strict=True))) / rounds


def speedup(cluster: Cluster) -> dict[str, Any]:
    """Claim 4: `scaling` as it is, and the same rounds with an emulated map, which SimGrid carries on."""
    cluster.say("speedup, real map")
    path = cluster.data(5_000 if cluster.quick else 20_000, 2_000)
    names = ",".join(["library", *SCHEDULES])
    words = ["scaling", path, "--step", 1e-4, "--algorithms", names, "--rounds", 5, "--repeats", 3]
    real = cluster.program(HOSTS, *words, name="scaling.json")
    cluster.say("speedup, emulated map")
    emulated = cluster.ranks(HOSTS, "emulated", _words((1, *MEASURED)), 2 if cluster.quick else 5, EMULATED_FEATURES, WORK)
    cluster.say("simulating rounds")
    return {"real": real["rows"], "emulated": emulated["rows"], "simulated": _rounds(cluster), "work_seconds": WORK}


def _rounds(cluster: Cluster) -> list[dict[str, Any]]:
    sizes = (8 * (2 * (EMULATED_FEATURES + 2) + 6), 8 * (EMULATED_FEATURES + 2))  # a partial in, a query out
    found = []
    for name, schedules in SCHEDULES.items():
        workers = {m: m - 1 if name == "linear" else m for m in cluster.counts}
        cases = [(name, m, sizes[: len(schedules)], WORK / workers[m]) for m in cluster.counts]
        for (_, m, *_), seconds in cluster.simulated(cases).items():
            found.append({"algorithm": name, "ranks": m, "workers": workers[m], "seconds_per_round": seconds})
    return found


# All of it


def main() -> int:
    """Measure what the options ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", help="of those that tests/launch.py finds (MPI_PGD_PYTHONS names more); default: the first")
    parser.add_argument("--out", metavar="DIR", help="folder for lecture.md and lecture.json")
    parser.add_argument("--quick", action="store_true", help="fewer sizes, hosts and rounds: a minute or two")
    options = parser.parse_args()
    found = libraries()
    library = found.get(options.library) if options.library else next(iter(found.values()), None)
    reason = unavailable() or ("" if library else f"no MPI library {options.library or ''} was found")
    if reason or not library:
        print(f"skipped: {reason}")
        return 0
    record = measure(library, options.quick)
    text = tables.document(record)
    print(text)
    if options.out:
        write(Path(options.out), record, text)
    return 0


def measure(library: Library, quick: bool) -> dict[str, Any]:
    """All claims' figures."""
    with Hosts(HOSTS, DELAY, BANDWIDTH) as hosts, tempfile.TemporaryDirectory(prefix="mpi_pgd-lecture-") as folder:
        cluster = Cluster(hosts, library, Path(folder), quick)
        first = messages(cluster)
        claims = [first, model(cluster, first), slowest(cluster), speedup(cluster)]
        return {
            "study": "lecture",
            "format": 1,
            "quick": quick,
            "link": {"delay": DELAY, "bandwidth": BANDWIDTH, "seconds_per_byte": cluster.beta, "eager": EAGER.get(library.name)},
            "fitted_hosts": FITTED,
            "delays": {"rank": SLOW, "factor": FACTOR, "mean": MEAN},
            "simgrid": simgrid(),
            "load": os.getloadavg()[0],
            "machine": first.pop("machine"),
            "versions": first.pop("versions"),
            "claims": claims,
        }


def write(folder: Path, record: dict[str, Any], text: str) -> None:
    """Both files."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "lecture.md").write_text(text + "\n")
    (folder / "lecture.json").write_text(json.dumps(record, indent=1, allow_nan=False) + "\n")


if __name__ == "__main__":
    sys.exit(main())
