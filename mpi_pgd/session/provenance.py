"""With what a figure was made: versions, machine, command. Every record and study carries it."""

import os
import platform
import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import mpi4py
import numpy as np

import mpi_pgd
from mpi_pgd.kernel import NAME, SET


def versions() -> dict[str, str]:
    """Of everything that computes."""
    from mpi_pgd.comm.world import library  # not above: it starts MPI, which a plan does without

    return {
        "mpi_pgd": mpi_pgd.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "h5py": h5py.__version__,
        "hdf5": h5py.version.hdf5_version,
        "mpi4py": mpi4py.__version__,
        "mpi": library(),
        "blas": blas(),
        "kernel": kernel(),
    }


def kernel() -> str:
    """What the bits depend on: the compiled kernel, whatever its instruction set; or numpy with what its BLAS chose."""
    return f"{NAME} ({SET or blas()})"


@cache  # checkpoints and the record want it, and all loaded libraries are looked through for it
def blas() -> str:
    """The BLAS that numpy uses, and the kernels that it chose for this processor: the last bits depend on them."""
    from threadpoolctl import threadpool_info  # not at start-up: only who writes the record needs it

    found = (item for item in threadpool_info() if item["user_api"] == "blas")
    return ", ".join(f"{item['internal_api']} {item['version']} {item.get('architecture', '')}".strip() for item in found)


def machine(nodes: Sequence[str]) -> dict[str, Any]:
    """The nodes and their ranks, and this rank's node: cores that it may use, processor, memory, system."""
    return {
        "hosts": dict(Counter(nodes)),
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def command(ranks: int) -> str:
    """What was typed, as far as a process can know it."""
    return (f"mpirun -n {ranks} " if ranks > 1 else "") + shlex.join([Path(sys.orig_argv[0]).name, *sys.orig_argv[1:]])
