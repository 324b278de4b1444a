"""Ranks are killed at random: one to three, at any moment, in both modes. The others go on, to the same bits (ULFM).

On one host, or on 2 and 3 hosts with 2 ranks each: there Open MPI chooses other collectives.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random
from secrets import token_hex
from statistics import median
from typing import Any

from tests.chaos.common import LIMIT, ULFM, Failed, Ground, Tally, available, random_layout, started
from tests.hosts import Hosts, unavailable
from tests.launch import Result, Running, launch

EARLY, LATE = 0.5, 2.0  # seconds after MPI_Init: loading and setup, the rounds
RECOVERING = 0.3  # seconds that may lie between two deaths, so that the second comes during the recovery from the first
TRIES = 10  # of a case, as the job may end before the kill comes: then it comes earlier
EARLIER = 0.7
SETTINGS: dict[str, Callable[[Path], object]] = {
    "edited": lambda path: path.write_text("l2 = 0.5\n"),
    "removed": lambda path: path.unlink(missing_ok=True),
}
HOSTS, EACH = (2, 3), 2  # how many; ranks on each
DELAY, BANDWIDTH = 1e-4, 1e9  # seconds one way, bit/s
Launch = Callable[..., Result]


@dataclass(frozen=True)
class Plan:
    """A case: what runs, and whom to kill when. ``delay`` is None for: as soon as the result is being written.

    ``settings`` is what becomes of the file with the settings just before that: edited, removed, or nothing.
    """

    kind: str
    ranks: int
    layout: tuple[object, ...]
    more: tuple[object, ...]
    victims: tuple[int, ...]
    delay: float | None
    gaps: tuple[float, ...]
    settings: str = ""

    def __str__(self) -> str:
        when = "at the end" if self.delay is None else f"after {self.delay:.2f} s"
        gaps = "".join(f" +{gap:.2f}" for gap in self.gaps)
        words = " ".join(map(str, self.layout[1::2])) + "".join(f" {word}" for word in self.more if str(word).startswith("--"))
        settings = f", settings {self.settings}" if self.settings else ""
        return f"{self.ranks} ranks, {words}, {self.kind}{settings}, kill {' '.join(map(str, self.victims))} {when}{gaps}"


def plan(random: Random, kinds: Sequence[str], folder: Path, ranks: int) -> Plan:
    """A random case."""
    victims = random.sample(range(ranks), random.randint(1, min(3, ranks - 1)))
    delay = random.choices([random.uniform(0, EARLY), random.uniform(EARLY, LATE), None], [35, 45, 20])[0]
    together = random.random() < 0.4
    gaps = [0.0 if together else random.uniform(0, RECOVERING) for _ in victims[1:]]
    more: list[object] = []
    if random.random() < 0.3:
        more += ["--force", "--checkpoint", folder / "kills.checkpoint", "--every", random.choice(["0.2s", "50rounds"])]
    settings = random.choice(["", "", *SETTINGS])
    return Plan(random.choice(kinds), ranks, random_layout(random), tuple(more), tuple(victims), delay, tuple(gaps), settings)


class Killer:
    """Does to a job what the plan says. ``killed`` is how many ranks that took; fewer than planned if the job ended before.

    ``settings`` is a file for --config. It is harmed once the folder for the result is there: the settings were read by then.
    """

    def __init__(self, plan: Plan, out: Path) -> None:
        self.plan, self.out, self.killed = plan, out, 0
        self.settings = out.with_suffix(".toml")
        self.settings.write_text("l2 = 0\n")

    def __call__(self, job: Running) -> None:
        ranks = started(job, self.plan.ranks)
        due = job.wait(self.plan.delay) if self.plan.delay is not None else job.until(self._writing)
        if self.plan.settings and self.out.exists():
            SETTINGS[self.plan.settings](self.settings)
        for victim, gap in zip(self.plan.victims, (0.0, *self.plan.gaps), strict=True):
            if ranks and due and (gap == 0.0 or job.wait(gap)) and ranks[victim] in job.ranks():
                job.kill([ranks[victim]])
                self.killed += 1

    def _writing(self) -> bool:
        return self.out.exists() and any(self.out.iterdir())


def run(count: int, random: Random, ground: Ground, tally: Tally) -> None:
    """So many cases on one host."""
    _go(ground, tally, [(random.randint(2, 6), launch) for _ in range(count)], random)


def run_on_hosts(count: int, random: Random, ground: Ground, tally: Tally) -> None:
    """So many cases on several hosts, in turn 2 and 3."""
    if reason := unavailable():
        tally.notes.append(f"left out: {reason}")
        return
    with ExitStack() as stack:
        hosts = {n: stack.enter_context(Hosts(n, DELAY, BANDWIDTH)) for n in HOSTS}
        turns = [HOSTS[number % len(HOSTS)] for number in range(count)]
        _go(ground, tally, [(EACH * n, hosts[n].mpirun) for n in turns], random)


def _go(ground: Ground, tally: Tally, where: Sequence[tuple[int, Launch]], random: Random) -> None:
    openmpi = available(["openmpi"])
    if not openmpi:
        tally.notes.append("left out: needs Open MPI")
        return
    moments: Counter[str] = Counter()
    losses: list[dict[str, Any]] = []
    for number, (ranks, start) in enumerate(where):
        chosen = plan(random, list(ground.sources), ground.folder, ranks)
        tally.case(str(chosen), partial(_case, chosen, ground, partial(start, openmpi[0]), number, moments, losses))
    tally.notes.append("the first death came " + ", ".join(f"{moment}: {n}" for moment, n in sorted(moments.items())))
    if costs := sorted(loss["cost"] for loss in losses):
        tally.notes.append(f"{len(costs)} recoveries took {median(costs):.2f} s (median), at most {costs[-1]:.2f} s")


def _case(
    chosen: Plan, ground: Ground, start: Launch, number: int, moments: Counter[str], losses: list[dict[str, Any]]
) -> tuple[str, str]:
    for attempt in range(TRIES):
        out = ground.folder / f"kills-{number}-{attempt}-{token_hex(4)}"  # not there yet: the killer waits for it
        killer = Killer(chosen, out)
        words = ground.words(chosen.kind, out, *chosen.layout, *chosen.more, "--config", killer.settings)
        result = start(chosen.ranks, *words, flags=ULFM, timeout=LIMIT, during=killer)
        if not killer.killed and chosen.delay is not None:
            chosen = replace(chosen, delay=EARLIER * chosen.delay)
        if killer.killed:
            return _judge(ground.check(chosen.kind, out, result), ground.rounds, result, killer.killed, moments, losses)
    raise Failed(f"the job ended {TRIES} times before anyone was killed: {result}")


def _judge(
    found: dict[str, Any], rounds: int, result: Result, killed: int, moments: Counter[str], losses: list[dict[str, Any]]
) -> tuple[str, str]:
    moments[_moment(found["losses"], rounds)] += 1
    losses += found["losses"]
    told = "; ".join(f"rank {_all(loss)} in round {loss['round']}, {loss['cost']:.2f} s" for loss in found["losses"])
    return f"survived, {killed} killed", f"{told or 'all was done'}; {result.seconds:.1f} s in all"


def _all(loss: dict[str, Any]) -> str:
    return " and ".join(map(str, loss["ranks"]))


def _moment(losses: list[dict[str, Any]], rounds: int) -> str:
    if not losses or losses[0]["round"] == rounds:
        return "after the rounds"
    return "in the rounds" if losses[0]["round"] else "before the rounds"
