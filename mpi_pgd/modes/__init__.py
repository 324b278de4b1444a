"""How ranks share the work of a round: who holds rows, who updates, what travels.

A mode is a file that has its ``FACTS``, and a place in the table here: flags, help, checks, studies, plans, pictures and the
contract tests read it. Nothing here imports MPI before a mode is made.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from mpi_pgd.comm.algorithms import Algorithm
from mpi_pgd.modes import client_server, gossip, hierarchical, peer_to_peer, replicas
from mpi_pgd.modes.facts import Facts

MEMBERS = (client_server.FACTS, peer_to_peer.FACTS, hierarchical.FACTS, gossip.FACTS, replicas.FACTS)  # the default first

MODES = {each.name: each for each in MEMBERS if not each.replicates}  # those that --mode chooses from
REPLICATED = {each.replicates: each for each in MEMBERS if each.replicates}  # what stands for them, with replicas
ALGORITHMS = {name: each.names for name, each in MODES.items() if not each.neighbours}  # those that --algorithm chooses from
# All ways of going round: a mode, and an algorithm of it; of peers with neighbours, a named graph.
WAYS: dict[tuple[str, str], Algorithm] = {(name, one.name): one for name, each in MODES.items() for one in each.algorithms}
ALIKE = {way: one for way, one in WAYS.items() if not MODES[way[0]].neighbours}  # those that all come to the same bits
REPLICATED_WAYS = [(mode, name) for mode, each in REPLICATED.items() for name in each.names]
SYNONYMS = {each.name: each.synonyms for each in MEMBERS} | {name: each.synonyms for (_, name), each in WAYS.items()}
# Every rank computes, also one alone: what studies prepare with, and hold the others against.
AMONG_PEERS: dict[str, Any] = {"mode": peer_to_peer.FACTS.name, "algorithm": peer_to_peer.FACTS.names[0]}


def settings(mode: str, algorithm: str) -> dict[str, str]:
    """Those that choose one of ``WAYS``."""
    return {"mode": mode, "graph" if MODES[mode].neighbours else "algorithm": algorithm}


def differing(ways: Iterable[tuple[str, str]], nodes: Sequence[str], per_node: int = 0) -> list[tuple[str, str]]:
    """Those modes and algorithms that differ on ranks of these nodes.

    Where one rank alone passes messages, it passes none; where all do, as each node has one, a mode that tells nodes apart is
    another one.
    """
    kept = {
        (mode, name if MODES[mode].speaks(nodes, per_node) else ""): (mode, name)
        for mode, name in reversed([*ways])
        if not MODES[mode].nodewise or MODES[mode].speakers(nodes, per_node) < len(nodes) or len(nodes) == 1
    }
    return [*reversed(kept.values())]


def chosen(mode: str, replicas: int = 1) -> Facts:
    """The facts of a mode, with so many workers to hold each block; the settings were checked."""
    return MODES[mode] if replicas == 1 else REPLICATED[mode]
