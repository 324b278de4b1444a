"""A quick look at the network: ping-pongs from rank 0 to one rank of its node, and to one of each of some other nodes."""

from collections.abc import Sequence
from time import perf_counter, sleep

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm.world import PAUSE, rest
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.study.doctor.crashes import Crashes
from mpi_pgd.study.doctor.signs import Ping, leaders

NODES = 8  # other nodes, at most
NUMBERS = (1, 1 << 15, 1 << 19)  # 8 B for the latency; 4 MiB for the bandwidth, but 256 KiB where that is slow enough
SLOW = 5e-3  # seconds one way for 256 KiB
TRIPS, LIMIT = 500, 0.08  # at most, and at most so many seconds (but at least one trip)
MORE, LAST = 0.0, 1.0


def pings(comm: MPI.Intracomm, names: Sequence[str], crashes: Crashes) -> list[Ping]:
    """What rank 0 measured, on rank 0; nothing on the others. Collective; ``names`` are the nodes of the ranks.

    The other ranks sleep meanwhile: where ranks outnumber cores, their polling would be measured instead of the network.
    """
    found = []
    for rank in partners(names):
        if comm.rank == 0:
            with crashes.part("shared memory" if names[rank] == names[0] else "network"):
                found.append(_measure(comm, rank, names))
        elif comm.rank == rank:
            _answer(comm)
    rest(comm)
    return found


def partners(names: Sequence[str]) -> list[int]:
    """The next rank of rank 0's node, and the first ranks of at most ``NODES`` other nodes, spread over all."""
    neighbours = [rank for rank in range(1, len(names)) if names[rank] == names[0]]
    others = leaders(names)[1:]
    chosen = [others[i * len(others) // NODES] for i in range(NODES)] if len(others) > NODES else others
    return neighbours[:1] + chosen


def _measure(comm: MPI.Intracomm, rank: int, names: Sequence[str]) -> Ping:
    small, middle, large = NUMBERS
    try:
        alpha, again = _trip(comm, rank, small), _trip(comm, rank, middle)
        if again < SLOW:
            middle, again = large, _trip(comm, rank, large)
    finally:
        comm.Send(np.array([LAST]), rank)  # in any case: it waits for it
    bandwidth = 8 * middle / max(again - alpha, 1e-9)
    return Ping(rank, names[rank], names[rank] == names[0], alpha, bandwidth)


def _trip(comm: MPI.Intracomm, rank: int, numbers: int) -> float:
    """Seconds one way, from the fastest trip."""
    buffer: Vector = np.full(numbers, MORE)
    best, start = float("inf"), perf_counter()
    for _ in range(TRIPS):
        before = perf_counter()
        comm.Send(buffer, rank)
        comm.Recv(buffer, rank)
        now = perf_counter()
        best = min(best, now - before)
        if now - start > LIMIT:
            break
    return best / 2


def _answer(comm: MPI.Intracomm) -> None:
    """Send back what comes, until the last word; asleep before the first."""
    while not comm.Iprobe(0):
        sleep(PAUSE)
    buffer: Vector = np.zeros(NUMBERS[-1])
    status = MPI.Status()
    while True:
        comm.Recv(buffer, 0, status=status)
        if buffer[0] == LAST:
            return
        comm.Send(buffer[: status.Get_count(MPI.DOUBLE)], 0)
