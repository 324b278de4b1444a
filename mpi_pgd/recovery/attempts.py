"""Going on without the ranks that were lost (ULFM).

Work is done in attempts, each on one communicator. Where a rank dies, the calls of MPI fail on those that wait for it; these
revoke the communicator, so that no other waits for ever; then all that are left agree that the attempt failed, shrink the
communicator, and attempt again, with what each has kept. An attempt that ends well is ended by the same agreement, so all leave, or
none.
"""

import atexit
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple, TypeVar, cast

from mpi4py import MPI

from mpi_pgd.comm import components
from mpi_pgd.comm.ulfm import agree, connect, lost, missed, revoke, shrunk, tolerant
from mpi_pgd.comm.world import freed, nodes
from mpi_pgd.errors import InputError
from mpi_pgd.system.log import LOG

Done = TypeVar("Done")
FINALIZING = 5  # seconds for MPI_Finalize, where it may wait for ranks that were lost


class LostRanks(NamedTuple):
    """Ranks that were lost together: their numbers at the start of the job, their nodes, and when (``perf_counter``)."""

    ranks: list[int]
    nodes: list[str]
    at: float


@dataclass
class Team:
    """The ranks of an attempt."""

    comm: MPI.Intracomm  # of these ranks alone
    ids: Sequence[int]  # each one's number at the start of the job
    survives: bool  # the others can go on when a rank is lost
    lost: Sequence[LostRanks] = ()  # until now, on this rank's account
    nodes: Sequence[str] = ()  # each one's, once they are known


def run_attempts(world: MPI.Intracomm, attempt: Callable[[Team], Done]) -> Done:
    """What ``attempt`` gives, attempted again by those that are left as long as ranks are lost. Collective.

    Args:
        world: all ranks; it is not used for anything else.
        attempt: what to do; collective over its team's ranks.

    Raises:
        InputError: what ``attempt`` raised, on all ranks.
    """
    if not tolerant():
        comm = world.Dup()  # so that no message of the caller's is mistaken for ours
        with freed(comm):
            return attempt(Team(comm, range(comm.size), survives=False))
    connect(world)  # again, unless this is the command line
    # Shrunk at once: the communicator is then ours alone, and a loss before now is known as any other.
    team = _survivors(Team(world, range(world.size), survives=True))
    while True:
        done, error = _try(team, attempt)
        if agree(team.comm, done is not None or error is not None):
            if team.lost:
                atexit.register(signal.alarm, FINALIZING)  # MPI_Finalize may wait for who was lost
            if error:
                raise error
            return cast(Done, done)
        team = _survivors(team)


def _try(team: Team, attempt: Callable[[Team], Done]) -> tuple[Done | None, InputError | None]:
    """What came of an attempt, or the input's error; neither if a rank was lost, which all others are then made to notice."""
    try:
        team.nodes = nodes(team.comm)
        what = components.intolerant(os.environ)
        if what and team.comm.rank == 0 and not team.lost and len({*team.nodes}) > 1:
            LOG.warning(f"{what}: start with {components.ADVICE}")
        return attempt(team), None
    except InputError as error:
        return None, error
    except Exception as failure:
        known = isinstance(failure, MPI.Exception) and lost(failure)
        if not known and not (team.survives and missed(team.comm)):
            raise
        revoke(team.comm)
        return None, None


def _survivors(team: Team) -> Team:
    """The team of those that are left."""
    at = perf_counter()
    comm = shrunk(team.comm)
    left = MPI.Group.Translate_ranks(comm.group, list(range(comm.size)), team.comm.group)
    gone = sorted(set(range(team.comm.size)) - set(left))
    found = LostRanks([team.ids[rank] for rank in gone], [team.nodes[rank] if team.nodes else "" for rank in gone], at)
    return Team(comm, [team.ids[rank] for rank in left], True, [*team.lost, *([found] if gone else [])])
