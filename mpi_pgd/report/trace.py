"""A timeline for Perfetto or chrome://tracing: one track a rank, and on it what the rank did in each round.

(Chrome's "Trace Event Format", 2016: complete events ``X``, and metadata events ``M`` that name the tracks.)
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from mpi_pgd.engine.arrays import Vector

EVENTS = 100_000  # at most, about 10 MB
LEAST = 5_000  # also of a short run
SHARE, SECONDS = 0.005, 1.5e-6  # of the rounds' time that writing may take; what an event takes
HEAD = '{"displayTimeUnit": "ms", "traceEvents": ['
NAMES = ("input", "compute", "wait", "wire", "update", "wire")  # between the seven times of a rank's round
EVENT = '{"ph": "X", "name": "%s", "pid": {pid}, "tid": {tid}, "ts": %.3f, "dur": %.3f, "args": {"round": %d}}'


def rounds_of(ranks: int, seconds: float = math.inf) -> int:
    """How many rounds a trace holds, of all that took so many seconds: the last ones, and few enough not to cost much."""
    events = max(LEAST, min(EVENTS, SHARE * seconds / SECONDS))
    return max(1, int(events / (len(NAMES) * ranks)))


def write(path: Path, nodes: Sequence[str], first: int, times: Vector) -> None:
    """Write the file.

    Args:
        path: where.
        nodes: the node of each rank.
        first: number of the first round, counted from 0.
        times: (ranks, rounds, 7) seconds on one clock: reading begins, start, arrival, end of the wait, update begins, update ends,
            end.
    """
    path.write_text(f"{HEAD}\n" + ",\n".join(_events(nodes, first, times)) + "\n]}\n", encoding="utf-8")


def _events(nodes: Sequence[str], first: int, times: Vector) -> Iterator[str]:
    """A process for each node, a thread for each rank; the times in microseconds since the first."""
    places = {node: number + 1 for number, node in enumerate(dict.fromkeys(nodes))}
    for node, place in places.items():
        yield json.dumps({"ph": "M", "name": "process_name", "pid": place, "tid": 0, "args": {"name": f"node {node}"}})
    begun = times[times[:, :, 0] > 0, 0]  # a round that a rank skipped is all zeros
    zero = float(begun.min()) if begun.size else 0.0
    for rank, node in enumerate(nodes):
        where = {"pid": places[node], "tid": rank + 1}
        yield json.dumps({"ph": "M", "name": "thread_name", **where, "args": {"name": f"rank {rank}"}})
        yield from _spans(where, first, (times[rank] - zero) * 1e6)


def _spans(where: Mapping[str, int], first: int, marks: Vector) -> Iterator[str]:
    """The parts of a rank's rounds, (rounds, 7) microseconds; those of no length are left out."""
    event = EVENT.replace("{pid}", str(where["pid"])).replace("{tid}", str(where["tid"]))
    lengths = np.diff(marks, axis=1)
    there = np.nonzero(lengths > 0)
    columns = (*there, marks[:, :-1][there], lengths[there])
    for turn, name, begin, length in zip(*(column.tolist() for column in columns), strict=True):
        yield event % (NAMES[name], begin, length, first + turn)
