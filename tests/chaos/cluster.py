"""Nodes die and links are cut in the middle of a run on several hosts.

It ends or goes on, nothing hangs, and --resume gives the bits. Open MPI's launcher does not hear of its daemon beyond a cut link,
and waits for it long after all ranks have ended: that is noted, and cut short.
"""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from mpi_pgd.recovery.checkpoint import read
from tests.chaos.common import LIMIT, MODES, ULFM, Failed, Ground, Tally, available, sentences, started
from tests.hosts import Hosts, unavailable
from tests.launch import Running, launch

NODES = 3
DELAY, BANDWIDTH = 1e-4, 1e9  # seconds one way, bit/s
PATIENCE = 5  # seconds; the sockets alone notice a cut link after many minutes
SLOW = ("--delay", "exponential:0.02")  # seconds: a run lasts long enough, and leaves the cores to others
LINGER = 5.0  # seconds
CUT, KILL, POWER = "link cut", "node killed", "node without power"


@dataclass(frozen=True)
class Case:
    """What runs, and what happens."""

    library: str
    event: str
    node: int
    mode: str
    flags: tuple[str, ...] = ()
    more: tuple[object, ...] = ("--patience", PATIENCE)

    def __str__(self) -> str:
        words = " ".join(map(str, self.more))
        return f"{self.library}{' with ULFM' if self.flags else ''}, {self.mode}, {words}, {self.event} of node{self.node + 1}"


def cases() -> list[Case]:
    """All of them; node1 has rank 0 and the launcher."""
    client_server, peer_to_peer = MODES[:2]
    found = [
        Case("mpich", CUT, 2, client_server),
        Case("mpich", KILL, 1, peer_to_peer),
        Case("mpich", POWER, 2, peer_to_peer),
        Case("openmpi", CUT, 1, peer_to_peer),
        Case("openmpi", KILL, 2, client_server),
        Case("openmpi", CUT, 2, client_server, ULFM),
        Case("openmpi", CUT, 1, peer_to_peer, ULFM, ("--patience", PATIENCE, "--frozen", "drop")),
        Case("openmpi", KILL, 1, client_server, ULFM),
        Case("openmpi", POWER, 2, peer_to_peer, ULFM),
    ]
    return [case for case in found if case.library in {library.name for library in available()}]


def run(count: int, random: Random, ground: Ground, tally: Tally) -> None:
    """The first so many cases."""
    go(cases()[:count], random, ground, tally)


def go(chosen: Iterable[Case], random: Random, ground: Ground, tally: Tally) -> None:
    """These cases."""
    if reason := unavailable():
        tally.notes.append(f"left out: {reason}")
        return
    ground.rounds = 300
    for number, case in enumerate(chosen):
        folder = ground.folder / f"cluster-{number}"
        folder.mkdir()
        tally.case(str(case), partial(_case, case, ground, random, folder))


def _case(case: Case, ground: Ground, random: Random, folder: Path) -> tuple[str, str]:
    checkpoint, out = folder / "checkpoint", folder / "out"
    library = next(library for library in available() if library.name == case.library)
    words = ground.words(
        "contiguous", out, "--mode", case.mode, *SLOW, *case.more, "--checkpoint", checkpoint, "--every", "10rounds"
    )
    with Hosts(NODES, DELAY, BANDWIDTH) as hosts:
        event = Event(hosts, case, checkpoint)
        result = hosts.mpirun(library, NODES, *words, flags=case.flags, timeout=LIMIT, during=event)
    if not event.happened:
        raise Failed(f"it ended before anything happened: {result}")
    said = sentences(result)
    how = f"ranks gone after {event.ended:.1f} s, launcher lingers" if event.lingers else f"exit code {result.returncode}"
    more = f"{how}, after {result.seconds - event.at:.1f} s; {said[0] if said else 'without a word'}"
    if (out / "run.json").exists():
        ground.check("contiguous", out, result)
        return f"{case.event}: went on, the same bits", more
    return f"{case.event}: ended, resumed to the same bits", f"{more}; {_resumed(ground, checkpoint, folder / 'again', random)}"


class Event:
    """Lets it happen, once there is a checkpoint."""

    def __init__(self, hosts: Hosts, case: Case, checkpoint: Path) -> None:
        self.hosts, self.case, self.checkpoint = hosts, case, checkpoint
        self.happened = self.lingers = False
        self.at = self.ended = 0.0

    def __call__(self, job: Running) -> None:
        if not started(job, NODES) or not job.until(self.checkpoint.exists) or not job.wait(0.5):
            return
        if self.case.event in (CUT, POWER):
            self.hosts.run(self.hosts.names[self.case.node], "ip", "link", "set", "eth0", "down")
        if self.case.event in (KILL, POWER):
            job.kill(pid for pid in job.processes() if _space(pid) == self.hosts.spaces[self.case.node])
        self.happened, self.at = True, job.seconds
        if self.case.event != KILL and job.until(lambda: not job.ranks()):
            self.ended = job.seconds - self.at
            self.lingers = job.wait(LINGER)
            if self.lingers:
                job.kill(job.processes())


def _space(pid: int) -> str:
    with contextlib.suppress(OSError):
        return str(Path(f"/proc/{pid}/ns/net").readlink())
    return ""


def _resumed(ground: Ground, checkpoint: Path, out: Path, random: Random) -> str:
    library, ranks, mode = random.choice(available()), random.randint(1, 4), random.choice(MODES)
    reached = read(checkpoint).rounds
    words = ("--resume", checkpoint, "--mode", mode, "--quiet", "--out", out)
    ground.check("contiguous", out, launch(library, ranks, *words, timeout=LIMIT))
    return f"resumed from round {reached} with {library.name} on {ranks}"
