"""The scheduler's environment, as each launcher's ranks saw it on a real SLURM 22.05; its times; the traps."""

import json
import math
import os
import re
import signal
import stat
from collections.abc import Mapping
from pathlib import Path
from time import time
from typing import Any

import pytest

from mpi_pgd import InputError
from mpi_pgd.comm.world import lonely
from mpi_pgd.system import scheduler
from mpi_pgd.system.scheduler import LAUNCHERS, Trap, margin, plugin, read, seconds, seconds_left, started
from tests.launch import Library, Result, Running, launch

pytestmark = pytest.mark.beside("jobs")

BATCH = {"SLURM_JOB_ID": "72", "SLURM_JOB_NUM_NODES": "2", "SLURM_NTASKS": "4", "SLURM_PROCID": "0", "SLURM_CPUS_ON_NODE": "4"}
STEP = {**BATCH, "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_NODES": "2"}
NONE = {**STEP, "SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "3"}
PMI2 = {**NONE, "PMI_FD": "11", "PMI_JOBID": "72.0", "PMI_RANK": "3", "PMI_SIZE": "4"}
PMIX = {**NONE, "PMIX_RANK": "3"}
# Their daemons are started by srun: one task a node, which is not what the ranks are.
HYDRA = {
    **STEP,
    "SLURM_STEP_NUM_TASKS": "2",
    "SLURM_NTASKS": "2",
    "PMI_FD": "5",
    "PMI_RANK": "3",
    "PMI_SIZE": "4",
    "MPI_LOCALNRANKS": "1",
}
PRTE = {**BATCH, "PMIX_RANK": "0", "OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "0"}
PRTE_ELSEWHERE = {**STEP, "SLURM_STEP_NUM_TASKS": "1", "SLURM_NTASKS": "1", "PMIX_RANK": "3", "OMPI_COMM_WORLD_SIZE": "4"}


@pytest.mark.parametrize(
    ("environment", "by", "ranks", "step", "tasks"),
    [
        (BATCH, "", 1, "", 0),
        (NONE, "SLURM", 4, "0", 4),
        (PMI2, "SLURM", 4, "0", 4),
        (PMIX, "SLURM", 4, "0", 4),
        (HYDRA, "Hydra", 4, "", 0),
        (PRTE, "Open MPI", 4, "", 0),
        (PRTE_ELSEWHERE, "Open MPI", 4, "", 0),
    ],
)
def test_launchers(environment: Mapping[str, str], by: str, ranks: int, step: str, tasks: int) -> None:
    job = read(environment)
    assert started(environment) == (by, ranks)
    assert job is not None
    assert (job.job, job.nodes, job.step, job.tasks) == ("72", 2, step, tasks)


def test_no_job() -> None:
    assert read({}) is None
    assert read({"SLURM_CONF": "/etc/slurm.conf", "SLURM_JOB_ID": ""}) is None
    with pytest.raises(InputError, match="not a SLURM job"):
        seconds_left({})


def test_what_is_granted() -> None:
    array = {**PMI2, "SLURM_ARRAY_JOB_ID": "71", "SLURM_ARRAY_TASK_ID": "3", "SLURM_RESTART_COUNT": "2"}
    job = read({**array, "SLURM_CPUS_PER_TASK": "2", "SLURM_MEM_PER_CPU": "512", "SLURM_JOB_PARTITION": "long"})
    assert job is not None
    assert (job.job, job.restarts, job.cpus_per_task, job.memory, job.partition) == ("71_3", 2, 2, 4 * 512 << 20, "long")
    for text, granted in (("100", 100 << 20), ("0", 0)):  # --mem=0 is all that the node has
        job = read({**BATCH, "SLURM_MEM_PER_NODE": text})
        assert job is not None
        assert job.memory == granted


@pytest.mark.parametrize("text", ["", "-1", "2(x3)", "1e3", "²", "٣", "9" * 5000, "(null)"])
def test_nonsense_is_unknown(text: str) -> None:
    job = read(dict.fromkeys(scheduler.HEARD, text) | {"SLURM_JOB_ID": "7"})
    assert job is not None
    assert (job.nodes, job.tasks, job.cpus_per_task, job.memory, job.restarts) == (0, 0, 0, 0, 0)
    assert traps({**BATCH, "SLURM_JOB_NUM_NODES": text, "SLURM_NTASKS": text, "SLURM_CPUS_PER_TASK": text}, 1, [1]) == []
    assert lonely({**BATCH, "SLURM_STEP_NUM_TASKS": text}, 1, "MPICH") == ""


@pytest.mark.parametrize(("vendor", "name"), [("Open MPI", "pmix"), ("MPICH", "pmi2"), ("Intel MPI", "pmi2"), ("MVAPICH", "pmi2")])
def test_plugin(vendor: str, name: str) -> None:
    assert plugin(vendor) == name
    assert lonely(NONE, 1, vendor).endswith(f"use srun --mpi={name} with {vendor}")


@pytest.mark.parametrize(
    ("environment", "size", "vendor", "by"),
    [
        (PMIX, 1, "MPICH", "SLURM"),
        (PMI2, 1, "Open MPI", "SLURM"),
        (HYDRA, 1, "Open MPI", "Hydra"),
        (PRTE, 1, "MPICH", "Open MPI"),
        (PMI2, 4, "MPICH", ""),
        (HYDRA, 4, "MPICH", ""),
        (PRTE_ELSEWHERE, 4, "Open MPI", ""),
        (BATCH, 1, "MPICH", ""),
        ({**NONE, "SLURM_STEP_NUM_TASKS": "1"}, 1, "Open MPI", ""),
        ({**NONE, "OMPI_COMM_WORLD_SIZE": "1", "PMIX_RANK": "0"}, 1, "Open MPI", ""),  # mpirun -n 1 in a step of four
    ],
)
def test_worlds_of_one(environment: Mapping[str, str], size: int, vendor: str, by: str) -> None:
    found = lonely(environment, size, vendor)
    assert found.startswith(f"{LAUNCHERS[by]} started 4 tasks") if by else found == "", found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0:00", 0),
        ("4:59", 299),
        ("90", 5400),
        ("90:30", 5430),
        ("1:30:00", 5400),
        ("01:02:03", 3723),
        ("2-3", 183600),
        ("2-03:30", 185400),
        ("2-03:30:10", 185410),
        ("2-00:00:01", 172_801),
        ("infinite", math.inf),
        ("UNLIMITED", math.inf),
    ],
)
def test_times_are_read_as_slurm_reads_and_writes_them(text: str, found: float) -> None:
    assert seconds(text) == found


