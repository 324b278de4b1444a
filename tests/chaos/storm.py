"""One run of 8 ranks on 2 hosts whose ranks are killed at random, over and over (ULFM), until hundreds have died.

It goes on with those that are left; when these are too few, they are killed as well, and the run starts again from its checkpoint.
"""

from functools import partial
from pathlib import Path
from random import Random

from mpi_pgd.recovery.checkpoint import read
from tests.chaos.cluster import SLOW
from tests.chaos.common import LIMIT, ULFM, Failed, Ground, Tally, available, record, started
from tests.chaos.kills import BANDWIDTH, DELAY
from tests.hosts import Hosts, unavailable
from tests.launch import Library, Result, Running

HOSTS, RANKS, FEW = 2, 8, 2
GAP = 0.4  # seconds between two deaths, on average
EVERY = 10  # rounds between two checkpoints
SUSTAINED = 8  # rounds for each death: enough for the run to outlast them
MEASURED = 20  # rounds of the run to which nothing happens


class Killer:
    """Kills ranks of one job after the other, ``wanted`` in all; ``reached`` is the checkpoint's round at the last death."""

    def __init__(self, wanted: int, random: Random, checkpoint: Path) -> None:
        self.wanted, self.random, self.checkpoint = wanted, random, checkpoint
        self.killed = self.starts = self.survived = self.reached = 0
        self.seconds = 0.0

    @property
    def done(self) -> bool:
        return self.killed >= self.wanted

    def __call__(self, job: Running) -> None:
        self.starts += 1
        if self.done:
            return
        ranks = started(job, RANKS)
        while ranks and not self.done and job.wait(self.random.uniform(0, 2 * GAP)):
            ranks = [pid for pid in ranks if pid in job.ranks()]
            victims = ranks if len(ranks) <= FEW else [self.random.choice(ranks)]
            job.kill(victims)
            self.killed += len(victims)
            self.survived += len(ranks) > FEW
        if self.done:
            self.reached = read(self.checkpoint).rounds if self.checkpoint.exists() else 0
        self.seconds += job.seconds


def run(count: int, random: Random, ground: Ground, tally: Tally) -> None:
    """A storm of so many deaths."""
    openmpi = available(["openmpi"])
    if reason := unavailable() or ("" if openmpi else "needs Open MPI"):
        tally.notes.append(f"left out: {reason}")
        return
    folder = ground.folder / "storm"
    folder.mkdir()
    tally.case(f"{count} deaths", partial(_storm, count, random, Ground(folder, SUSTAINED * count), openmpi[0]))


def _storm(count: int, random: Random, ground: Ground, library: Library) -> tuple[str, str]:
    checkpoint, out = ground.folder / "checkpoint", ground.folder / "out"
    killer = Killer(count, random, checkpoint)
    with Hosts(HOSTS, DELAY, BANDWIDTH) as hosts:
        start = partial(hosts.mpirun, library, RANKS, flags=ULFM, timeout=4 * LIMIT)
        quiet = ground.folder / "quiet"
        start(*ground.sources["contiguous"], "--rounds", MEASURED, "--tol", 0, "--quiet", "--out", quiet, *SLOW)
        while not (out / "run.json").exists():
            if killer.starts > count:
                raise Failed(f"{killer.starts} starts, and no end")
            words = ground.words("contiguous", out, "--checkpoint", checkpoint, "--every", f"{EVERY}rounds")
            again = ("--resume", checkpoint) if checkpoint.exists() else ()
            result: Result = start(*words, *again, *(() if killer.done else SLOW), during=killer)
    ground.check("contiguous", out, result)
    if not killer.done:
        raise Failed(f"the run ended after {killer.killed} deaths: {result}")
    share = killer.reached * record(quiet)["seconds_per_round"] / killer.seconds
    more = f"{killer.starts} starts, {killer.survived} deaths gone on from within one; goodput {share:.1%} of the time"
    return f"{killer.killed} killed, the same bits", more
