"""A timeline for Perfetto or chrome://tracing: one track a rank, and on it what the rank did in each round.

(Chrome's "Trace Event Format", 2016: complete events ``X``, and metadata events ``M`` that name the tracks.)
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from mpi_pgd.arrays import Vector

EVENTS = 100_000  # at most, but for the last rounds that are always kept; about 9 MB
NAMES = ("compute", "wait", "wire", "update", "wire")  # between the six times of a rank's round


def rounds_of(ranks: int) -> int:
    """How many rounds a trace holds, if there are so many: the last ones."""
    return max(1, EVENTS // (len(NAMES) * ranks))


def write(path: Path, nodes: Sequence[str], first: int, times: Vector) -> None:
    """Write the file.

    Args:
        path: of the file.
        nodes: the node of each rank.
        first: number of the first round, counted from 0.
        times: (ranks, rounds, 6) seconds on one clock: start, arrival, end of the wait, update begins, update ends, end.
    """
    with path.open("w") as file:
        file.write('{"displayTimeUnit": "ms", "traceEvents": [\n')
        file.write(",\n".join(json.dumps(event) for event in _events(nodes, first, times)))
        file.write("\n]}\n")


def _events(nodes: Sequence[str], first: int, times: Vector) -> Iterator[dict[str, object]]:
    """A process for each node, a thread for each rank; the times in microseconds since the first."""
    places = {node: number + 1 for number, node in enumerate(dict.fromkeys(nodes))}
    for node, place in places.items():
        yield {"ph": "M", "name": "process_name", "pid": place, "tid": 0, "args": {"name": f"node {node}"}}
    zero = float(times[:, :, 0].min()) if times.size else 0.0
    for rank, node in enumerate(nodes):
        where = {"pid": places[node], "tid": rank + 1}
        yield {"ph": "M", "name": "thread_name", **where, "args": {"name": f"rank {rank}"}}
        for number, marks in enumerate((times[rank] - zero) * 1e6):
            for name, begin, end in zip(NAMES, marks[:-1].tolist(), marks[1:].tolist(), strict=True):
                if end > begin:
                    args = {"round": first + number}
                    yield {"ph": "X", "name": name, **where, "ts": round(begin, 3), "dur": round(end - begin, 3), "args": args}