@pytest.mark.parametrize("text", ["", "x", "1:2:3:4", "-1", "1h", "٣", "INVALID", "NOT_SET", "error: Invalid job id specified"])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="none of SLURM's"):
        seconds(text)


def test_time_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    squeue = tmp_path / "squeue"
    squeue.write_text('#!/bin/sh\n[ "$*" = "-h -j 71_3 -o %L" ] && echo 58:00 || echo no >&2\n')
    squeue.chmod(squeue.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    array = {"SLURM_JOB_ID": "72", "SLURM_ARRAY_JOB_ID": "71", "SLURM_ARRAY_TASK_ID": "3"}
    assert 3400 < seconds_left(array) <= 58 * 60
    assert 3400 < seconds_left({**BATCH, "SLURM_JOB_END_TIME": str(int(time()) + 3500)}) <= 3500
    with pytest.raises(InputError, match=r"job 999 \(no\)"):
        seconds_left({"SLURM_JOB_ID": "999"})
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match=r"job 998 \(.*squeue"):
        seconds_left({"SLURM_JOB_ID": "998"})


def test_margin() -> None:
    assert (margin(7200), margin(60), margin(0)) == (30, 6, 0)


def traps(*given: Any) -> list[Trap]:
    return list(scheduler.traps(*given))


def test_traps() -> None:
    wide = {"SLURM_CPUS_PER_TASK": "2"}
    assert traps(PMI2, 2, [1] * 4) == traps({}, 1, [1]) == traps({**PMI2, **wide}, 2, [2] * 4) == []
    assert [trap.words for trap in traps({**PMI2, **wide}, 1, [2, 1])] == [
        "the job has 2 nodes, but the ranks are on 1",
        "--cpus-per-task=2, but 1 of 2 ranks (the first is rank 1) may use 1",
    ]
    assert "-N, -n" in traps(PMI2, 1, [1])[0].advice
    assert "--cpu-bind" in traps({**PMI2, **wide, "SRUN_CPUS_PER_TASK": "2"}, 2, [1])[0].advice
    assert traps({**HYDRA, **wide}, 2, [1] * 4) == traps({**PRTE, **wide}, 2, [1] * 4) == []  # they bind a rank to a core
    assert [trap.level for trap in traps(BATCH, 1, [4])] == ["warning", "note"]


