"""What else a machine does while ranks work: the processors' time as the kernel counts it, beside that of this process."""

import os
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, NamedTuple

STAT, BOOT = Path("/proc/stat"), Path("/proc/sys/kernel/random/boot_id")
BUSY = (1, 2, 3, 6, 7)  # columns of /proc/stat: user, nice, system, interrupts, soft ones; guests are in user
STEAL = 8


class Usage(NamedTuple):
    """Until now, in seconds.

    Attributes:
        machine: that runs this kernel; containers and namespaces share one, whatever they are called.
        at: of the clock.
        own: of any processor, by this process.
        busy, stolen: of all processors together, since the machine started.
        cores: that it has.
    """

    machine: str
    at: float
    own: float
    busy: float
    stolen: float
    cores: int


def usage() -> Usage | None:
    """Of this process and its machine; None where the kernel does not tell."""
    try:
        return counted(BOOT.read_text().strip(), STAT.read_text())
    except (OSError, ValueError, IndexError):
        return None


def counted(machine: str, stat: str) -> Usage:
    """From the text of /proc/stat. Raises ValueError or IndexError: it is another text."""
    lines = [line.split() for line in stat.splitlines() if line.startswith("cpu")]
    tick = os.sysconf("SC_CLK_TCK")
    busy, stolen = sum(int(lines[0][place]) for place in BUSY) / tick, int(lines[0][STEAL]) / tick
    return Usage(machine, perf_counter(), process_time(), busy, stolen, max(1, len(lines) - 1))


def between(nodes: Sequence[str], before: Sequence[Usage | None], after: Sequence[Usage | None]) -> list[dict[str, Any]]:
    """Of each machine its nodes' names, ranks and cores, how many cores "others" than the ranks kept busy, the share "stolen".

    Args:
        nodes, before, after: of each rank.
    """
    pairs = [(node, one, other) for node, one, other in zip(nodes, before, after, strict=True) if one and other]
    found = []
    for machine in dict.fromkeys(one.machine for _, one, _ in pairs):
        here = [pair for pair in pairs if pair[1].machine == machine]
        _, first, last = here[0]
        seconds = max(last.at - first.at, 1e-9)
        own = sum(other.own - one.own for _, one, other in here)
        found.append(
            {
                "nodes": ", ".join(dict.fromkeys(node for node, *_ in here)),
                "ranks": len(here),
                "cores": first.cores,
                "others": max(0.0, last.busy - first.busy - own) / seconds,
                "stolen": (last.stolen - first.stolen) / (seconds * first.cores),
            }
        )
    return found
