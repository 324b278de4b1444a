"""What benchmarks/lecture.py runs under mpirun, on the first ranks of the cluster; rank 0 writes its numbers to FILE as JSON.

lecture_ranks.py messages FILE M,... BYTES,...                  each collective on M ranks
lecture_ranks.py neighbours FILE M,... BYTES,... GRAPH,...      each graph's exchange on M ranks
lecture_ranks.py emulated FILE M,... ROUNDS FEATURES WORK    rounds whose map sleeps WORK / workers seconds
"""

# ruff: noqa: E402 - MPI starts when it is imported, and has to be told before
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import mpi4py

mpi4py.rc.threads = False
import numpy as np
from mpi4py import MPI

from mpi_pgd.comm.graphs import graph
from mpi_pgd.comm.world import nodes
from mpi_pgd.engine.block import Blocks
from mpi_pgd.engine.loop import rounds
from mpi_pgd.engine.partial import Partial
from mpi_pgd.engine.query import Query
from mpi_pgd.engine.sums import Sums
from mpi_pgd.engine.tasks import Layout
from mpi_pgd.modes import ALIKE as ALGORITHMS
from mpi_pgd.modes import AMONG_PEERS, MODES
from mpi_pgd.modes.facts import Team
from mpi_pgd.observers.clock import Clock
from mpi_pgd.session.provenance import machine, versions
from mpi_pgd.study.turns import Teams

TURNS = 3
CALLS = 5  # back to back; simulated.py's ROUNDS
WARM = 2  # rounds that are not counted: connections are made
WAYS, ALONE = list(ALGORITHMS), [tuple(AMONG_PEERS.values())]


def messages(comm: MPI.Intracomm, hosts: str, sizes: str) -> dict[str, Any]:
    """Each collective, CALLS back to back, in turn: what disturbs one turn does not disturb the others."""
    points = [(int(size), int(ranks), way) for size in sizes.split(",") for ranks in hosts.split(",") for way in WAYS]
    seconds: dict[Any, list[float]] = {point: [] for point in points}
    with Teams(comm) as teams:
        for size, ranks, way in points * TURNS:
            taken = teams.do(ranks, lambda team, way=way, size=size: _calls(team, way, size))
            seconds[size, ranks, way].append(taken or 0.0)
    return {"rows": [_middle(*point, sorted(some)) for point, some in seconds.items()]}


def _calls(team: MPI.Intracomm, way: tuple[str, str], size: int) -> float:
    mode, algorithm = way
    return _timed(team, [partial(collective, np.zeros(size // 8)) for collective in MODES[mode].opened(team, algorithm)])


def _timed(team: MPI.Intracomm, calls: list[Callable[[], object]]) -> float:
    """Seconds a call, on the slowest rank. A first call is not counted: it opens connections."""
    for count in (1, CALLS):
        team.Barrier()
        start = perf_counter()
        for call in calls * count:
            call()
    seconds = np.array((perf_counter() - start) / CALLS)
    team.Allreduce(MPI.IN_PLACE, seconds, MPI.MAX)
    return float(seconds)


def neighbours(comm: MPI.Intracomm, hosts: str, sizes: str, names: str) -> dict[str, Any]:
    """Each graph's exchange, CALLS back to back, in turn."""
    points = [(int(size), int(ranks), name) for size in sizes.split(",") for ranks in hosts.split(",") for name in names.split(",")]
    seconds: dict[Any, list[float]] = {point: [] for point in points}
    with Teams(comm) as teams:
        for size, ranks, name in points * TURNS:
            taken = teams.do(ranks, lambda team, name=name, size=size: _swaps(team, name, size))
            seconds[size, ranks, name].append(taken or 0.0)
    return {"rows": [_middle(size, ranks, ("", name), sorted(some)) for (size, ranks, name), some in seconds.items()]}


def _swaps(team: MPI.Intracomm, name: str, size: int) -> float:
    near = graph(name, team.size).neighbours[team.rank]
    peers = team.Create_dist_graph_adjacent(near, near)
    mine, theirs = np.zeros(size // 8), np.zeros((len(near), size // 8))
    taken = _timed(team, [partial(peers.Neighbor_allgather, mine, theirs)])
    peers.Free()
    return taken


def _middle(size: int, ranks: int, way: tuple[str, str], seconds: list[float]) -> dict[str, Any]:
    named = {"mode": way[0], "algorithm": way[1], "ranks": ranks, "bytes": size}
    return {**named, "seconds": seconds[TURNS // 2], "low": seconds[0], "high": seconds[-1]}


class SomeRounds:
    """A driver that computes nothing and stops after so many rounds."""

    def __init__(self, limit: int) -> None:
        self.left = limit

    def open(self, query: Query) -> None:
        """As it is."""

    def update(self, partial: Partial, query: Query) -> None:
        self.left -= 1
        query.stop = not self.left


class Nap:
    """A worker's rows, which take so long to map."""

    rows = 1

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


class Sleep:
    """A map that sleeps: many hosts on few cores then compute as if each had its own."""

    uneven = coarse = varies = False
    bound = units = None

    def __init__(self, features: int) -> None:
        self.layout, self.width = Layout({"all": (features + 2,)}), features + 1

    def bind(self, point: Any) -> Any:
        def mapped(block: Any, out: Any) -> None:
            sleep(block.seconds)
            out[:] = 1.0

        return mapped


def emulated(comm: MPI.Intracomm, hosts: str, count: str, features: str, work: str) -> dict[str, Any]:
    """Rounds of the real loop in all ways."""
    rows = []
    with Teams(comm) as teams:
        for ranks in map(int, hosts.split(",")):
            for way in WAYS if ranks > 1 else ALONE:
                one = teams.do(ranks, lambda team, way=way: _turns(team, way, int(count), int(features), float(work)))
                rows.append({"mode": way[0], "algorithm": way[1], "ranks": ranks, **(one or {})})
    return {"rows": rows}


def _turns(team: MPI.Intracomm, way: tuple[str, str], count: int, features: int, work: float) -> dict[str, Any]:
    """The middle one of some turns."""
    mode, algorithm = way
    turns = [_descend(team, MODES[mode].make(Team(team), algorithm), some, features, work) for some in (WARM, *[count] * TURNS)]
    return sorted(turns[1:], key=lambda turn: turn["seconds_per_round"])[TURNS // 2]


def _descend(team: MPI.Intracomm, topology: Any, count: int, features: int, work: float) -> dict[str, Any]:
    """Through the real loop, mode, sums and clock; only map and driver are not real."""
    query = Query([Sleep(features)])
    sums = Sums(query, topology.workers)
    sums.peaks[:] = 1.0
    sums.rebound()
    clock = Clock(team, nodes(team), team.size - topology.workers)
    shard: Any = Blocks([Nap(work / topology.workers)] if topology.worker >= 0 else [])
    rounds(topology, shard, sums, SomeRounds(count), query, [clock])
    clock.close()
    parts = clock.costs.mean()
    return {"workers": topology.workers, "seconds_per_round": sum(parts.values()), **parts}


def main() -> None:
    what, path, *words = sys.argv[1:]
    comm = MPI.COMM_WORLD
    names = nodes(comm)
    found = {"messages": messages, "neighbours": neighbours, "emulated": emulated}[what](comm, *words)
    if comm.rank == 0:
        Path(path).write_text(json.dumps({**found, "machine": machine(names), "versions": versions()}, indent=1))


if __name__ == "__main__":
    main()
