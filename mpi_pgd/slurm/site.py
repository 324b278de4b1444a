"""What is asked of a site: its nodes, how it starts ranks, and to run a script. Nothing is known where there is no SLURM."""

import os
import re
import sys
from collections.abc import Mapping
from math import inf
from pathlib import Path
from shutil import which
from subprocess import DEVNULL, SubprocessError, run
from typing import NamedTuple

from mpi_pgd.errors import InputError, nearest
from mpi_pgd.slurm.sizing import MIB, Asked, Node
from mpi_pgd.system import scheduler

PATIENCE = 10  # seconds for an answer
SUBMISSION = 60
SINFO = ("sinfo", "-h", "-e", "-o", "%P|%D|%c|%X|%Y|%Z|%m|%l|%s")
KIND = re.compile(r"(\S+?)(\*?)" + r"\|(\d+)\+?" * 6 + r"\|([\d:-]+|infinite)(?:\|(?:\d+-)?(\d+|infinite))?", re.ASCII)
BINDING = re.compile(r"^TaskPlugin\s*=.*\baffinity\b", re.MULTILINE)
SRUN = ("--kill-on-bad-exit=1",)  # else a step that pmi2 started hangs when a rank is killed
# SLURM's pmi2 (seen with 22.05) reads what a rank tells it 1,024 bytes at a time. Over UCX, MPICH 5.0 tells its address with what
# lies behind it in memory, sometimes in longer lines, and MPI_Init fails; over libfabric it does not.
SHORT = ("--export=ALL,MPIR_CVAR_CH4_NETMOD=ofi",)


class Kind(NamedTuple):
    """Nodes of a partition that are alike; memory in MiB, limit in seconds, and how many nodes a job may have."""

    partition: str
    default: bool
    nodes: int
    cores: int
    threads: int
    memory: int
    limit: float
    most: float


def node(partition: str, asked: Asked) -> Node:
    """A node of a partition ("" for the default one) for what is asked, or of this machine's kind where there is no SLURM.

    Raises:
        InputError: there is no such partition.
    """
    found = kinds(_ask(*SINFO))
    if not found:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MIB
        return Node(os.cpu_count() or 1, 1, memory, "this machine, as no sinfo is here to tell of the nodes", known=False)
    return chosen(found, partition, asked)


def kinds(answer: str) -> list[Kind]:
    """From what sinfo says, a line for each partition and kind of nodes."""
    found = []
    for name, star, *numbers, limit, most in KIND.findall(answer):
        nodes, cpus, sockets, cores, threads, memory = map(int, numbers)
        physical = min(cpus, sockets * cores)  # a site may count cores or their threads as processors
        shared = threads if cpus == physical * threads else 1
        longest, many = scheduler.seconds(limit), float(most) if most.isdigit() else inf
        found.append(Kind(name, bool(star), nodes, physical, shared, memory, longest, many))
    return found


def chosen(found: list[Kind], partition: str, asked: Asked) -> Node:
    """The kind that most nodes of the partition are of, of those that can be what is asked; if none can, the largest.

    Raises:
        InputError: there is no such partition, or no default one.
    """
    names = list(dict.fromkeys(kind.partition for kind in found))
    here = [kind for kind in found if (kind.partition == partition if partition else kind.default)]
    if not here:
        given = "this site has no default partition"
        if partition:
            given = f"--partition was given {partition!r}{nearest(partition, names)}"
        raise InputError(f"{given}: expected --partition with one of {', '.join(names)}")
    able = [kind for kind in here if kind.cores * kind.threads >= asked.ranks and kind.memory >= asked.memory]
    most = max(able or here, key=lambda kind: kind.nodes if able else (kind.cores * kind.threads, kind.memory))
    where = f"a node of the partition {most.partition} (sinfo)"
    others = tuple((kind.nodes, kind.cores * kind.threads, kind.memory) for kind in here)
    return Node(most.cores, most.threads, most.memory, where, most.limit, nodes=others, most=most.most)


def launcher(vendor: str, version: str) -> tuple[str, ...]:
    """The words that start ranks of this MPI library, without their number: that is the job's. None, if srun tells nothing here."""
    plugins = types(_ask("srun", "--mpi=list"))
    binding = bool(BINDING.search(_ask("scontrol", "show", "config")))
    return words(vendor, version, plugins, binding, os.environ, _mpirun())


def words(
    vendor: str, version: str, plugins: set[str], binding: bool, environment: Mapping[str, str], mpirun: str
) -> tuple[str, ...]:
    """See ``launcher``.

    Args:
        vendor: of the MPI library.
        version: all that it says of itself.
        plugins: that srun lists; none, if it is not here. In a job, as within a container, it is then taken to have the right one.
        binding: srun can bind ranks to cores.
        environment: of this process.
        mpirun: how to call it.
    """
    plugin = scheduler.plugin(vendor)
    deaf = vendor == "Intel MPI" and "I_MPI_PMI_LIBRARY" not in environment  # it listens to srun only through that library
    if not plugins and "SLURM_JOB_ID" not in environment:
        return ()
    device = next(iter(re.findall(r"Device:\s*ch4:(.*)", version)), "").split()
    if deaf or (plugins and plugin not in plugins) or device == ["ucx"]:
        return (mpirun,)
    return ("srun", f"--mpi={plugin}", *SRUN, *(SHORT if "ucx" in device else ()), *(["--cpu-bind=cores"] if binding else []))


def types(answer: str) -> set[str]:
    """The plugins that ``srun --mpi=list`` names, each on a line of its own, in older versions behind ``srun:``."""
    lines = [line.removeprefix("srun:").strip() for line in answer.splitlines()]
    return {line for line in lines if re.fullmatch(r"\w+", line)}


def submit(text: str) -> str:
    """Give a script to sbatch; the number of the job.

    Raises:
        InputError: there is no sbatch, or it refuses.
    """
    try:
        answer = run(["sbatch", "--parsable"], input=text, capture_output=True, text=True, timeout=SUBMISSION, check=False)
    except FileNotFoundError:
        raise InputError("--submit needs SLURM's sbatch, which is not here: leave it out, and give the script to sbatch") from None
    except SubprocessError:
        raise InputError(f"sbatch did not answer within {SUBMISSION} s: see with squeue whether the job is queued") from None
    if answer.returncode:
        raise InputError(f"sbatch refused the script ({' '.join(answer.stderr.split())}): mend what it says, and submit again")
    return answer.stdout.strip().partition(";")[0]


def _ask(*command: str) -> str:
    """What a command says, on either stream; nothing if it is not here, fails, or takes too long."""
    try:
        answer = run(command, stdin=DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except (OSError, SubprocessError):
        return ""
    return answer.stdout + answer.stderr if answer.returncode == 0 else ""


def _mpirun() -> str:
    """The one beside this Python, of the library that it loads, before any other."""
    beside = Path(sys.executable).with_name("mpirun")
    return str(beside) if beside.exists() and which("mpirun") != str(beside) else "mpirun"
