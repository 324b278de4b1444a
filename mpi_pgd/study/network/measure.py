"""The latency and bandwidth of this network: ping-pongs, and every collective of all modes over sizes and numbers of ranks.

A collective is timed as a bulk-synchronous program sees it: some calls back to back, no barrier between them; a batch's time is
the slowest rank's mean, and the call before it is not timed: it brings the ranks into the steps in which rounds follow each
other. What is measured is here, how it is timed in ``stage.py``.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import itemgetter
from typing import Any

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm import world
from mpi_pgd.comm.collectives import Collective
from mpi_pgd.comm.graphs import alike, graph
from mpi_pgd.comm.neighbours import Mixing
from mpi_pgd.comm.nodewise import NodeWise
from mpi_pgd.data.budget import available_bytes
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.query import Agreed
from mpi_pgd.modes import ALIKE, MODES, WAYS, differing
from mpi_pgd.study.network import compute
from mpi_pgd.study.network.stage import ALL, OWN, SUM_ONLY, Contest, Groups, Prepared, Stage
from mpi_pgd.study.pieces import NETWORK, NODE, fitted

SMALLEST, LARGEST = 8, 64 << 20  # bytes
QUICK_LARGEST = 4 << 20
FACTOR, QUICK_FACTOR = 4, 32  # from one size to the next
FEWEST = 8  # bytes a rank of what peers sum: with fewer, some send nothing, as never in a fit of fewer ranks than features
BENDS = range(32 << 10, 1 << 20)  # bytes: where libraries change how they send; there, a factor of 2
SECONDS = {NODE: 15.0, NETWORK: 90.0}  # for all the messages
QUICK_SECONDS = {NODE: 1.0, NETWORK: 5.0}
BATCHES, QUICK_BATCHES = 9, 3  # at most
MEMORY, VECTORS = 0.5, 4  # of what the node can give, for so many vectors of each rank
# Bytes that the busiest link carries at least for each byte of a vector, as in NCCL's tests: of m ranks so many times, and so
# many (m - 1)/m times. By these, figures of different operations and numbers of ranks can be held against each other.
BUS = {"reduce": (1, 0), "broadcast": (1, 0), "allreduce": (0, 2)}
PATTERN = np.arange(1.0, 1025.0)  # whole numbers, whose sums over ranks are exact in any order
WRONG = "numbers came out wrong, of whole ones whose sums are exact: trust no sum of this MPI library"
LONELY = "one rank sends nothing, so only its map was measured: start more ranks with mpirun -n"


def measure(
    comm: MPI.Intracomm,
    sizes: Sequence[int] | None = None,
    repeats: int | None = None,
    quick: bool = False,
    largest: int | None = None,
    seconds: float | None = None,
    shown: bool = False,
    own: tuple[int, int] | None = None,
    maps: Sequence[compute.Size] = (),
    ranks: Sequence[int] = (),
    per_node: int = 0,
) -> dict[str, Any]:
    """Measure the network and the map: what is particular to network.json on rank 0, nothing on the others. Collective.

    Args:
        comm: all ranks.
        sizes: bytes, each a multiple of 8; by default from 8 B on, a factor of 4 apart (32 if ``quick``).
        repeats: batches a point, at most.
        quick: in about 1 s within a node, 5 s between nodes, up to 4 MB; else about 15 s and 90 s, up to 64 MB.
        largest: the last of the default sizes, bytes.
        seconds: that the messages may take; what would take longer than what is left is not measured.
        shown: whether this rank says how far it is.
        own: bytes of the sums and of the broadcast of a problem's rounds, which are measured first, and however long they take.
        maps: sizes of ranks' rows, whose map and update are measured; by default see ``compute.measure``.
        ranks: the first so many, each; by default see ``counts``.
        per_node: ranks that a node is cut into nodes of, for modes that tell these apart; 0: none is.
    """
    names = world.nodes(comm)
    nodes = [names.index(name) for name in names]
    those = [count for count in ranks or counts(comm.size, quick) if count > 1]
    found: dict[str, Any] = {"fits": []}
    found["nodes"] = {names[node]: nodes.count(node) for node in dict.fromkeys(nodes)}
    found["compute"] = compute.measure(comm, nodes, those, quick, maps)
    link = NODE if len(set(nodes)) == 1 else NETWORK
    limit = (QUICK_SECONDS if quick else SECONDS)[link] if seconds is None else seconds
    wanted = sizes or list(_sizes(largest or (QUICK_LARGEST if quick else LARGEST), QUICK_FACTOR if quick else FACTOR))
    room = _room(comm, nodes)
    fitting = [size for size in wanted if size <= room]
    kinds = _kinds(comm, names, those, own, per_node, room)
    stage = Stage(limit, repeats or (QUICK_BATCHES if quick else BATCHES), shown)
    points = sorted(stage.points(comm, kinds, fitting, own[0] if own else 0), key=itemgetter("bytes"))
    for group in filter(None, [*kinds[0], *kinds[1]]):  # exchanges are on the collectives' communicators
        group[0].comm.Free()
    if comm.rank:
        return {}
    for name, what in (("rows", ALL), ("sums", SUM_ONLY), ("rounds", OWN)):
        found[name] = [{key: value for key, value in point.items() if key != "what"} for point in points if point["what"] == what]
    for row in found["rows"]:
        row["bus_bytes_per_second"] = row["bytes"] * _carried(row["mode"], row["algorithm"], row["ranks"]) / row["seconds"]
    wrong = sum(point["wrong"] for point in points)
    if own:
        found["rounds"] = [{**row, "broadcast": own[1]} for row in found["rounds"]]
    return fitted(found | {"seconds": limit, "notes": [LONELY] * (comm.size == 1) + [f"{wrong:,} {WRONG}"] * (wrong > 0)})


def _sizes(largest: int, factor: int) -> Iterator[int]:
    size = SMALLEST
    while size < largest:
        yield size
        size *= 2 if factor == FACTOR and size in BENDS else factor
    yield largest // 8 * 8


def _room(comm: MPI.Intracomm, nodes: list[int]) -> int:
    """Bytes that a vector may have, so that all of the fullest node fit into it. Collective."""
    room = np.array(MEMORY * available_bytes() / (VECTORS * nodes.count(nodes[comm.rank])))
    comm.Allreduce(MPI.IN_PLACE, room, MPI.MIN)
    return int(room)


# What is measured


def counts(ranks: int, quick: bool = False) -> list[int]:
    """The numbers of ranks that are measured: the powers of two and all, and 3 unless ``quick``."""
    powers = [1 << bit for bit in range(1, ranks.bit_length())]
    return sorted({count for count in (*powers, 2 if quick else 3, ranks) if 2 <= count <= ranks})


def _kinds(
    comm: MPI.Intracomm, names: Sequence[str], those: Sequence[int], own: tuple[int, int] | None, per_node: int, room: int
) -> tuple[Groups, Groups, Groups]:
    """Ping-pongs, collectives and exchanges. Collective."""
    kinds: tuple[Groups, Groups, Groups] = ([], [], [])
    for link, other in _partners([names.index(name) for name in names]).items():
        pair = _part(comm, comm.rank in (0, other))
        kinds[0].append([Contest(pair, link, None, "ping-pong", ALL, partial(_ping_pong, pair), "ping-pong", 2)] if pair else [])
    for count in those:
        part = _part(comm, comm.rank < count)
        kinds[1].append([*_collectives(part, names[:count], own, per_node)] if part else [])
        if not own:  # a problem's own rounds are of the others
            kinds[2].append([*_exchanges(part, names[:count], room)] if part else [])
    return kinds


def _partners(nodes: list[int]) -> dict[str, int]:
    """The next rank of rank 0's node, and the first of another, if there are such."""
    last_wins = {NODE if node == nodes[0] else NETWORK: rank for rank, node in reversed(list(enumerate(nodes))) if rank}
    return {link: last_wins[link] for link in (NODE, NETWORK) if link in last_wins}


