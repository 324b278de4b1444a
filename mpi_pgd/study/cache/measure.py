"""Rounds with rows in memory and with rows that are read each time, from the page cache and from the disk."""

import math
import sys
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm.world import agreement, anyone, rest
from mpi_pgd.config import MEMORY, NONE
from mpi_pgd.data.memory import MemoryShard
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.loop import StopFlags
from mpi_pgd.modes import AMONG_PEERS
from mpi_pgd.observers.costs import Costs, split
from mpi_pgd.report.progress import steps
from mpi_pgd.report.shapes import PARTS
from mpi_pgd.session.descend import descend
from mpi_pgd.session.inspect import Problem
from mpi_pgd.session.kept import kept
from mpi_pgd.session.load import choose_mode, load_rows
from mpi_pgd.session.prepare import take_moments
from mpi_pgd.study.trust import disturbed
from mpi_pgd.study.turns import described, others_work, watched
from mpi_pgd.system.disk import drop, fetched

PAGES, DISK = "page cache", "disk"
COLD = 3  # rounds from the disk: before each of them the files are dropped from the page cache
THERE = 0.9  # of the bytes that are read: so much the disk has to give in a round that is to be one from the disk


def measured(problem: Problem, flags: StopFlags) -> dict[str, Any] | None:
    """The record; None if a signal ended it. Collective."""
    chosen = problem.settings
    ways = [MEMORY, *(["auto"] if chosen.memory != "auto" else []), NONE]
    turns = [(source, way) for source in (PAGES, DISK) for way in ways]
    others, rows = others_work(problem), []
    for source, way in steps("way", turns, watched(problem)):
        memory = "auto" if way == MEMORY else chosen.memory
        changed = problem.on(problem.comm, **AMONG_PEERS, tol=0.0, cache=way, memory=memory)
        row = _row(changed, source, flags)
        if anyone(problem.comm, flags()[1]):
            return None
        rows.append({"kept": "some" if way == "auto" else way, "source": source, **row})
    seen = others()
    if problem.comm.rank:
        return None
    for source in (PAGES, DISK):
        _judge([row for row in rows if row["source"] == source])
    doubts = disturbed(seen)
    shares = [row["disk_share"] for row in rows if row["source"] == DISK and row["streamed_bytes"]]
    if shares and min(shares) < THERE:
        doubts = [*doubts, f"the disk gave {min(shares):.0%} of the bytes in rounds that were to read from it: see By the disk"]
    return {"rows": rows, "data": described(problem), "doubts": doubts}


def _row(problem: Problem, source: str, flags: StopFlags) -> dict[str, Any]:
    """One way: its rounds, by part; on rank 0."""
    comm, mode = problem.comm, choose_mode(problem)
    forget = _forgetting(problem) if source == DISK else lambda: None
    forget()
    begun = perf_counter()
    shard = load_rows(problem, mode)
    comm.Barrier()
    load, where = perf_counter() - begun, kept(problem, shard)
    setup = take_moments(problem, mode, shard, flags)
    streams = sum(where.streamed) > 0
    cold, found, disk = streams and source == DISK, [], 0
    for _ in range(COLD if cold else 1):
        forget()
        before = fetched()
        one = problem.on(comm, rounds=0 if cold else problem.settings.rounds)
        costs = descend(one, mode, shard, setup, flags, lambda *_: None, keep=sys.maxsize).costs
        found.append(_parts(costs, cold))
        disk += comm.allreduce(fetched() - before)
    alone = _alone(comm, shard, forget)
    made = COLD if cold else comm.bcast(costs.rounds)
    parts = dict(zip(PARTS, np.mean(found, axis=0).tolist(), strict=True))
    return {
        "memory_bytes": sum(where.memory),
        "streamed_bytes": sum(where.streamed),
        "rounds": made,
        "load_seconds": load,
        "seconds_per_round": sum(parts.values()),
        **parts,
        "disk_share": min(1.0, disk / made / sum(where.streamed)) if streams else None,
        "reading": alone,
    }


def _parts(costs: Costs, first: bool) -> Vector:
    """Seconds of each part of a round, mean over ranks: of the first, with no file in the page cache; or of the others."""
    if not costs.recent:
        return np.zeros(len(PARTS))
    parts = split(np.concatenate(costs.recent, axis=1))
    return np.asarray((parts[:, :1] if first else parts[:, -max(1, parts.shape[1] - 1) :]).mean(axis=(0, 1)))


def _forgetting(problem: Problem) -> Callable[[], None]:
    """What has a rank of each node drop the files from the page cache, while the others rest. Collective."""
    names, comm = problem.nodes, problem.comm
    paths = sorted({stamp.path for part in problem.table.parts for stamp in part.files})

    def forget() -> None:
        with agreement(comm):
            if names.index(names[comm.rank]) == comm.rank:
                drop(paths)
        rest(comm)
        comm.Barrier()

    return forget


def _alone(comm: MPI.Intracomm, shard: MemoryShard, forget: Callable[[], None]) -> float:
    """Seconds of reading what streams and nothing else, of the slowest rank, the median of some turns. Collective."""
    taken = []
    for _ in range(COLD):
        forget()
        begun = perf_counter()
        with agreement(comm):
            shard.stream.read(shard.streamed, shard.settle)
        taken.append(comm.allreduce(perf_counter() - begun, MPI.MAX))
    return float(np.median(taken))


def _judge(rows: list[dict[str, Any]]) -> None:
    """Write what memory is worth into the rows of one source, of which the first has all in memory."""
    memory, *others = rows
    memory.pop("reading")
    beside = memory["seconds_per_round"] - memory["compute"]
    for row in others:
        row["predicted_seconds_per_round"] = max(row.pop("reading"), memory["compute"]) + beside
        first, second = (_pays(memory, row, row[key]) for key in ("seconds_per_round", "predicted_seconds_per_round"))
        row |= {"pays": first, "predicted_pays": second}


def _pays(memory: dict[str, Any], row: dict[str, Any], each: float) -> int | None:
    """The first round by whose end rows in memory have taken no longer than those of ``row``, whose rounds take ``each``."""
    more, less = memory["load_seconds"] - row["load_seconds"], each - memory["seconds_per_round"]
    if more <= 0 and less >= 0:
        return 1
    return max(1, math.ceil(more / less)) if less > 0 else None
