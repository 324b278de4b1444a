"""Peers that talk to their neighbours only, beside a linear server, on hosts with links of 1 ms and 100 Mbit/s; needs root.

    python benchmarks/neighbours.py [--library mpich|openmpi] [--out FILE] [--quick]

A round in which each host sends a vector to each neighbour and takes in theirs (MPI_Neighbor_allgather), and one in which a server
takes in a vector from each worker and sends one to each: measured on 2 to 8 hosts (tests/hosts.py); predicted by the cost model's
messages (comm/paths.py) with the link's nominal numbers; and simulated by SimGrid (if /usr/bin/python3 has it) on up to 1,024
hosts, held against what was measured where there is both. What a peer sends in a round of a fit on 4, 6 and 8 hosts: as it counts
that itself, and what left its link. Then `study topology`, whole fits by every mode and graph, without and with a slow rank: on 8
hosts, and on 2 hosts of 4 ranks. Prints Markdown; FILE gets the figures as JSON.
"""

# ruff: noqa: E402 - this checkout has to be found before it is imported
import argparse
import json
import sys
import tempfile
from itertools import product
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]  # this checkout, installed or not
sys.path.insert(0, str(ROOT))

from benchmarks.lecture import BANDWIDTH, DELAY, HOSTS, MEASURED, SIZES, Cluster
from mpi_pgd.comm.algorithms import LINEAR
from mpi_pgd.comm.graphs import graph
from mpi_pgd.comm.paths import Path as CriticalPath
from mpi_pgd.comm.paths import exchange
from mpi_pgd.study.topology import Topology
from tests.hosts import Hosts, unavailable
from tests.launch import libraries

GRAPHS = ("ring", "torus", "exponential")
SERVER = LINEAR.name
SHAPE, SLOW = (16_000, 500), "3:4"  # rows and features; a rank whose map takes four times as long
SENT = tuple(product(("ring", "complete"), (4, 6, 8)))  # graphs, hosts
SHORT, LONG = 50, 150  # rounds of two fits: what one sends more than the other is that of the rounds between
LINK = "/sys/class/net/eth0/statistics/tx_bytes"

Row = dict[str, Any]


def measure(cluster: Cluster) -> list[Row]:
    """A row for each way, size and number of hosts."""
    sizes = SIZES[:2] if cluster.quick else SIZES
    hosts, words = ",".join(map(str, MEASURED)), ",".join(map(str, sizes))
    cluster.say("exchanges on graphs")
    rows = cluster.ranks(HOSTS, "neighbours", hosts, words, ",".join(GRAPHS))["rows"]
    cluster.say("the linear server")
    rows += [row for row in cluster.ranks(HOSTS, "messages", hosts, words)["rows"] if row["algorithm"] == SERVER]
    measured = {(row["algorithm"], row["ranks"], row["bytes"]): row for row in rows}
    cases = [
        (name, m, (size,) * (1 + (name == SERVER)), 0.0) for size in sizes for name in (*GRAPHS, SERVER) for m in cluster.counts
    ]
    near = {f"{name} {m}": [graph(name, m).neighbours[rank] for rank in range(m)] for name in GRAPHS for m in cluster.counts}
    cluster.say("simulating")
    simulated = cluster.simulated(cases, near)
    found = []
    for name, m, size, work in cases:
        here = measured.get((name, m, size[0]), {})
        ends = {f"measured_{end}": here.get(end) for end in ("seconds", "low", "high")}
        path = LINEAR.shapes[0](m, size[0], size[0]) if name == SERVER else exchange(graph(name, m), size[0])
        degree = None if name == SERVER else graph(name, m).degree
        found.append(
            {"way": name, "hosts": m, "bytes": size[0], "neighbours": degree, **ends}
            | {"predicted_seconds": _seconds(path, cluster.beta), "simulated_seconds": simulated.get((name, m, size, work))}
        )
    return found


def sent(cluster: Cluster) -> list[Row]:
    """Of the second host, whose link carries nothing but its rank's messages (the first has mpirun)."""
    path, found = cluster.data(*SHAPE), []
    for name, m in SENT:
        cluster.say(f"what a peer sends, {name} of {m}")
        carried, near = {}, {}
        for rounds in (SHORT, LONG):
            words = ["--mode", "gossip", "--graph", name, "--l2", 0.1, "--tol", 0, "--rounds", rounds, "--quiet"]
            before = _left(cluster)
            near = cluster.program(m, path, *words, name="run.json")["neighbours"]
            carried[rounds] = _left(cluster) - before
        link = (carried[LONG] - carried[SHORT]) / (LONG - SHORT)
        counted = {key: near[key] for key in ("neighbours", "messages", "bytes")}
        found.append({"way": name, "hosts": m, **counted, "link_bytes": link})
    return found


