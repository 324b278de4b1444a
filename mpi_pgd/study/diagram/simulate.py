"""The messages of a round, simulated: from the schedules that are run on the wire, and from graphs of neighbours."""

from collections.abc import Iterator, Sequence
from typing import Any

from mpi_pgd.comm.algorithms import TREE_SERVED, Algorithm
from mpi_pgd.comm.paths import Costs, Message, simulated
from mpi_pgd.comm.schedules import NUMBER, Step
from mpi_pgd.modes import MODES, WAYS

TICK = 1e-12  # seconds: what is simulated is counted in whole ones of these
MANY = 1024  # ranks up to which the time of a round's messages is told
PARTS: dict[str, tuple[str, Any]] = {  # what a message holds, and how it is drawn
    "a part of the sum": ("wire", "-"),
    "the result": ("blue", "--"),
    "a peer's own point": ("violet", "-"),
    "in memory that a node's ranks share": ("text", ":"),
}
MIXED = "peers with neighbours sum nothing over all ranks in a round, so they need more rounds"


def diagram(ranks: int, features: int, latency: float, bandwidth: float, per_node: int) -> dict[str, Any]:
    """The record, without what says where it comes from: the messages on so many ranks, and the time on 2 to ``MANY``.

    ``latency`` in seconds, ``bandwidth`` in bytes a second. Where nodes are told apart they have ``per_node`` ranks each, and what
    goes through a node's own memory takes no time beside the network's.
    """
    from mpi_pgd.study.model import sizes

    costs = Costs(round(latency / TICK), 0, round(NUMBER / bandwidth / TICK))
    rows, sent, growth = [], [], []
    for mode, one in known():
        who, lengths = {"mode": mode, "algorithm": one.name}, MODES[mode].messages(*sizes(features), 0)
        each = per_node if MODES[mode].nodewise else 1
        found = messages(mode, one, -(-ranks // each), lengths, costs)
        if not found:
            continue  # no such graph has so many ranks, or there is one node
        total, last = sum(message["bytes"] for message in found), max(message["came"] for message in found)
        moved = [message | {end: each * message[end] for end in ("sender", "receiver")} for message in found]
        sent += [{**who, **message} for message in [*moved, *_shared(ranks, each, lengths[0], last)]]
        rows.append({**who, "ranks": ranks, "messages": len(found), "bytes": total, "seconds": last})
        for many in (2**power for power in range(1, MANY.bit_length()) if 2**power > each):
            path = one.shapes[0](-(-many // each), lengths[0], lengths[-1])
            growth.append({**who, "ranks": many, "seconds": latency * path.latencies + path.bytes / bandwidth})
    inputs = {"ranks": ranks, "features": features, "latency, seconds": latency, "bandwidth, bytes a second": bandwidth}
    inputs["ranks of a node"] = per_node
    return {
        "rows": rows,
        "sent": sent,
        "growth": growth,
        "inputs": inputs,
        "notes": [MIXED] * any(MODES[row["mode"]].neighbours for row in rows),
        "simulated": True,
    }


def known() -> Iterator[tuple[str, Algorithm]]:
    """Each algorithm whose steps are known, with its mode; for the library's with a server stands a tree.

    Of modes that tell nodes apart the first one alone: between nodes these send what other modes send between ranks.
    """
    told = set()
    for (mode, _), one in WAYS.items():
        shown = TREE_SERVED if one.library and one.schedules[1:] else one
        if mode not in told and (MODES[mode].neighbours or not shown.library):
            yield mode, shown
            told |= {mode} if MODES[mode].nodewise else set()


def _shared(ranks: int, each: int, size: int, last: float) -> Iterator[dict[str, Any]]:
    """What goes through the memory of nodes of so many ranks: all parts to the first one, and in the end the sum from there."""
    memory = [*PARTS][-1]
    for rank in range(ranks):
        if first := rank % each:
            yield {"sender": rank, "receiver": rank - first, "bytes": size, "part": memory, "left": 0.0, "came": 0.0}
            yield {"sender": rank - first, "receiver": rank, "bytes": size, "part": memory, "left": last, "came": last}


def messages(mode: str, algorithm: Algorithm, ranks: int, sizes: Sequence[int], costs: Costs) -> list[dict[str, Any]]:
    """Those of a round whose collectives have so many bytes, in the order in which they leave; seconds from its start."""
    summed, result, point, _ = PARTS
    plans = [[*_whole(algorithm, sizes, rank, ranks)] for rank in range(ranks)]
    seen: list[Message] = []
    if MODES[mode].neighbours:  # all leave at once, and share the links
        for rank, step in ((rank, step) for rank, plan in enumerate(plans) for step in plan):
            took = costs.number * len(step.send) * max(len(plans[rank]), len(plans[step.to]))
            seen.append(Message(rank, step.to, len(step.send), 0, costs.latency + took, False))
    else:
        simulated(lambda rank, *_: iter(plans[rank]), ranks, 0, 1, costs, seen)
    return [
        {
            "sender": one.sender,
            "receiver": one.receiver,
            "bytes": NUMBER * one.numbers,
            "part": point if MODES[mode].neighbours else summed if one.add else result,
            "left": one.left * TICK,
            "came": one.came * TICK,
        }
        for one in sorted(seen, key=lambda one: (one.left, one.sender, one.receiver))
    ]


def _whole(algorithm: Algorithm, sizes: Sequence[int], rank: int, ranks: int) -> Iterator[Step]:
    """A rank's steps of a round."""
    for schedule, size in zip(algorithm.schedules, sizes, strict=True):
        yield from schedule(rank, ranks, size // NUMBER)
