"""What SLURM says to this process: the one place that reads its environment, and asks it for the time that is left."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import inf
from time import perf_counter, time
from typing import NamedTuple

from mpi_pgd.errors import InputError

# The variables that are read here.
HEARD = (
    *("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "HYDI_CONTROL_FD", "MPI_LOCALNRANKS"),
    *("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_STEP_ID", "SLURM_STEP_NUM_TASKS"),
    *("SLURM_JOB_NUM_NODES", "SLURM_NTASKS", "SLURM_CPUS_PER_TASK", "SRUN_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE"),
    *("SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU", "SLURM_RESTART_COUNT", "SLURM_JOB_PARTITION", "SLURM_CLUSTER_NAME"),
    "SLURM_JOB_END_TIME",
)
LAUNCHERS = {"Open MPI": "Open MPI's mpirun", "Hydra": "Hydra (the mpirun of MPICH and Intel MPI)", "SLURM": "srun"}
PATIENCE = 10  # seconds for squeue
MARGIN = 30.0  # seconds before the job's end, or
SHARE = 0.1  # of what is left, if that is less
TIME = re.compile(r"(?:(\d{1,6})-)?(\d{1,9})(?::(\d{1,9}))?(?::(\d{1,9}))?", re.ASCII)
WHOLE = re.compile(r"\d{1,18}", re.ASCII)


@dataclass(frozen=True)
class Scheduler:
    """A job of SLURM, as one of its processes sees it. What is not known, asked for or limited is 0 or empty."""

    job: str  # its number; ``123_4`` in an array
    step: str  # in which srun started this process itself; empty where mpirun did, whose daemons may be in a step of their own
    nodes: int  # of the job
    tasks: int  # of the step
    cpus_per_task: int
    memory: int  # bytes granted on this node
    restarts: int  # how often the job was requeued
    partition: str
    cluster: str


class Trap(NamedTuple):
    """What SLURM gave and the ranks do not have: ``level`` is warning or note, ``advice`` what to do."""

    level: str
    words: str
    advice: str


def read(environment: Mapping[str, str]) -> Scheduler | None:
    """The job that this process belongs to, if any."""
    if not environment.get("SLURM_JOB_ID"):
        return None
    by, tasks = started(environment)
    array, task = environment.get("SLURM_ARRAY_JOB_ID"), environment.get("SLURM_ARRAY_TASK_ID")
    each = _whole(environment, "SLURM_MEM_PER_CPU") * _whole(environment, "SLURM_CPUS_ON_NODE")
    return Scheduler(
        job=f"{array}_{task}" if array and task else environment["SLURM_JOB_ID"],
        step=environment.get("SLURM_STEP_ID", "") if by == "SLURM" else "",
        nodes=_whole(environment, "SLURM_JOB_NUM_NODES"),
        tasks=tasks if by == "SLURM" else 0,
        cpus_per_task=_whole(environment, "SLURM_CPUS_PER_TASK"),
        memory=(_whole(environment, "SLURM_MEM_PER_NODE") or each) << 20,
        restarts=_whole(environment, "SLURM_RESTART_COUNT"),
        partition=environment.get("SLURM_JOB_PARTITION", ""),
        cluster=environment.get("SLURM_CLUSTER_NAME", ""),
    )


def started(environment: Mapping[str, str]) -> tuple[str, int]:
    """Which launcher started this rank ("" if none is known), and of how many (0 if it says nonsense).

    The mpirun comes first: within a job both start their daemons by srun, and ranks inherit the variables of that step.
    """
    if "OMPI_COMM_WORLD_SIZE" in environment:
        return "Open MPI", _whole(environment, "OMPI_COMM_WORLD_SIZE")
    if "PMI_SIZE" in environment and {"HYDI_CONTROL_FD", "MPI_LOCALNRANKS"} & set(environment):
        return "Hydra", _whole(environment, "PMI_SIZE")
    if "SLURM_STEP_NUM_TASKS" in environment:
        return "SLURM", _whole(environment, "SLURM_STEP_NUM_TASKS")
    return "", 1


def plugin(vendor: str) -> str:
    """What ``srun --mpi`` has to be for an MPI library: pmi2 for MPICH, Intel MPI, and what derives from MPICH."""
    return "pmix" if vendor == "Open MPI" else "pmi2"


def right_launcher(by: str, vendor: str) -> str:
    """How to start ranks of this library, where ``by`` did not."""
    if by == "SLURM":
        return f"use srun --mpi={plugin(vendor)} with {vendor}"
    return f"use the mpirun of the {vendor} that Python loads (`which mpirun` tells the one in use), or another Python's mpi4py"


def traps(environment: Mapping[str, str], nodes: int, cpus: Sequence[int]) -> Iterator[Trap]:
    """What does not stop a run in a SLURM job, but makes it waste what was granted.

    Args:
        environment: of rank 0.
        nodes: that the ranks are on.
        cpus: how many processors each rank may use.
    """
    job = read(environment)
    if job is None:
        return
    by, ranks = started(environment)[0], len(cpus)
    if nodes < job.nodes:
        advice = "start with srun, or with an mpirun that was built to ask SLURM for the nodes"
        if job.step:
            advice = "let srun start tasks on all of them (-N, -n), or ask for fewer nodes"
        yield Trap("warning", f"the job has {job.nodes} nodes, but the ranks are on {nodes}", advice)
    short = [rank for rank, number in enumerate(cpus) if number < job.cpus_per_task]
    if short and by not in ("Open MPI", "Hydra"):  # an mpirun binds each rank to one core on purpose
        advice = "export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK in the batch script (since 22.05 srun does not inherit it)"
        advice += " and call srun --cpu-bind=cores" if "SRUN_CPUS_PER_TASK" in environment else ""
        who = f"{len(short)} of {ranks} ranks (the first is rank {short[0]})" if ranks > 1 else "this rank"
        yield Trap("warning", f"--cpus-per-task={job.cpus_per_task}, but {who} may use {cpus[short[0]]}", advice)
    tasks = _whole(environment, "SLURM_NTASKS")
    if not by and ranks == 1 < tasks:
        yield Trap("note", f"the job has {tasks} tasks, and this is one rank", "start with srun or mpirun to use them")


def seconds_left(environment: Mapping[str, str]) -> float:
    """Seconds to the time limit of this process's job; inf without a limit. SLURM is asked where the environment does not tell.

    Raises:
        InputError: this is no SLURM job, or SLURM does not say.
    """
    job = read(environment)
    if job is None:
        raise InputError("this is not a SLURM job, so it has no time limit: give a number of seconds, or start it with sbatch")
    end = _whole(environment, "SLURM_JOB_END_TIME")
    return end - time() if end else _end(job.job) - perf_counter()


@cache  # a program may make many fits, and each question is work for the scheduler of the whole cluster
def _end(job: str) -> float:
    """When the job ends, by ``perf_counter()``."""
    from subprocess import DEVNULL, SubprocessError, run  # not at start-up: only rank 0 asks

    try:
        command = ["squeue", "-h", "-j", job, "-o", "%L"]
        answer = run(command, stdin=DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False)
        words = answer.stdout.strip() or answer.stderr.strip() or f"code {answer.returncode}"
    except (OSError, SubprocessError) as error:
        words = str(error)
    try:
        return perf_counter() + seconds(words)
    except InputError:
        raise InputError(f"squeue does not tell the time left of SLURM job {job} ({words}): give a number of seconds") from None


def seconds(text: str) -> float:
    """A time as SLURM reads and writes it: minutes, M:S, H:M:S, D-H, D-H:M, D-H:M:S; inf for no limit.

    Raises:
        InputError: it is none.
    """
    if text.lower() in ("infinite", "unlimited"):
        return inf
    found = TIME.fullmatch(text)
    if not found:
        raise InputError(f"the time {text!r} is none of SLURM's: expected minutes, H:MM:SS, or D-HH:MM:SS")
    days, *parts = found.groups()
    first, second, third = (int(part or 0) for part in parts)
    if days is None and parts[2] is None:  # minutes, or minutes and seconds
        return 60.0 * first + second
    return 86400.0 * int(days or 0) + 3600 * first + 60 * second + third


def margin(left: float) -> float:
    """How many seconds before the end of a job with so many left a run has to stop."""
    return min(MARGIN, SHARE * left)


def _whole(environment: Mapping[str, str], name: str) -> int:
    text = environment.get(name, "")
    return int(text) if WHOLE.fullmatch(text) else 0
