"""The sum of a round by nodes, beside the MPI library's Allreduce on the same ranks, in turns.

    mpirun -n N python benchmarks/nodewise.py [FEATURES ...]      # default: 200 and 1,000,000
    python benchmarks/nodewise.py --hosts 2 --ranks 8 [FEATURES ...]    # on hosts of 1 ms and 100 Mbit/s (tests/hosts.py); root

The collective alone: batches of calls back to back, one way and the other by turns; a batch is the slowest rank's. Told are the
medians, and the median of the ratios turn by turn, with its quartiles. Vectors lie where the mode has them.
"""

import argparse
import sys
from pathlib import Path
from time import perf_counter

import numpy as np

from mpi_pgd.study.model import sizes

TURNS = 21
SECONDS = 0.03  # of a batch, about


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("features", nargs="*", type=int, default=[200, 1_000_000])
    parser.add_argument("--hosts", type=int, default=0)
    parser.add_argument("--ranks", type=int, default=8)
    asked = parser.parse_args()
    if asked.hosts:
        return on_hosts(asked)
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    for features in asked.features:
        turns = timed(comm, sizes(features)[0] // 8)
        if comm.rank == 0:
            library, nodewise = np.median(turns, axis=0) * 1e6
            low, middle, high = np.quantile(turns[:, 1] / turns[:, 0], (0.25, 0.5, 0.75))
            print(
                f"{MPI.get_vendor()[0]}, {comm.size} ranks, p = {features:,}: Allreduce {library:,.1f} us, by nodes "
                f"{nodewise:,.1f} us; ratio {middle:.2f} ({low:.2f} to {high:.2f})",
                flush=True,
            )
    return 0


def timed(comm, numbers):
    """Seconds of a call, (turns, 2): the library's and by nodes."""
    from mpi4py import MPI

    from mpi_pgd.modes import hierarchical, peer_to_peer

    (library,) = peer_to_peer.FACTS.opened(comm, peer_to_peer.FACTS.names[0])
    (nodewise,) = hierarchical.FACTS.opened(comm, hierarchical.FACTS.names[0])
    ways = [(library, np.zeros(numbers)), (nodewise, nodewise.vector(numbers))]

    def batch(way, count):
        collective, vector = way
        comm.Barrier()
        start = perf_counter()
        for _ in range(count):
            collective(vector)
        took = np.array((perf_counter() - start) / count)
        comm.Allreduce(MPI.IN_PLACE, took, MPI.MAX)
        return float(took)

    counts = [max(1, round(SECONDS / batch(way, 3))) for way in ways]
    count = min(counts)
    return np.array([[batch(way, count) for way in ways] for _ in range(TURNS)])


def on_hosts(asked):
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tests.hosts import Hosts
    from tests.launch import libraries

    with Hosts(asked.hosts) as hosts:
        for library in libraries().values():
            result = hosts.mpirun(library, asked.ranks, *asked.features, script=Path(__file__), timeout=100)
            print(result.stdout if result.returncode == 0 else result, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
