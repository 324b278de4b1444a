"""From the rows and the nodes to ranks, nodes, memory and time, each with a line that says where it comes from. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from math import ceil, inf
from typing import NamedTuple

from mpi_pgd.data.partition import Partition
from mpi_pgd.errors import InputError
from mpi_pgd.modes import MODES
from mpi_pgd.slurm.script import clock

MIB = 1 << 20
RANK = 128  # MiB of a rank without rows: Python, numpy, HDF5, and an MPI library with its shared memory
ROOM = 1.1  # times the rows: the program takes at most 95 % of what a node can give
STEP = 256  # MiB; what is asked for is a multiple of it
SAFETY = 2.0  # times the predicted time
START = 300  # seconds to start, to read the rows, and to prepare
DEFAULT = 3600  # seconds
MEMORY = re.compile(r"(\d{1,15})([KMGT]?)", re.ASCII)
UNITS = {"K": 2**-10, "": 1, "M": 1, "G": 2**10, "T": 2**20}  # MiB


@dataclass(frozen=True)
class Node:
    """What one node is like."""

    cores: int  # physical ones
    threads: int  # of the hardware, of each core
    memory: int  # MiB
    where: str  # whose, in words
    limit: float = inf  # seconds that a job may take there
    known: bool = True  # told by the site; else a guess, on which nothing is refused
    nodes: tuple[tuple[int, int, int], ...] = ()  # that there are: how many, with how many processors and MiB
    most: float = inf  # nodes that a job may have


class Rows(NamedTuple):
    """What is to be held: rows of ``row_bytes`` bytes in blocks; by which mode, how often; ``whole`` if one rank holds all once."""

    partition: Partition
    row_bytes: int
    mode: str
    replicas: int = 1
    whole: bool = False


class Asked(NamedTuple):
    """What the user says, 0 or none for what he leaves open; memory in MiB of a node; threads of a rank."""

    nodes: Sequence[int] = ()
    ranks: int = 0
    memory: int = 0
    threads: int = 1


class Layout(NamedTuple):
    """What comes out: ranks and memory (MiB) of a node, processors of a rank, and the reasons."""

    nodes: tuple[int, ...]
    ranks: int
    cpus: int
    memory: int
    notes: list[str]


def layout(rows: Rows, asked: Asked, node: Node) -> Layout:
    """Nodes, ranks and memory.

    Raises:
        InputError: they can't be had.
    """
    most = node.cores * node.threads
    if node.known and asked.ranks > most:
        raise InputError(f"--ranks-per-node was given {asked.ranks}: expected at most {most}, the processors of {node.where}")
    if node.known and asked.memory > node.memory:
        raise InputError(f"--mem was given {asked.memory} MiB: expected at most {node.memory}, the memory of {node.where}")
    ranks = asked.ranks or max(1, node.cores // asked.threads)
    there = asked.memory or node.memory
    nodes, why = (tuple(asked.nodes), "--nodes") if asked.nodes else _nodes(rows, ranks, asked, node)
    fewest = min(nodes)
    if not asked.ranks:
        ranks = min(ranks, max(1, MODES[rows.mode].ranks(rows.partition.blocks) // fewest))  # so that each worker has a block
    wanted = memory(rows, ranks, fewest)
    if wanted > there and (asked.memory or node.known):
        raise _too_small(rows, ranks, fewest, node, asked)
    cpus = asked.threads * (node.threads if ranks * asked.threads <= node.cores else 1)
    memory_asked = asked.memory or wanted
    if node.nodes:
        _there(max(nodes), ranks, cpus, memory_asked, node, why)
    notes = [
        f"nodes   {','.join(map(str, nodes))}: {why}",
        f"ranks   {ranks} on a node: {_why(rows, ranks, asked, node)}",
        f"memory  {memory_asked} MiB of a node: " + ("--mem" if asked.memory else _held(rows)),
    ]
    return Layout(nodes, ranks, cpus, memory_asked, notes)


def _there(nodes: int, ranks: int, cpus: int, memory: int, node: Node, why: str) -> None:
    """Whether the partition has so many nodes that are large enough."""
    able = sum(count for count, processors, there in node.nodes if processors >= ranks * cpus and there >= memory)
    if nodes > node.most:
        raise InputError(f"{nodes} nodes are asked for ({why}): expected at most {node.most:g}, as {node.where} says for a job")
    if nodes > able:
        raise InputError(
            f"{nodes} nodes are asked for ({why}): expected at most {able}, as so many of the partition have {ranks * cpus} "
            f"processors and {memory} MiB; give fewer --nodes, fewer --ranks-per-node, or another --partition"
        )


def memory(rows: Rows, ranks: int, nodes: int) -> int:
    """MiB that the fullest of so many nodes needs."""
    blocks = rows.partition.blocks
    held = min(blocks, rows.replicas * ceil(blocks / MODES[rows.mode].workers(ranks * nodes)))
    each = held * rows.partition.block_rows * rows.row_bytes
    every = rows.partition.rows * rows.row_bytes
    shards = max(min(ranks * each, rows.replicas * every), every if rows.whole else 0)
    beside = 8 * rows.partition.features * (2 * rows.partition.block_rows + 60)  # the buffers of a rank's maps
    return ceil((ROOM * (shards + ranks * beside) / MIB + ranks * RANK) / STEP) * STEP


def limit(asked: float, predicted: float, node: Node, chain: bool) -> tuple[int, str]:
    """The time limit in minutes, and where it comes from.

    Args:
        asked: seconds, 0 if the user does not say.
        predicted: seconds that the rounds should take, 0 if nobody knows.
        node: whose partition may have a limit.
        chain: a job whose time is up is queued again, so it may be shorter than the fit.

    Raises:
        InputError: more than the partition gives.
    """
    seconds = asked or (SAFETY * predicted + START if predicted else DEFAULT)
    why = "--time" if asked else f"{SAFETY:g} times the {predicted:.0f} s that plan predicts, and {START} s to start and to read"
    if not asked and not predicted:
        why = "not known; give --time, or --network for a prediction"
    if seconds > node.limit and (asked or (predicted and not chain)):
        raise InputError(
            f"the time limit would be {clock(ceil(seconds / 60))} ({why}): expected at most {clock(int(node.limit) // 60)}, "
            f"that of {node.where}; give a shorter --time, or --chain for a fit that goes on in a next job"
        )
    if seconds > node.limit:
        seconds, why = node.limit, f"that of {node.where}"
    minutes = int(seconds) // 60 if seconds == node.limit else ceil(seconds / 60)
    return max(1, minutes), f"time    {clock(max(1, minutes))}: {why}"


def mebibytes(text: str) -> int:
    """Memory as sbatch reads it: ``4096``, ``4096M``, ``4G``.

    Raises:
        InputError: it is none.
    """
    found = MEMORY.fullmatch(text.upper())
    if not found or not int(found[1]):
        raise InputError(f"--mem was given {text!r}: expected MiB of a node, or a number with K, M, G or T")
    return ceil(int(found[1]) * UNITS[found[2]])


def _nodes(rows: Rows, ranks: int, asked: Asked, node: Node) -> tuple[tuple[int, ...], str]:
    there = asked.memory or node.memory
    fewest = needed(rows, ranks, there)
    if not fewest:
        raise _too_small(rows, ranks, rows.partition.blocks, node, asked)
    return (fewest,), f"the fewest that hold the rows, with {there} MiB on a node ({node.where})"


def needed(rows: Rows, ranks: int, there: int) -> int:
    """The fewest nodes with so many MiB each that hold the rows; 0 if none do."""
    if memory(rows, ranks, rows.partition.blocks + 1) > there:  # not even one block for each worker
        return 0
    return next(nodes for nodes in count(1) if memory(rows, ranks, nodes) <= there)


def _too_small(rows: Rows, ranks: int, nodes: int, node: Node, asked: Asked) -> InputError:
    whose, there = ("--mem gives", asked.memory) if asked.memory else (f"{node.where} has", node.memory)
    fewest = needed(rows, ranks, there)
    advice = f"{fewest} nodes hold them" if fewest else "no number of nodes holds them so: give fewer --ranks-per-node"
    if rows.whole and not fewest:
        advice = "one rank has to hold them all, for the others to be held against it: take fewer rows"
    needs = memory(rows, ranks, nodes)
    return InputError(f"the rows need {needs} MiB on a node with {nodes} of them, and {whose} {there}: {advice}")


def _why(rows: Rows, ranks: int, asked: Asked, node: Node) -> str:
    if asked.ranks:
        return "--ranks-per-node"
    if ranks < node.cores:
        return f"so that each worker has one of the {rows.partition.blocks} blocks"
    return f"one for each core of {node.where}"


def _held(rows: Rows) -> str:
    n = rows.partition.rows
    whole = ", which one rank holds alone once" if rows.whole else ""
    return f"its part of {n:,} rows of {rows.row_bytes:,} bytes{whole}, and {RANK} MiB for each rank"