def _part(comm: MPI.Intracomm, inside: bool) -> MPI.Intracomm | None:
    part = comm.Split(0 if inside else MPI.UNDEFINED, comm.rank)
    return part if isinstance(part, MPI.Intracomm) and inside else None


def _collectives(comm: MPI.Intracomm, names: Sequence[str], own: tuple[int, int] | None, per_node: int) -> Iterator[Contest]:
    link = NODE if len({*names}) == 1 else NETWORK
    for mode, name in differing(ALIKE, names, per_node):
        if MODES[mode].nodewise and link == NETWORK and not own:
            continue  # what it takes is made of what is measured within a node, and of the leaders' messages
        collectives = MODES[mode].opened(comm, name, per_node)
        kinds = [OWN, ALL] if own else [ALL, SUM_ONLY][: len(collectives)]
        for what in kinds:
            back = own[1] if own and what == OWN else 8 if what == SUM_ONLY else 0
            call = partial(_round, comm, MODES[mode].collectives, collectives, back)
            yield Contest(comm, link, mode, name, what, call, smallest=0 if len(collectives) > 1 else FEWEST * comm.size)


def _exchanges(comm: MPI.Intracomm, names: Sequence[str], room: int) -> Iterator[Contest]:
    """With neighbours, on each graph that so many ranks have; of the same one under several names the first."""
    link = NODE if len({*names}) == 1 else NETWORK
    for mode in (each.name for each in MODES.values() if each.neighbours):
        for name, *_ in alike(comm.size):
            mix = Mixing(comm, given := graph(name, comm.size))
            largest = VECTORS * room // (1 + given.degree)
            yield Contest(comm, link, mode, name, ALL, partial(_mixed, mix), "exchange", largest=largest)


