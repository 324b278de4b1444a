"""Going on without the ranks that were lost (ULFM: W. Bland et al., "Post-failure recovery of MPI communication capability", 2013).

Work is done in attempts, each on one communicator. Where a rank dies, the calls of MPI fail on those that wait for it; these
revoke the communicator, so that no other waits for ever; then all that are left agree that the attempt failed, shrink the
communicator, and attempt again, with what each has kept. An attempt that ends well is ended by the same agreement, so all leave, or
none.
"""

import atexit
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Timer
from time import perf_counter, sleep
from typing import NamedTuple, TypeVar, cast

import numpy as np
from mpi4py import MPI

from mpi_pgd.errors import InputError
from mpi_pgd.topology.world import FINALIZING, RESPAWNED, connect, lost, nodes, tolerant

Done = TypeVar("Done")
SETTLING = 0.3  # seconds
SPAWNING = 30.0  # seconds, at most
UNKNOWN = -1  # the number of a rank that has just been started in the place of another


class Loss(NamedTuple):
    """Ranks that were lost together: their numbers at the start of the job, their nodes, and when (``perf_counter``)."""

    ranks: tuple[int, ...]
    nodes: tuple[str, ...]
    at: float


class Team:
    """The ranks of an attempt.

    Attributes:
        comm: of these ranks alone.
        ids: each one's number at the start of the job.
        losses: what was lost until now, on this rank's account.
        lasting: whether the loss of a rank can be survived.
        size: how many ranks there were at the start of the job.
        newcomer: this rank was started in the place of another.
    """

    def __init__(self, comm: MPI.Intracomm, ids: list[int], lasting: bool, size: int = 0) -> None:
        self.comm, self.ids, self.lasting, self.size = comm, ids, lasting, size or comm.size
        self.losses: list[Loss] = []
        self.nodes: list[str] = []
        self.newcomer = False


def lasting(world: MPI.Intracomm, attempt: Callable[[Team], Done], respawn: Callable[[], bool] = lambda: False) -> Done:
    """What ``attempt`` gives, attempted again by those that are left as long as ranks are lost. Collective.

    Args:
        world: all ranks; it is not used for anything else.
        attempt: what to do; collective over its team's ranks.
        respawn: whether to start others in the place of those that were lost.

    Raises:
        InputError: what ``attempt`` raised, on all ranks.
    """
    if not tolerant():
        comm = world.Dup()  # so that no message of the caller's is mistaken for ours
        try:
            return attempt(Team(comm, list(range(comm.size)), lasting=False))
        finally:
            comm.Free()
    connect(world)  # again, unless this is the command line
    # Shrunk at once: the communicator is then ours alone, and a loss before now is known as any other.
    parent = MPI.Comm.Get_parent()
    team = _survivors(Team(world, list(range(world.size)), lasting=True)) if parent == MPI.COMM_NULL else _arrived(parent)
    while True:
        done, error = _try(team, attempt)
        if _agree(team.comm, done is not None or error is not None):
            if team.losses:
                atexit.register(signal.alarm, FINALIZING)  # MPI_Finalize may wait for who was lost
            if error:
                raise error
            return cast(Done, done)
        team = _survivors(team)
        if team.comm.size < team.size and _agree(team.comm, respawn()):
            team = _settled(team)
            team = _refilled(team) or _survivors(team)


def _try(team: Team, attempt: Callable[[Team], Done]) -> tuple[Done | None, InputError | None]:
    """What came of an attempt, or the input's error; neither if a rank was lost, which all others are then made to notice."""
    try:
        team.nodes = nodes(team.comm)
        return attempt(team), None
    except InputError as error:
        return None, error
    except MPI.Exception as failure:
        if not lost(failure):
            raise
        team.comm.Revoke()
        return None, None


def _agree(comm: MPI.Intracomm, well: bool) -> bool:
    """Whether it went well on all ranks, and none was lost; all that are left get the same answer."""
    try:
        return bool(comm.Agree(int(well)))
    except MPI.Exception as failure:
        if not lost(failure):
            raise
        return False


def _survivors(team: Team) -> Team:
    """The team of those that are left."""
    at = perf_counter()
    comm = cast(MPI.Intracomm, team.comm.Shrink())
    left = MPI.Group.Translate_ranks(comm.group, list(range(comm.size)), team.comm.group)
    gone = sorted(set(range(team.comm.size)) - set(left))
    after = Team(comm, [team.ids[rank] for rank in left], lasting=True, size=team.size)
    after.losses = team.losses
    if gone:
        names = tuple(team.nodes[rank] if team.nodes else "" for rank in gone)
        after.losses = [*team.losses, Loss(tuple(team.ids[rank] for rank in gone), names, at)]
    return after


def _settled(team: Team) -> Team:
    """The team once nobody was lost for a moment: many die together, are found out one by one, and MPI_Comm_spawn needs all."""
    sleep(SETTLING)
    while not _agree(team.comm, True):
        team = _survivors(team)
        sleep(SETTLING)
    return team


def _refilled(team: Team) -> Team | None:
    """The team with ranks started anew in the places that are empty; None if that can't be, which all ranks agree on."""
    after: Team | None = None
    merged: MPI.Intracomm | None = None
    info = MPI.Info.Create({"wdir": str(Path.cwd())})
    limit = Timer(SPAWNING, _too_late, [team.comm.rank])
    limit.daemon = True
    limit.start()
    try:
        others = team.comm.Spawn(sys.executable, sys.orig_argv[1:], team.size - team.comm.size, info)
        merged = others.Merge(high=False)
        RESPAWNED.append(others.remote_size)
        others.Free()  # or MPI_Finalize would wait for ranks that were lost
        after = _seated(merged, team.ids[team.comm.rank], team.size)
        after.losses = team.losses
    except MPI.Exception as failure:
        if team.comm.rank == 0:
            sys.stderr.write(f"mpi_pgd: no rank could be started in the place of those that were lost ({failure})\n")
    finally:
        limit.cancel()
    if _agree(team.comm, after is not None):
        return after
    if merged:
        merged.Revoke()
    return None


def _too_late(rank: int) -> None:
    """MPI_Comm_spawn waits for ever when one of its ranks dies meanwhile."""
    if rank == 0:
        sys.stderr.write("mpi_pgd: another rank was lost while some were started in the place of others: start the job again\n")
    os._exit(1)


def _arrived(parent: MPI.Intercomm) -> Team:
    """The team that this rank was started for."""
    try:
        RESPAWNED.append(parent.size)
        merged = parent.Merge(high=True)
        parent.Free()
        team = _seated(merged, UNKNOWN, 0)
    except MPI.Exception as failure:
        if not lost(failure):
            raise
        os._exit(0)  # another one was lost meanwhile: the others go on without this one
    team.newcomer = True
    return team


def _seated(merged: MPI.Intracomm, mine: int, size: int) -> Team:
    """All in the order of their numbers; those that are new take the numbers that are free. Collective."""
    connect(merged)
    everyone = np.empty((merged.size, 2), dtype=np.int64)
    merged.Allgather(np.array([mine, size], dtype=np.int64), everyone)
    numbers, size = everyone[:, 0], int(everyone[:, 1].max())
    numbers[numbers == UNKNOWN] = np.setdiff1d(np.arange(size), numbers)
    comm = cast(MPI.Intracomm, merged.Split(0, int(numbers[merged.rank])))
    return Team(comm, sorted(numbers.tolist()), lasting=True, size=size)
