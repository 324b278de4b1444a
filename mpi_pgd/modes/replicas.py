"""Replicas: client-server where several workers hold the same blocks, on different nodes if possible. Without MPI.

``replicated.py`` has the rounds.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mpi_pgd.errors import InputError
from mpi_pgd.modes import client_server
from mpi_pgd.modes.facts import Facts, Team

if TYPE_CHECKING:
    from mpi_pgd.modes.replicated import Replicated


def _made(team: Team, algorithm: str) -> "Replicated":
    """Where each group has a member left, the groups stay, and nobody has to read anything."""
    from mpi_pgd.comm.world import agreement
    from mpi_pgd.modes.replicated import Replicated

    before = team.comm.allgather(team.worker)
    groups = before[1:]
    with agreement(team.comm):
        if not groups or -1 in groups or set(groups) != set(range(max(before) + 1)):
            groups = share_out(team.nodes, team.replicas)
    return Replicated(team.comm, groups)


def share_out(nodes: Sequence[str], replicas: int) -> list[int]:
    """The group of each worker: those of one group hold the same blocks, and are on different nodes wherever that can be.

    The workers, sorted by node, are dealt out like cards. So two of a group share a node only if that node has more workers than
    there are groups, however the launcher placed the ranks. If ``replicas`` does not divide the workers, some groups have more.
    ``nodes`` has the server's first (``world.nodes``). Refuses fewer workers than ``replicas``.
    """
    workers = range(1, len(nodes))
    if not 1 <= replicas <= len(workers):
        raise InputError(
            f"--replicas {replicas} was given with {len(nodes)} rank{'s' * (len(nodes) > 1)}, of which the first is the server: "
            f"expected at least {replicas + 1} ranks, or fewer replicas"
        )
    first = {node: rank for rank, node in reversed([*enumerate(nodes)])}
    dealt = sorted(workers, key=lambda rank: first[nodes[rank]])
    group = {rank: place % (len(workers) // replicas) for place, rank in enumerate(dealt)}
    return [group[rank] for rank in workers]


FACTS = Facts(
    name="replicated",
    text="each block is held by several workers, and the first partial of it counts",
    synonyms="",
    servers=client_server.FACTS.servers,
    collectives=client_server.FACTS.collectives,
    messages=lambda partial, query, peaks: (partial + peaks, query),
    algorithms=client_server.FACTS.algorithms[:1],
    make=_made,
    skips=True,
    replicates=client_server.FACTS.name,
)