def _mixed(mix: Mixing, size: int) -> Prepared:
    """A round of peers with neighbours; whether numbers come out wrong, is seen by the largest of each."""
    vector = _zeros(size)
    mix.maxima = len(vector)
    wrong = _wrong(mix.comm, 1.0 + max(mix.comm.rank, *mix.neighbours), mix, vector)
    mix.maxima = min(len(Agreed), len(vector))
    return Prepared(partial(mix, vector), wrong)


def _zeros(size: int) -> Vector:
    return np.full(size // 8, 0.0)  # written to: untouched memory would not be there yet


def _vector(collective: Collective, size: int) -> Vector:
    return collective.vector(size // 8) if isinstance(collective, NodeWise) else _zeros(size)


def _carried(mode: str | None, algorithm: str, ranks: int) -> float:
    if mode and MODES[mode].neighbours:
        return WAYS[mode, algorithm].shapes[0](ranks, 1, 0).bytes
    whole, shares = np.sum([BUS[name] for name in MODES[mode].collectives], axis=0) if mode else (1, 0)
    return float(whole + shares * (ranks - 1) / ranks)


def _round(comm: MPI.Intracomm, names: Sequence[str], collectives: Sequence[Collective], back: int, size: int) -> Prepared:
    """The collectives of a round, the first of so many bytes, the others of as many, or of ``back``."""
    sizes = [back if back and place else size for place in range(len(collectives))]
    vectors = [_vector(*each) for each in zip(collectives, sizes, strict=True)]

    def call() -> None:
        for collective, vector in zip(collectives, vectors, strict=True):
            collective(vector)

    each = zip(names, collectives, vectors, strict=True)
    wrong = sum(_wrong(comm, _expected(comm, name), collective, vector) for name, collective, vector in each)
    return Prepared(call, wrong)


def _expected(comm: MPI.Intracomm, name: str) -> float:
    """What comes of 1 on the first rank, 2 on the next, and so on; 0 where nothing does."""
    if name == "broadcast":
        return 1.0
    return 0.0 if name == "reduce" and comm.rank else comm.size * (comm.size + 1) / 2


def _wrong(comm: MPI.Intracomm, expected: float, collective: Callable[[Vector], None], vector: Vector) -> int:
    """How many numbers come out wrong on any rank. Leaves zeros."""
    fill, wrong = comm.rank + 1.0, 0
    parts = [vector[: len(vector) // len(PATTERN) * len(PATTERN)].reshape(-1, len(PATTERN))]
    parts.append(vector[parts[0].size :][None])
    for part in parts:
        np.multiply(PATTERN[: part.shape[1]], fill, out=part)
    collective(vector)
    for part in parts if expected else ():
        wrong += int(np.count_nonzero(part != PATTERN[: part.shape[1]] * expected))
    vector[:] = 0.0
    everywhere = np.array(wrong)
    comm.Allreduce(MPI.IN_PLACE, everywhere)
    return int(everywhere)


def _ping_pong(comm: MPI.Intracomm, size: int) -> Prepared:
    ball = _zeros(size)

    def ask() -> None:
        comm.Send(ball, 1)
        comm.Recv(ball, 1)

    def answer() -> None:
        comm.Recv(ball, 0)
        comm.Send(ball, 0)

    return Prepared(answer if comm.rank else ask, 0)
