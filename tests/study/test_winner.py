"""Who wins a race is who wins by a plain timing of the same rounds, without our clock, on hosts behind links."""

import json
from pathlib import Path

import pytest

from mpi_pgd.data.make import make
from tests.hosts import Hosts, unavailable
from tests.launch import any_library

pytestmark = [pytest.mark.beside("hosts"), pytest.mark.thorough, pytest.mark.skipif(unavailable() != "", reason=unavailable())]

WAYS = [("client-server", "library"), ("client-server", "linear"), ("peer-to-peer", "ring"), ("peer-to-peer", "recursive-doubling")]
NEAR = 1.1  # times as long: then either may win
# A race, and the same turns once more, where but the time from the first round's end to the last one's is taken, on rank 0.
TIMED = """
import json, sys
from statistics import median
from time import perf_counter
from mpi4py import MPI
from mpi_pgd import config
from mpi_pgd.engine.loop import Observer
from mpi_pgd.observers.costs import Costs
from mpi_pgd.session import descend
from mpi_pgd.session.inspect import inspect_files
from mpi_pgd.study.turns import WARM, Contestant, Race, row

class Plain(Observer):
    def __init__(self, comm, nodes, first, *more):
        self.costs, self.ends = Costs(nodes, first, False, 0), []
    def asked(self, query):
        self.ends.append(perf_counter())
    def close(self):
        if len(self.ends) > WARM + 1:
            plain.append((self.ends[-1] - self.ends[0]) / (len(self.ends) - 1))

comm, plain = MPI.COMM_WORLD, []
problem = inspect_files(comm, config.settings({"data": (sys.argv[1],), "solver": "nesterov", "rounds": 12, "quiet": True}))
ways = [Contestant(*way, comm.size, problem.rows) for way in json.loads(sys.argv[2])]
turns = Race(problem, lambda: (False, False)).run(ways, 3)
descend.Clock = Plain
Race(problem, lambda: (False, False)).run(ways, 3)
if comm.rank == 0:
    raced = [row(one, turns[one])["seconds_per_round"] for one in ways]
    print(json.dumps([raced, [median(plain[place::len(ways)]) for place in range(len(ways))]]))
"""


@pytest.mark.parametrize(("number", "way", "bandwidth", "features"), [(0, 5e-3, 20e6, 300), (1, 1e-3, 100e6, 3000)])
def test_it_wins_by_a_plain_timing(number: int, way: float, bandwidth: float, features: int, tmp_path: Path) -> None:
    make(tmp_path / "rows.h5", 1000, features)
    script = tmp_path / "timed.py"
    script.write_text(TIMED)
    with Hosts(4, way, bandwidth) as hosts:
        result = hosts.mpirun(any_library(number), 4, tmp_path / "rows.h5", json.dumps(WAYS), script=script)
    assert result.returncode == 0, result
    raced, plain = json.loads(result.stdout)
    assert plain[raced.index(min(raced))] <= NEAR * min(plain), (raced, plain)