def _left(cluster: Cluster) -> int:
    return int(cluster.hosts.run(cluster.hosts.names[1], "cat", LINK))


def sending(rows: list[Row]) -> str:
    """The table of what is sent."""
    lines = [
        "What a peer sends in a round of a fit",
        "",
        "| graph | hosts | messages | bytes, counted | bytes that left its link |",
    ]
    lines += ["|---|" + "---:|" * 4]
    for row in rows:
        counted = f"{row['messages']:g} | {row['bytes']:,.0f} | {row['link_bytes']:,.0f}"
        lines.append(f"| {row['way']} | {row['hosts']} | {counted} |")
    return "\n".join(lines)


def fits(cluster: Cluster) -> Row:
    """The record of `study topology` on 8 ranks."""
    cluster.say("study topology")
    path = cluster.data(*SHAPE)
    words = ["--l2", 0.1, "--tol", 1e-9, "--rounds", 400, "--delay", SLOW, "--seconds", 2 if cluster.quick else 15]
    return cluster.program(HOSTS, "study", "topology", path, *words, name="topology.json")


def _seconds(path: CriticalPath, beta: float) -> float:
    """What a message adds right behind another is nothing beside this link's latency."""
    return path.latencies * DELAY + path.bytes * beta


def document(rows: list[Row]) -> str:
    """The tables: of each size, ways by hosts."""
    lines = []
    hosts = sorted({row["hosts"] for row in rows})
    for size in sorted({row["bytes"] for row in rows}):
        lines += ["", f"A vector of {size:,} bytes: ms of a round, measured / simulated / [predicted]", ""]
        lines += [f"| way | {' | '.join(f'{m:,} hosts' for m in hosts)} |", "|---|" + "---:|" * len(hosts)]
        for way in (*GRAPHS, SERVER):
            mine = {row["hosts"]: row for row in rows if (row["way"], row["bytes"]) == (way, size)}
            lines.append(f"| {way} | {' | '.join(_cell(mine[m]) for m in hosts)} |")
    return "\n".join([*lines, "", *_held(rows)])


def _cell(row: Row) -> str:
    measured, simulated = (_ms(row[f"{name}_seconds"]) for name in ("measured", "simulated"))
    return f"{measured} / {simulated} / [{_ms(row['predicted_seconds'])}]"


def _ms(seconds: float | None) -> str:
    return "–" if seconds is None else f"{1e3 * seconds:,.3g}"


def _held(rows: list[Row]) -> list[str]:
    """How far the simulation and the prediction are from what was measured."""
    found = []
    for name, way in product(("simulated", "predicted"), (*GRAPHS, SERVER)):
        mine = [row for row in rows if row["way"] == way and row["measured_seconds"] and row[f"{name}_seconds"]]
        ratios = [row[f"{name}_seconds"] / row["measured_seconds"] for row in mine]
        if ratios:
            found.append(f"- {way}: {name} over measured {min(ratios):.2f} to {max(ratios):.2f}, {len(ratios)} points")
    return found


def main() -> int:
    """Measure what the options ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", help="of those that tests/launch.py finds (MPI_PGD_PYTHONS names more); default: the first")
    parser.add_argument("--out", metavar="FILE", help="for the figures")
    parser.add_argument("--quick", action="store_true", help="fewer sizes and hosts")
    options = parser.parse_args()
    found = libraries()
    library = found.get(options.library) if options.library else next(iter(found.values()), None)
    reason = unavailable() or ("" if library else f"no MPI library {options.library or ''} was found")
    if reason or not library:
        print(f"skipped: {reason}")
        return 0
    studies = {}
    with tempfile.TemporaryDirectory(prefix="mpi_pgd-neighbours-") as folder:
        with Hosts(HOSTS, DELAY, BANDWIDTH) as hosts:
            cluster = Cluster(hosts, library, Path(folder), options.quick)
            rows, told = measure(cluster), sent(cluster)
            studies["8 hosts"] = fits(cluster)
        with Hosts(2, DELAY, BANDWIDTH) as hosts:
            studies["2 hosts of 4 ranks"] = fits(Cluster(hosts, library, Path(folder), options.quick))
    print(document(rows), sending(told), *(f"{name}\n\n{Topology().text(each)}" for name, each in studies.items()), sep="\n\n")
    if options.out:
        Path(options.out).write_text(json.dumps({"rows": rows, "sent": told, "topology": studies}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
