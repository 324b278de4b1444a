"""The whole job is killed at a random moment and goes on from its checkpoint: on other ranks, in another mode, with another
library, to the same bits."""

import contextlib
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random

from mpi_pgd.recovery.checkpoint import read
from tests.chaos.common import LIMIT, Failed, Ground, Tally, available, one_sentence, random_layout, started
from tests.launch import Library, Running, launch

WRITING = 0.4  # of the cases: while a checkpoint is being written
DELAY = 1.2  # seconds after MPI_Init, at most
AGAIN = 0.25  # of the cases: the run that goes on is killed, too
TRIES = 10  # of a kill, as the job may end, or the writing, before it comes
EARLIER = 0.7
LATER = 0.6  # seconds, when there was no checkpoint yet


@dataclass(frozen=True)
class Start:
    """How a job is started."""

    library: Library
    ranks: int
    layout: tuple[object, ...]

    def __str__(self) -> str:
        return f"{self.library.name} {self.ranks} {' '.join(map(str, self.layout[1::2]))}"


@dataclass(frozen=True)
class Death:
    """When a job is killed: so many seconds after MPI_Init, or when a checkpoint is next seen being written."""

    delay: float
    writing: bool

    def __str__(self) -> str:
        return f"killed {'while writing, ' if self.writing else ''}after {self.delay:.2f} s"


class Killer:
    """Kills the launcher and all ranks together.

    Attributes:
        came: the job was still there, and, if it was to be while writing, what was being written was left behind.
    """

    def __init__(self, checkpoint: Path, ranks: int, death: Death) -> None:
        self.checkpoint, self.ranks, self.death, self.came = checkpoint, ranks, death, False

    def __call__(self, job: Running) -> None:
        ranks = started(job, self.ranks)
        if not ranks or not job.wait(self.death.delay) or (self.death.writing and not self._seen(job)):
            return
        there = job.goes_on
        job.kill([*ranks, job.mpirun])
        job.until(lambda: not any(map(_alive, ranks)))
        self.came = there and (not self.death.writing or self._part())

    def _seen(self, job: Running) -> bool:
        """Looks without a pause: it takes a millisecond to write one."""
        while job.goes_on:
            if self._part():
                return True
        return False

    def _part(self) -> bool:
        return any(_size(path) for path in self.checkpoint.parent.glob(".*.part"))


def run(count: int, random: Random, ground: Ground, tally: Tally) -> None:
    """So many cases."""
    libraries, unready = available(), []
    for number in range(count):
        writing = number < round(WRITING * count)
        kind = random.choice(list(ground.sources))
        starts = [Start(random.choice(libraries), ranks, random_layout(random)) for ranks in random.sample(range(1, 7), 3)]
        deaths = [Death(random.uniform(0, DELAY), writing) for _ in range(2 if random.random() < AGAIN else 1)]
        every = "1rounds" if writing else random.choice(["20rounds", "0.1s", "0.5s"])
        plan = list(zip(starts, deaths, strict=False))
        told = ", ".join(f"{start} {death}" for start, death in plan)
        folder = ground.folder / f"resumes-{number}"
        folder.mkdir()
        case = partial(_case, ground, kind, every, plan, starts[-1], folder, unready)
        tally.case(f"{kind}, every {every}, {told}, then {starts[-1]}", case)
    tally.notes.append(
        f"besides, {len(unready)} times there was no checkpoint yet, and --resume said so in a sentence (exit code 2)"
    )


def _case(
    ground: Ground, kind: str, every: str, plan: list[tuple[Start, Death]], last: Start, folder: Path, unready: list[str]
) -> tuple[str, str]:
    checkpoint, out = folder / "checkpoint", folder / "out"
    same = ("--every", every, "--quiet", "--out", out)
    words = ground.words(kind, out, "--checkpoint", checkpoint, "--every", every)
    reached = []
    for start, death in plan:
        _kill(start, words, checkpoint, death)
        while not checkpoint.exists():
            unready.append(_refused(last, ["--resume", checkpoint, *same]))
            death = replace(death, delay=death.delay + LATER)
            _kill(start, words, checkpoint, death)
        reached.append(str(read(checkpoint).rounds))  # which checks it, too
        words = ["--resume", checkpoint, *same]
    result = launch(last.library, last.ranks, *words, *last.layout, timeout=LIMIT)
    found = ground.check(kind, out, result)
    if found["rounds"] != ground.rounds:
        raise Failed(f"{found['rounds']} rounds: {result}")
    how = "killed while a checkpoint was being written" if plan[0][1].writing else "killed"
    return f"{how}, the same bits", f"from round {' and '.join(reached)}; {result.seconds:.1f} s"


def _kill(start: Start, words: list[object], checkpoint: Path, death: Death) -> None:
    for _ in range(TRIES):
        killer = Killer(checkpoint, start.ranks, death)
        result = launch(start.library, start.ranks, *words, *start.layout, timeout=LIMIT, during=killer)
        if killer.came:
            return
        death = replace(death, delay=EARLIER * death.delay)
    raise Failed(f"in {TRIES} tries, the job was never killed as planned: {result}")


def _refused(start: Start, words: list[object]) -> str:
    return one_sentence(launch(start.library, start.ranks, *words, *start.layout, timeout=LIMIT), 2, "checkpoint", "can't be read")


def _size(path: Path) -> int:
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def _alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
