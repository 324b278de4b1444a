"""A network record without noise: what `network` would write of links with a known alpha and beta."""

from copy import deepcopy
from functools import cache
from typing import Any

from mpi_pgd.study.pieces import SHAPES, admitted, fitted

ALPHA, OVERHEAD, BETA = 1e-3, 1e-5, 8.7e-8
SIZES = [8 * 8**power for power in range(8)]


def record(link: str = "network", counts: tuple[int, ...] = (2, 3, 4), **compute: Any) -> dict[str, Any]:
    """One's own, to change."""
    return deepcopy(_record(link, counts, **compute))


@cache
def _record(link: str, counts: tuple[int, ...], **compute: Any) -> dict[str, Any]:
    rows, sums = [], []
    for (mode, algorithm), shapes in SHAPES.items():
        for ranks in counts if mode else (2,):
            if not admitted({"mode": mode, "algorithm": algorithm, "ranks": ranks}):
                continue
            for size in SIZES:
                row = {"kind": "collective" if mode else "ping-pong", "link": link, "mode": mode, "algorithm": algorithm}
                row |= {"ranks": ranks, "bytes": size}
                rows.append(row | {"seconds": seconds(shapes[0], ranks, size, size)})
                if mode == "client-server":
                    sums.append(row | {"seconds": seconds(shapes[0], ranks, size, 8)})
    nodes = {"node1": 4} if link == "node" else {f"node{number}": 1 for number in range(1, 5)}
    found = {"study": "network", "format": 1, "rows": rows, "sums": sums, "nodes": nodes}
    together = {"ranks": max(nodes.values()), "bytes_per_second": 1e10}
    return fitted(found | {"compute": {"bytes_per_second": 1e10, "together": together, "cores": 4} | compute})


def seconds(shape: Any, ranks: int, there: int, back: int) -> float:
    path = shape(ranks, there, back)
    return ALPHA * path.latencies + OVERHEAD * path.behind + BETA * path.bytes
