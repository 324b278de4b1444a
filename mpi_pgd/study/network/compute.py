"""How fast a rank maps rows and updates within rounds: alone, and among others, which share memory and disturb caches.

A map in a loop of its own has its rows in the caches; between messages, the kernel's and the library's data take their place, and
cores that wait run slower. So all is timed in real rounds among peers, at sizes that fit into caches and at one that does not.
"""

import os
from collections.abc import Sequence
from time import perf_counter
from typing import Any, NamedTuple, cast

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm.world import freed, rest
from mpi_pgd.data.budget import available_bytes
from mpi_pgd.data.partition import BLOCK_BYTES, Partition
from mpi_pgd.drivers.fit import FitDriver
from mpi_pgd.drivers.history import History
from mpi_pgd.drivers.objective import Objective, Scaling
from mpi_pgd.engine.arrays import aligned
from mpi_pgd.engine.block import Block, Blocks
from mpi_pgd.engine.loop import rounds
from mpi_pgd.engine.query import Query
from mpi_pgd.engine.sums import Sums
from mpi_pgd.engine.tasks import Ask, GradientTask
from mpi_pgd.losses.squared import Squared
from mpi_pgd.modes.peer_to_peer import PeerToPeer
from mpi_pgd.observers.clock import Clock
from mpi_pgd.observers.costs import PARTS, split
from mpi_pgd.solvers.gd import GradientDescent


class Size(NamedTuple):
    """Of one rank's rows."""

    features: int
    bytes: int


RANK_BYTES, QUICK_BYTES = 128 << 20, 64 << 20  # of the rows that are more than a rank's share of the caches
SHARE = 0.125  # of the memory that is there, for the rows of all ranks of a node
WIDE = 200  # features of these
CACHED = (Size(30, 512 << 10), Size(3000, 8 << 20))  # what may stay in caches
LENGTHS, SMALL_BYTES = (1, 8, 32, WIDE, 1000, 4000, 60_000), 32 << 20  # features and bytes of rows of other lengths
NARROW, FEW = 8, 64  # features and rows of tiny blocks
LONG = Size(200_000, 8 << 20)  # of the update's second point
ROUNDS, QUICK_ROUNDS = 25, 10
SECONDS, QUICK_SECONDS = 1.0, 0.3  # that the rounds of one measurement may take
PATTERN = 4099  # numbers that rows are made of


def measure(
    comm: MPI.Intracomm, nodes: list[int], counts: Sequence[int], quick: bool = False, own: Sequence[Size] = ()
) -> dict[str, Any]:
    """What network.json holds under "compute", on rank 0; nothing on the others. Collective.

    Args:
        comm: all ranks.
        nodes: the number of each rank's node.
        counts: the first so many ranks are at work at once, in each measurement; all of them and one are in any case.
        quick: fewer rounds and rows, and nothing about rows of other lengths and small blocks.
        own: sizes in place of those that caches may hold, as far as they are smaller than the large one.
    """
    fullest = max(map(nodes.count, nodes))
    room = np.array(int(min(QUICK_BYTES if quick else RANK_BYTES, SHARE * available_bytes() / fullest)))
    comm.Allreduce(MPI.IN_PLACE, room, MPI.MIN)
    large = Size(WIDE, int(room))
    sizes = [size for size in dict.fromkeys(own or CACHED) if size.bytes < large.bytes] + [large]
    limits = (QUICK_ROUNDS, QUICK_SECONDS) if quick else (ROUNDS, SECONDS)
    paces: list[dict[str, Any]] = []
    found: dict[str, Any] = {}
    for ranks in sorted({1, *counts, comm.size}):
        part = cast(MPI.Intracomm, comm.Split(0 if comm.rank < ranks else MPI.UNDEFINED, comm.rank))
        if part != MPI.COMM_NULL:
            with freed(part):
                some = [_pace(part, size, *limits) for size in sizes]
                if ranks == 1:
                    found = _alone(part, some[-1], large.bytes, quick)
                paces += [{"ranks": ranks, **size._asdict(), **pace._asdict()} for size, pace in zip(sizes, some, strict=True)]
        rest(comm)  # those that wait are idle
    if comm.rank:
        return {}
    together = {"ranks": fullest, "bytes_per_second": min(large.bytes / paces[-1]["seconds"], found["bytes_per_second"])}
    noise = {"jitter_seconds": paces[-1]["jitter_seconds"], "pass_seconds": paces[-1]["seconds"]}
    return {**found, "paces": paces, "together": together, **noise, "cores": os.cpu_count() or 1}


