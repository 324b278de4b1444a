"""Nodes of a real SLURM are lost under jobs: both MPIs by srun and by mpirun, a fit and a chain, in the first run or a later one.

The node stays away until SLURM gives it up, or its daemon is back before SLURM notices anything. A chain goes on to the same bits
by itself. A fit does so where SLURM queues it again; else it has failed for SLURM, too, and is resumed to the same bits.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from tests.chaos.common import Failed, Ground, Tally, available, record
from tests.launch import launch, libraries
from tests.private_slurm import Slurm, unavailable
from tests.slurm_jobs import SLOW, WAYS, Jobs, Way

NODES = 5  # one more than the jobs have
GIVEN_UP = 20  # seconds until SLURM gives a node up
AWAY = 1.0  # seconds until a node's daemon is back
LONG = 400.0  # seconds: a rank that is not heard of is waited for for a minute
ROUNDS = 1500


@dataclass(frozen=True)
class Loss:
    """Which node is lost, in which run of the jobs, and whether its daemon comes back at once."""

    node: str
    run: int
    back: bool

    def __str__(self) -> str:
        return f"{self.node} lost in run {self.run}{', back before SLURM notices' * self.back}"


def cases() -> list[Loss]:
    """All of them; node1 has the batch scripts and rank 0."""
    return [
        *(Loss("node2", number, back) for back in (True, False) for number in (1, 2)),
        *(Loss("node1", 1, back) for back in (True, False)),
    ]


def run(count: int, random: Random, ground: Ground, tally: Tally) -> None:
    """The first so many losses, each of which hits eight jobs."""
    if reason := unavailable() or ("" if len(available()) == 2 else "needs MPICH and Open MPI"):
        tally.notes.append(f"left out: {reason}")
        return
    ground.rounds = ROUNDS
    for number, loss in enumerate(cases()[:count]):
        with Slurm(NODES, timeout=GIVEN_UP) as slurm:
            kinds = {kind: Jobs(slurm, ground.folder / f"losses-{number}" / kind) for kind in ("chain", "fit")}
            hit = _once(partial(_hit, loss, slurm, kinds, ground))
            for kind, jobs in kinds.items():
                for way in WAYS:
                    what = f"{kind}, {way.library} by {way.launch or 'srun'}, {loss}"
                    tally.case(what, partial(_case, kind, loss.run, jobs, way, hit, ground))


def _once(do: Callable[[], str]) -> Callable[[], str]:
    found: list[str] = []

    def done() -> str:
        if not found:
            found.append("")
            found[0] = do()
        return found[0]

    return done


def _hit(loss: Loss, slurm: Slurm, kinds: dict[str, Jobs], ground: Ground) -> str:
    """Start all jobs, lose the node under them, and wait for their ends; what went wrong meanwhile."""
    words = (*ground.words("contiguous", Path("out"))[:-2], *SLOW)
    for kind, jobs in kinds.items():
        jobs.folder.mkdir(parents=True)
        jobs.submit(WAYS, kind, *words)
    for jobs in kinds.values():
        jobs.have_begun(LONG)
    if loss.run > 1:
        slurm.run("scancel", "--signal=USR1", "--batch", *kinds["chain"].numbers.values())
        for number in kinds["fit"].numbers.values():
            slurm.run("scontrol", "requeue", number)
        for jobs in kinds.values():
            jobs.run_again(LONG)
            jobs.are_beyond(jobs.checkpoints(), LONG)
    slurm.down(loss.node)
    if loss.back:
        time.sleep(AWAY)
        slurm.up(loss.node)
    for jobs in kinds.values():
        try:
            jobs.end(LONG)
        except TimeoutError as late:
            return str(late)
    return ""


def _case(kind: str, hit_run: int, jobs: Jobs, way: Way, hit: Callable[[], str], ground: Ground) -> tuple[str, str]:
    trouble = hit()
    number = jobs.numbers[way]
    job, log, out = jobs.slurm.job(number), jobs.log(number), jobs.out(way)
    runs = int(job["Restarts"]) + 1
    more = f"{job['JobState']} {job['ExitCode']}, {runs} runs"
    if job["JobState"] == "COMPLETED":
        if runs == hit_run:
            raise Failed(f"{more}: it was done before the node was lost")
        if not (out / "run.json").exists() or record(out)["weights_sha256"] != ground.undisturbed("contiguous"):
            raise Failed(f"{more}, without a result or with another: {log}")
        return f"{kind}: went on in its job, the same bits", more
    kept = next(iter(jobs.place(way).glob("*.ckpt")), None)
    if kind == "chain" or job["JobState"] != "FAILED" or job["ExitCode"] == "0:0" or kept is None:
        raise Failed(f"{more}: {trouble}\n{log}")
    words = ("--resume", kept, "--quiet", "--out", out.with_name("again"))
    ground.check("contiguous", out.with_name("again"), launch(libraries()[way.library], 3, *words, timeout=LONG))
    return f"{kind}: failed for SLURM, too, and was resumed to the same bits", more
