"""What outlives the attempts of a run on one rank: each step of an attempt begins with what is there of the one before."""

import hashlib
import math
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from mpi4py import MPI

from mpi_pgd import config
from mpi_pgd.comm.graphs import GRAPHS
from mpi_pgd.comm.world import agreement, anyone, once
from mpi_pgd.config import Settings
from mpi_pgd.data.labels import BALANCED
from mpi_pgd.data.memory import MemoryShard
from mpi_pgd.data.partition import NOBODY
from mpi_pgd.data.sides import Init
from mpi_pgd.drivers.fit import FitDriver
from mpi_pgd.drivers.history import History
from mpi_pgd.drivers.moments import Moments
from mpi_pgd.drivers.peer import PeerDriver
from mpi_pgd.engine.loop import Mode, StopFlags
from mpi_pgd.engine.sums import Sums
from mpi_pgd.errors import InputError
from mpi_pgd.observers.heartbeat import Heartbeat
from mpi_pgd.observers.snapshot import RankState, Snapshots
from mpi_pgd.recovery.attempts import Team
from mpi_pgd.recovery.hang_timeout import AUTO
from mpi_pgd.recovery.resume import About, Start, check
from mpi_pgd.recovery.signals import SignalFlag
from mpi_pgd.recovery.watcher import Watcher
from mpi_pgd.session.inspect import Problem, Seen, inspect_files
from mpi_pgd.session.load import choose_mode, load_rows
from mpi_pgd.session.prepare import take_moments, verify_rows
from mpi_pgd.session.rows import rows_of
from mpi_pgd.session.saving import Saving
from mpi_pgd.session.settings import jsonable
from mpi_pgd.system import scheduler
from mpi_pgd.system.log import LOG
from mpi_pgd.values import period

if TYPE_CHECKING:
    from mpi_pgd.session.given import Given

Choose = Callable[[], Start]
BEGINNING = "waiting for the start"
ENDLESS = "endless"  # what a checkpoint says of a fit that began with --tol 0


