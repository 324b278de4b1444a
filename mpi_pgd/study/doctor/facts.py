"""What each rank knows of its node, its software and its place; judged elsewhere."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mpi4py import MPI

from mpi_pgd.comm import components
from mpi_pgd.comm.kernels import digest
from mpi_pgd.comm.world import everyone
from mpi_pgd.data.budget import available_bytes, held_bytes
from mpi_pgd.session.provenance import kernel, machine, versions
from mpi_pgd.study.doctor.crashes import Crashes
from mpi_pgd.study.doctor.signs import Rank
from mpi_pgd.system import scheduler

# What a launcher or a user says to a rank, as far as a check reads it.
HEARD = (
    *(*scheduler.HEARD, "PMI_RANK", "PMI_FD", "PMIX_RANK", *components.HEARD),
    *("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "OMP_NUM_THREADS"),
)
OF_KERNELS = ("blas", "kernel")  # these differ where bits don't: they have a check of their own
SHAPE = (512, 256)  # rows and features of the block whose bits are compared
NOT_LINKS = ("lo", "docker", "virbr", "veth")


def about_me(comm: MPI.Intracomm, names: Sequence[str], crashes: Crashes) -> Rank:
    """This rank's facts, but for the clock's ``offset`` and ``moved``, which rank 0 measures. Not collective.

    ``names`` are the nodes of all ranks. What can't be asked here goes to ``crashes``, and is as of a healthy machine.
    """
    node, size = names[comm.rank], everyone().size
    asked: dict[str, tuple[str, Callable[[], Any]]] = {
        "twins": ("world", lambda: _twins() if size == 1 else 1),
        "cpus": ("pinning", lambda: sorted(os.sched_getaffinity(0))),
        "physical": ("cores", _physical),
        "quota": ("cores", _quota),
        "threads": ("threads", _threads),
        "kernels": ("kernels", _kernels),
        "kernel": ("kernels", kernel),
        "software": ("software", lambda: {name: version for name, version in versions().items() if name not in OF_KERNELS}),
        "processor": ("processors", lambda: machine(())["processor"]),
        "available": ("memory", lambda: available_bytes(names.count(node) * held_bytes())),
        "link": ("network", lambda: max((*_infiniband(), *_ethernet()), default=0.0)),
        "infiniband": ("network", lambda: any(_infiniband())),
    }
    facts = {}
    for name, (check, ask) in asked.items():
        with crashes.part(check):
            facts[name] = ask()
    return Rank(
        rank=comm.rank,
        node=node,
        world=size,
        vendor=MPI.get_vendor()[0],
        environment={name: os.environ[name] for name in HEARD if name in os.environ},
        cores=os.cpu_count() or 1,
        wall=time.time() - time.perf_counter(),
        **facts,
    )


def _twins() -> int:
    """Processes with this one's command and parent: a launcher that this library does not know starts them side by side."""
    mine = _process(Path("/proc/self"))
    return sum(_process(path) == mine for path in Path("/proc").glob("[0-9]*"))


def _process(path: Path) -> tuple[str, bytes]:
    try:
        parent = (path / "stat").read_text().rpartition(")")[2].split()[1]
        return parent, (path / "cmdline").read_bytes()
    except OSError:  # it has ended meanwhile
        return "", b""


def _physical() -> int:
    """Cores without their hardware threads; 0 if the kernel does not tell."""
    paths = Path("/sys/devices/system/cpu").glob("cpu[0-9]*/topology/thread_siblings_list")
    return len({_read(path) for path in paths} - {""})


def _quota() -> float:
    words = _read(Path("/sys/fs/cgroup/cpu.max")).split()
    return float(words[0]) / float(words[1]) if len(words) == 2 and words[0].isdigit() else 0.0


def _kernels() -> str:
    """With one thread, as in a fit: more would cut the products differently."""
    from threadpoolctl import threadpool_limits  # a fit does not need it

    with threadpool_limits(1, "blas"):
        return digest(*SHAPE)


def _threads() -> int:
    from threadpoolctl import threadpool_info

    return max((int(pool["num_threads"]) for pool in threadpool_info()), default=1)


def _ethernet() -> Iterator[float]:
    """Bytes a second of each interface that is up and is hardware, or a bond of such."""
    for path in Path("/sys/class/net").glob("*"):
        real = (path / "device").exists() or (path / "bonding").exists()
        speed = _read(path / "speed")
        if real and not path.name.startswith(NOT_LINKS) and _read(path / "operstate") != "down" and speed.isdigit():
            yield int(speed) * 1e6 / 8


def _infiniband() -> Iterator[float]:
    """Bytes a second of each active port, from texts like ``100 Gb/sec (4X EDR)``; one whose link layer is Ethernet is Ethernet."""
    for port in Path("/sys/class/infiniband").glob("*/ports/*"):
        words = _read(port / "rate").split()
        if words and "ACTIVE" in _read(port / "state") and _read(port / "link_layer") != "Ethernet":
            yield float(words[0]) * 1e9 / 8


def _read(path: Path) -> str:
    """A file of the kernel's; empty if this kernel, or this interface, has no answer."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""
