"""What memory there is for a rank: by the kernel, control groups, and what the batch system granted."""

import os
from collections.abc import Iterator
from pathlib import Path

from mpi_pgd.system import scheduler

V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes")  # of control groups of the first version


def available_bytes(held: int = 0) -> int:
    """Bytes of memory that this node can still give without swapping: by the kernel's estimate, a control group, or SLURM's grant.

    ``held`` is what the ranks on this node hold together (``held_bytes``), if that is known better than from this one.
    """
    lines = Path("/proc/meminfo").read_text().splitlines()
    kilobytes = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    granted = granted_bytes()
    rest = [max(0, granted - (held or held_bytes()))] if granted else []
    return min([1024 * kilobytes, *_control_group_rests(), *rest])


def granted_bytes() -> int:
    """What SLURM granted to the job on this node, whether or not the kernel enforces it; 0 if no limit is known."""
    job = scheduler.read(os.environ)
    return job.memory if job else 0


def held_bytes() -> int:
    """Memory of this process alone: without files and segments that it shares with others."""
    resident, shared = map(int, Path("/proc/self/statm").read_text().split()[1:3])
    return (resident - shared) * os.sysconf("SC_PAGE_SIZE")


def _control_group_rests() -> Iterator[int]:
    """What each group around this process, as batch systems make them, has left: its limit counts as the node's memory does."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, kind, path = line.split(":", 2)
        if kind in ("", "memory"):
            root = Path("/sys/fs/cgroup", kind)
            inner = root / path.lstrip("/")
            for group in (inner, *inner.parents):
                if group.is_relative_to(root):
                    yield from _rest(group, *(("memory.max", "memory.current") if not kind else V1))


def _rest(group: Path, limit: str, used: str) -> Iterator[int]:
    try:
        left = int((group / limit).read_text()) - int((group / used).read_text())
        stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # no such control group here, or its limit is the word "max"
        return
    # Files that are kept in memory count as used, but give way.
    yield left + sum(int(stat.get(name, 0)) for name in ("active_file", "inactive_file"))
