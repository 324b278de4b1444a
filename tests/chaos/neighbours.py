"""Fits of peers with neighbours whose rounds are delayed at random, and which end in every way: all peers stop together.

Each case is an mpirun of some fits, one after the other, as a hang of one is a hang of all.
"""

import json
from functools import partial
from pathlib import Path
from random import Random

from mpi_pgd.comm.graphs import GRAPHS
from mpi_pgd.data.make import make
from tests.chaos.common import LIMIT, Failed, Ground, Tally, available
from tests.launch import Library, launch

FITS = 20  # a case
RANKS = (2, 3, 4, 5, 8)
ENDS = ("tol", "rounds", "time", "signal", "broken")
LATE = 2e-3  # seconds that a rank's round takes longer, at most

SCRIPT = """
import json, sys, time
from random import Random
from mpi4py import MPI
from mpi_pgd import fit
from mpi_pgd.engine.partial import Partial, Vote

comm, (data, cases, late) = MPI.COMM_WORLD, (sys.argv[1], json.loads(sys.argv[2]), float(sys.argv[3]))
random, close = Random(comm.rank), Partial.close


def slowly(partial, over, signalled, **more):
    global calls
    time.sleep(random.choice([0.0, 0.0, random.uniform(0, late)]))
    calls += 1
    harmed = victim == comm.rank and calls >= after
    close(partial, over, signalled or (harmed and end == "signal"), **more)
    if harmed and end == "broken" and calls == after:
        partial.buffer[: partial.width] = float("inf")
        partial.votes[Vote.BROKEN] = 1


Partial.close = slowly
for case in cases:
    calls, (end, after, victim) = 0, map(case.pop, ("end", "after", "victim"))
    found = fit(data, mode="gossip", l2=0.1, comm=comm, **case)
    told = comm.gather((found.status, found.record["rounds"], found.record["weights_sha256"]))
    if comm.rank == 0:
        print(json.dumps([end, found.status, len(set(told))]), flush=True)
"""
ENDED = {
    "tol": ("converged", "precision reached"),
    "rounds": ("rounds exhausted",),
    "time": ("time exhausted", "converged"),
    "signal": ("stopped by signal", "converged"),
    "broken": ("converged", "precision reached", "rounds exhausted"),
}


def run(count: int, random: Random, ground: Ground, tally: Tally) -> None:
    """So many fits, ``FITS`` of them a case."""
    path, script = ground.folder / "peers.h5", ground.folder / "peers.py"
    make(path, 4000, 6, condition=10.0, noise=0.5)
    script.write_text(SCRIPT)
    libraries = available()
    for start in range(0, count, FITS):
        library, ranks = random.choice(libraries), random.choice(RANKS)
        fits = [_fit(random, ranks) for _ in range(min(FITS, count - start))]
        name = f"{library.name} {ranks} {', '.join(sorted({fit['graph'] for fit in fits}))}"
        tally.case(name, partial(_case, library, ranks, fits, path, script))


def _fit(random: Random, ranks: int) -> dict[str, object]:
    """The settings of a fit, how it is to end, who is harmed, and in which of its rounds."""
    end = random.choice(ENDS)
    graph = random.choice([each.name for each in GRAPHS.values() if each.admits(ranks)])
    words: dict[str, object] = {"end": end, "victim": random.randrange(ranks), "after": random.randint(8, 40), "graph": graph}
    words |= {"rounds": random.randint(1, 60) if end == "rounds" else 400, "tol": 1e-8 if end != "rounds" else 0.0}
    return words | ({"max_seconds": random.uniform(0.02, 0.3)} if end == "time" else {})


def _case(library: Library, ranks: int, fits: list[dict[str, object]], path: Path, script: Path) -> tuple[str, str]:
    result = launch(library, ranks, path, json.dumps(fits), LATE, script=script, timeout=2 * LIMIT)
    ends = [json.loads(line) for line in result.stdout.splitlines()]
    if result.returncode or len(ends) != len(fits):
        raise Failed(f"expected {len(fits)} fits: {result}")
    for end, status, different in ends:
        if status not in ENDED[end] or different > 1:
            raise Failed(f"a fit that was to end by {end} was {status!r}, in {different} ways: {result}")
    return "all peers stopped together", f"{len(ends)} fits"