class Pace(NamedTuple):
    """Of a rank among others, in rounds: medians, seconds.

    Attributes:
        seconds: a map, the mean over the ranks.
        wait_seconds: for the slowest of them.
        jitter_seconds: the mean excess over the fastest map, from the median one: of an exponential excess that is mean * ln 2.
        update_seconds: an update.
    """

    seconds: float
    wait_seconds: float
    jitter_seconds: float
    update_seconds: float


def _pace(comm: MPI.Intracomm, size: Size, count: int, limit: float, block_rows: int = 0) -> Pace:
    """In ``count`` rounds of gradient descent, or those that begin within ``limit`` seconds, each rank with rows of its own.

    Collective; rank 0 knows.
    """
    blocks, step = _rows(size, block_rows)
    end, ones = perf_counter() + limit, np.ones(size.features + 1)
    scaling = Scaling.of(0 * ones, ones, ones, True, True)
    objective = Objective(comm.size * sum(block.rows for block in blocks), scaling, Squared(), None, True)
    task = GradientTask(Squared(), size.features, step)
    driver = FitDriver(objective, {Ask.GRADIENT: task}, GradientDescent("auto"), count, 0.0, lambda *_: None, History(0.0))
    query, clock = Query([task]), Clock(comm, [""] * comm.size, 0, keep=count + 1)
    sums = Sums(query, comm.size * len(blocks))
    rounds(PeerToPeer(comm), blocks, sums, driver, query, [clock], lambda: (perf_counter() > end, False))
    clock.close()
    if comm.rank:
        return Pace(*[np.nan] * 4)
    parts = split(np.concatenate(clock.costs.recent, axis=1))[:, -max(1, clock.costs.rounds - 1) :]  # not of the opening round
    middle = dict(zip(PARTS, np.median(parts, axis=1).mean(axis=0).tolist(), strict=True))
    maps = parts[:, :, 0]
    jitter = np.median(np.median(maps, axis=1) - maps.min(axis=1)) / np.log(2)
    return Pace(middle["compute"], middle["wait"], float(jitter), middle["update"])


def _rows(size: Size, block_rows: int = 0) -> tuple[Blocks, int]:
    """Blocks of so many rows, or of as many as is usual."""
    rows = max(1, size.bytes // (8 * (size.features + 1)))
    step = block_rows or Partition(rows, size.features).block_rows
    x, y = aligned((rows, size.features), np.float64), aligned((rows,), np.float64)
    pattern = np.random.default_rng(0).standard_normal(PATTERN)
    x[:], y[:] = np.resize(pattern, x.shape), np.resize(pattern[::-1], rows)
    return Blocks(Block(x[start : start + step], y[start : start + step]) for start in range(0, rows, step)), step


def _alone(comm: MPI.Intracomm, large: Pace, room: int, quick: bool) -> dict[str, Any]:
    """What only one rank measures; rows of other lengths and tiny blocks not if it has to be quick."""
    few, many = (_pace(comm, size, QUICK_ROUNDS, QUICK_SECONDS).update_seconds for size in (CACHED[0], LONG))
    each = max(0.0, many - few) / (LONG.features - CACHED[0].features)
    update = max(0.0, few - each * CACHED[0].features)
    found = {"bytes_per_second": room / large.seconds, "update_seconds": update, "feature_seconds": each}
    return found if quick else found | _shaped(comm)


def _shaped(comm: MPI.Intracomm) -> dict[str, Any]:
    """The rates of rows of other lengths, and the seconds of a block beyond those of full size: of one of very few rows."""
    lengths = []
    for features in LENGTHS:
        took = _pace(comm, Size(features, SMALL_BYTES), QUICK_ROUNDS, QUICK_SECONDS).seconds
        lengths.append({"features": features, "bytes_per_second": SMALL_BYTES / took})
    few = _pace(comm, Size(NARROW, SMALL_BYTES), QUICK_ROUNDS, QUICK_SECONDS, FEW).seconds
    usual = SMALL_BYTES / lengths[LENGTHS.index(NARROW)]["bytes_per_second"]
    blocks = SMALL_BYTES / (8 * (NARROW + 1)) / FEW - SMALL_BYTES / BLOCK_BYTES
    return {"lengths": lengths, "block_seconds": max(0.0, few - usual) / blocks}
