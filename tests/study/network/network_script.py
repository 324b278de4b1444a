"""Run by test_network.py inside MPI: measures a little, and says what came out of it."""

import json
import sys
from typing import Any

from mpi4py import MPI

from mpi_pgd.comm.world import guard
from mpi_pgd.study.model import Model
from mpi_pgd.study.network.measure import measure


def main(arguments: dict[str, Any]) -> None:
    world = MPI.COMM_WORLD
    found = measure(world, **arguments)
    assert bool(found) == (world.rank == 0)
    if found:
        model = Model.from_record(json.loads(json.dumps(found, allow_nan=False)))
        ways = [(mode, algorithm) for _, mode, algorithm in model.curves if mode]
        found["predicted"] = {" ".join(way): model.round(*way, world.size, 100_000, 50) for way in ways}
        print("FOUND", json.dumps(found))


if __name__ == "__main__":
    with guard(MPI.COMM_WORLD):
        main(json.loads(sys.argv[1]))