class Job:
    """See above; the parts come to be when their settings are known.

    Args:
        choose: reads the settings; called on one rank, once.
        flag: tells whether this rank was asked to stop.
        start: ``perf_counter()`` when the clock began.
        stack: ends what has to be ended.
        given: what a program has on this rank.

    Attributes:
        stopped: the program asked to stop, on this rank.
    """

    def __init__(
        self, choose: Choose, flag: SignalFlag | None, start: float, stack: ExitStack, given: "Given | None" = None
    ) -> None:
        self.choose, self.flag, self.start, self.stack, self.given = choose, flag, start, stack, given
        self.stopped = False
        self.settings = Settings()
        self._begun: Start | None = None
        self.pulse = Heartbeat()
        self.held = RankState(History(start))
        self.seen: Seen | None = None  # once a rank has looked at the files
        self.shard: MemoryShard | None = None
        self.lost: list[dict[str, Any]] = []
        self.watcher: Watcher | None = None
        self.mode: Mode | None = None  # of the newest attempt
        self.saving = Saving(self.held, stack)
        self._verified = False
        self._read = 0

    @property
    def begun(self) -> Start:
        """What the run begins from; known from the first ``begin`` on."""
        assert self._begun
        return self._begun

    def signalled(self) -> bool:
        """Whether this rank was asked to stop."""
        return self.stopped or (self.flag is not None and self.flag.came)

    def begin(self, team: Team) -> Settings:
        """The settings of an attempt; from now on this rank is watched. Collective."""
        self.team = team
        self.pulse.beat(self.pulse.round)  # patience counts from now
        self.pulse.enter(BEGINNING)
        self._take(team.comm)
        chosen = self.settings
        with agreement(team.comm):
            if not team.survives and chosen.frozen == "drop":
                raise InputError("--frozen drop needs an MPI that goes on without a lost rank: Open MPI, and mpirun --with-ft ulfm")
            self.saving.claim(chosen, team)
        patience, batch = chosen.patience, scheduler.read(os.environ)
        if patience == AUTO and not anyone(team.comm, batch is not None and batch.nodes > 1):  # then no node can be lost alone
            patience = math.inf
        if patience != math.inf:
            self._meet(team, patience)
        elif self.watcher is None and (self.flag or chosen.checkpoint):
            self._watch("", patience)
        self.held.agree(team.comm)
        return chosen

    def _take(self, comm: MPI.Intracomm) -> None:
        """The settings and the checkpoint to go on from: what any rank has, or else what the first one reads now. Collective."""

        def read() -> Start:
            self.pulse.enter("reading the settings")
            found = self.choose()
            settings = rows_of(found.settings | _absolute(found.settings), self.signalled)
            self.pulse.enter(BEGINNING)
            return found._replace(settings=settings, key=os.urandom(32))

        if self.given:
            self.given.agree(comm)
        known, self._begun = self._begun, once(comm, self._begun, read)
        if not known:
            self.settings = config.settings(self.begun.settings)
            if self.begun.origin:
                self.held.restore(self.begun.origin, self.start)

    def _meet(self, team: Team, patience: str | float) -> None:
        """Have each rank's watcher know how to ask the others. Collective."""
        from mpi_pgd.recovery import members  # hardly anyone asks for it, and it takes an import of sockets

        places = team.comm.allgather(members.place())
        if self.watcher is None:
            self._watch(members.meeting(places[team.comm.rank], places), patience)
        assert self.watcher
        self.watcher.join(team.comm.allgather(self.watcher.card()), team.comm.rank, team.ids)

    def _watch(self, host: str, patience: str | float) -> None:
        """Start the watcher, and what writes the checkpoint: on all ranks, as any may become the one that does."""
        chosen = self.settings
        self.saving.begin(self.team)
        watcher = Watcher(
            self.pulse,
            every=period(chosen.every)[0],
            patience=patience,
            flag=self.flag,
            end=self.saving.end,
            frozen=chosen.frozen,
            say=LOG.warning,
            key=self.begun.key,
            host=host,
        )
        self.watcher = self.stack.enter_context(watcher)
        if watcher.timeout.automatic and self.team.comm.rank == 0 and not chosen.quiet:
            LOG.info(watcher.timeout.sentence())

    def inspect(self, team: Team) -> Problem:
        """The problem of an attempt; the files are looked at once. Collective."""
        origin, init, endless = self.begun.origin, None, None
        if origin:
            endless = ENDLESS in origin.data
            if len(origin.init):
                init = Init.of(origin.init, origin.data["features"], str(origin.data.get("init")))
        problem = inspect_files(team.comm, self.settings, self.seen, team.ids, bool(team.lost), self.pulse, init, self.given, True)
        self.seen = problem.seen
        return replace(problem, began_endless=endless)

    def choose_mode(self, problem: Problem) -> Mode:
        """The mode of an attempt. Collective.

        The one before lives until now: unfinished messages may still have read its buffers.
        """
        self.mode = choose_mode(problem, self.mode.worker if self.mode else NOBODY)
        return self.mode

    def load(self, problem: Problem, mode: Mode) -> MemoryShard:
        """This rank's rows, of which those are read that nobody holds. Collective."""
        self.shard = load_rows(problem, mode, self.shard, looks=False)
        return self.shard

    def setup(self, problem: Problem, mode: Mode, shard: MemoryShard, flags: StopFlags) -> Moments:
        """What is held, or in a checkpoint of these settings and rows, or else asked of the data now. Collective."""
        origin = self.begun.origin
        if origin and not anyone(problem.comm, self._verified):
            with agreement(problem.comm):
                check(origin, self.settings.resume, jsonable(self.settings), about(problem))
            if self.settings.resume == self.settings.checkpoint:
                self.saving.note(origin.rounds)
            if len(origin.setup):
                verify_rows(problem, mode, shard, Moments.of(origin.setup), flags, origin.first)
        self._verified = True
        if self.held.snapshot.setup is not None:
            return Moments.of(self.held.snapshot.setup)
        setup = take_moments(problem, mode, shard, flags)
        self.held.prepared(setup.vector())
        return setup

    def ready(self, problem: Problem, shard: MemoryShard) -> None:
        """All is there for the rounds: from now on the checkpoint may be written. Tells what was lost before. Collective."""
        writer = self.saving.writer
        if writer:
            writer.ready(about(problem))
        self.pulse.beat(self.pulse.round)  # patience counts from now
        if self.watcher:
            self.watcher.saves(writer if problem.comm.rank == 0 else None, writer if self.team.survives else None)
        read = np.array(shard.rows_read - self._read)
        problem.comm.Allreduce(MPI.IN_PLACE, read)
        self._read = shard.rows_read
        self._tell_losses(problem, int(read))

    def _tell_losses(self, problem: Problem, read: int) -> None:
        """What was lost since the last attempt, told once; every rank knows it."""
        told = len(self.lost)
        for ranks, nodes, at in self.team.lost[told:]:
            entry = {"ranks": ranks, "nodes": nodes, "seconds": at - self.start}
            entry |= {"round": self.held.snapshot.rounds, "cost": perf_counter() - at, "rows_read": read}
            self.lost.append(entry)
            if problem.comm.rank == 0:
                LOG.warning(_lost(entry, problem.comm.size))

    def snapshots(self, problem: Problem) -> Callable[[FitDriver | PeerDriver, Sums], Snapshots] | None:
        """What keeps the state of a descent; None if nobody will ask for it."""
        comm, survives = problem.comm, self.team.survives
        if not (survives or self.settings.checkpoint or self.settings.resume):
            return None
        return partial(
            Snapshots,
            self.held,
            updates=problem.facts.updates(comm.rank),
            takes=comm.rank == 0 or survives,
            comm=comm if problem.facts.servers and survives else None,
            every=period(self.settings.every)[1] if self.settings.checkpoint else 0,
            done=self.watcher.poke if self.watcher else lambda: None,
        )


def about(problem: Problem) -> About:
    """What can be seen of the rows at once; ``verify_rows`` sees the rest."""
    data: dict[str, Any] = {"rows": problem.rows, "features": problem.table.features}
    data |= {f"vector of {name}": digest for name, digest in problem.sides.digests().items()}
    if weights := problem.seen.class_weights:
        data["file of class weights"] = hashlib.sha256(repr(sorted(weights.items())).encode()).hexdigest()
    if problem.endless:
        data[ENDLESS] = True
    if not problem.init:
        return About(data, problem.kernels)
    return About(data | {"init": problem.init.sha256}, problem.kernels, problem.init.point())


def _absolute(settings: Mapping[str, Any]) -> dict[str, str]:
    """Names of files that a run from elsewhere may go on with."""
    named = {name: settings[name] for name in ("init", "class_weight", "graph")}
    return {name: os.path.abspath(path) for name, path in named.items() if path not in ("", BALANCED, *GRAPHS)}  # noqa: PTH100


def _lost(loss: dict[str, Any], left: int) -> str:
    names = [
        f"rank {rank} on node {node}" if node else f"rank {rank}" for rank, node in zip(loss["ranks"], loss["nodes"], strict=True)
    ]
    ranks = "1 rank goes" if left == 1 else f"{left} ranks go"
    return (
        f"{' and '.join(names)} {'was' if len(names) == 1 else 'were'} lost after {loss['seconds']:.1f} s; {ranks} on from round "
        f"{loss['round']}, {loss['cost']:.2f} s later, after reading {loss['rows_read']:,} rows again"
    )