LIMIT = 8  # seconds of a job: on a busy machine the launcher alone has taken four
JOB = """
import os, runpy, time
os.environ.update({environment!r}, SLURM_JOB_END_TIME=str(int(time.time()) + {limit}))
runpy.run_module("mpi_pgd", run_name="__main__", alter_sys=True)
"""


def ours(result: Result) -> list[str]:
    return [line for line in result.stderr.splitlines() if line.startswith("mpi_pgd: ")]


def in_a_job(folder: Path, **more: str) -> Path:
    """A script whose ranks find themselves in a job on two nodes, which their mpirun knows nothing of."""
    script = folder / "job.py"
    script.write_text(JOB.format(limit=LIMIT, environment={"SLURM_JOB_ID": "72", "SLURM_JOB_NUM_NODES": "2", **more}))
    return script


@pytest.mark.either
def test_a_run_ends_before_its_job_and_goes_on_elsewhere(library: Library, tmp_path: Path) -> None:
    kept, out = tmp_path / "run.ckpt", tmp_path / "out"
    slow = ("--tol", 0, "--delay", "exponential:0.02", "--max-seconds", "auto", "--checkpoint", kept, "--out", out, "--quiet")
    result = launch(library, 2, *slow, script=in_a_job(tmp_path, SLURM_RESTART_COUNT="1"))
    assert result.returncode == 75, result
    assert ours(result) == [f"mpi_pgd: the job has 2 nodes, but the ranks are on 1: {traps(BATCH, 1, [1])[0].advice}"], result
    record = json.loads((out / "run.json").read_text())
    assert record["status"] == "time exhausted"
    assert (record["scheduler"]["job"], record["scheduler"]["restarts"]) == ("72", 1)
    assert 0 < record["scheduler"]["seconds_left"] <= LIMIT
    result = launch(library, 1, "--resume", kept, "--rounds", record["rounds"] + 3, "--out", out)
    assert result.returncode == 0, result
    assert json.loads((out / "run.json").read_text())["scheduler"] is None
    result = launch(library, 2, "--resume", kept, "--max-seconds", "auto", "--out", out)
    assert result.returncode == 2, result
    assert ours(result) == [
        "mpi_pgd: --max-seconds was given 'auto': this is not a SLURM job, so it has no time limit: give a number of seconds, "
        "or start it with sbatch"
    ]


@pytest.mark.either
def test_rows_beyond_the_memory_that_was_granted(library: Library, tmp_path: Path) -> None:
    result = launch(library, 2, script=in_a_job(tmp_path, SLURM_JOB_NUM_NODES="1", SLURM_MEM_PER_NODE="1"))
    assert result.returncode == 2, result
    assert "SLURM granted 0.000977 GiB and is left with 0 GiB: ask for more (sbatch --mem=...)" in ours(result)[0], result


@pytest.mark.either
def test_a_rank_that_is_not_heard_of_ends_the_run(library: Library, tmp_path: Path) -> None:
    """Patience is on where a node may be lost, here a short one."""
    script = in_a_job(tmp_path)
    short = "from mpi_pgd.recovery import hang_timeout\nhang_timeout.LEAST = hang_timeout.WINDOW = hang_timeout.TIMES = 1\n"
    script.write_text(short + script.read_text())
    kept = tmp_path / "run.ckpt"

    def stop(job: Running) -> None:
        if job.until(kept.exists):
            job.send(job.ranks()[1:], signal.SIGSTOP)

    slow = ("--tol", 0, "--rounds", 1_000_000, "--delay", "exponential:0.01", "--checkpoint", kept, "--every", "0.1s")
    result = launch(library, 2, *slow, script=script, during=stop)
    assert result.returncode == 75, result
    told = "\n".join(ours(result))
    assert "a node that is not heard of for 1 s" in told, result
    assert re.search(r"no round has finished for \d+ s \(the last was round \d+\): rank 1 on node \S+ does not answer", told), (
        result
    )
    assert f"the run ends; the checkpoint {kept} has round" in told, result
