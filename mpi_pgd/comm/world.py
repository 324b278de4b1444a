"""Starting MPI, and never leaving a rank behind: errors that all ranks agree on, and bugs that end the whole job."""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import sleep
from typing import NoReturn, TypeVar, cast

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm.components import choose, silence
from mpi_pgd.comm.startup import note
from mpi_pgd.comm.ulfm import agree, connect, first, tolerant
from mpi_pgd.errors import InputError
from mpi_pgd.system import scheduler
from mpi_pgd.system.log import LOG

Held = TypeVar("Held")
PAUSE = 1e-3  # seconds between two looks of a rank that waits asleep, at most
FORWARD = 0.2  # seconds for the launcher to pass on what was written, or to see the others end, before this rank ends the job
ENDING = 2  # seconds in which this rank ends the job, or is gone itself


def start(*, alone: bool = False) -> MPI.Intracomm:
    """The world, started if it was not: here, where mpi4py was told to leave that, so that a word comes before the library aborts.

    Raises:
        InputError: the library can't be started by this launcher; or, unless they may be ``alone``, N worlds of one rank were
            started instead of one world of N ranks.
    """
    vendor = MPI.get_vendor()[0]
    if not MPI.Is_initialized():
        trap = aborting(os.environ, vendor, MPI.Get_library_version())
        if trap:
            raise InputError(trap)
        choose(os.environ)
        silence(os.environ)
        MPI.Init()
    world = everyone()
    with guard(world):
        connect(world)
        trap = "" if alone else lonely(os.environ, world.size, vendor)
    if trap:
        raise InputError(trap)
    return world


def everyone() -> MPI.Intracomm:
    """All ranks of the job, lost ones among them. Not to be asked who is the first: that is who is so in a team."""
    return MPI.COMM_WORLD


def alone() -> MPI.Intracomm:
    """This rank, whatever others do."""
    return MPI.COMM_SELF


def aborting(environment: Mapping[str, str], vendor: str, version: str) -> str:
    """Why MPI_Init would end this process: MPICH without PMIx does so where it is offered nothing else."""
    if vendor != "MPICH" or "pmix" in version.lower() or "PMIX_RANK" not in environment or "PMI_RANK" in environment:
        return ""
    by, _ = scheduler.started(environment)
    known = scheduler.LAUNCHERS.get(by, "a launcher that speaks PMIx")
    return f"{vendor} can't be started by {known}{' --mpi=pmix' * (by == 'SLURM')}: {scheduler.right_launcher(by, vendor)}"


def lonely(environment: Mapping[str, str], size: int, vendor: str) -> str:
    """Why this world of one rank is not what its launcher was asked for; nothing if all is well.

    A wrong ``srun --mpi``, or an mpirun of another library, starts every task as a world of its own, silently. Only the variables
    of the launcher that this library listens to tell that it was really meant to be alone.
    """
    by, tasks = scheduler.started(environment)
    signs = ("PMIX_RANK",) if scheduler.plugin(vendor) == "pmix" else ("PMI_RANK", "PMI_FD")
    if size > 1 or tasks <= 1 or any(sign in environment for sign in signs):
        return ""
    return (
        f"{scheduler.LAUNCHERS[by]} started {tasks} tasks, but each is an MPI world of its own with one rank: expected one world "
        f"of {tasks}; {scheduler.right_launcher(by, vendor)}"
    )


@contextmanager
def guard(comm: MPI.Intracomm) -> Iterator[None]:
    """A bug on one rank ends all ranks, with that rank's traceback: the others may be waiting in a collective for ever."""
    try:
        yield
    except InputError:
        raise
    except BaseException:
        if comm.size == 1:
            raise
        sys.stdout.flush()
        end(1, f"rank {comm.rank} of {comm.size} on {MPI.Get_processor_name()} failed:\n{traceback.format_exc()}")


def end(code: int, words: str = "") -> NoReturn:
    """End all ranks, from any thread: the main thread may wait in MPI, or elsewhere. The last words are written as they are."""
    with suppress(OSError, ValueError):  # closed or full
        sys.stderr.write(words)  # at once: a launcher that hears of the end drops what comes after
        sys.stderr.flush()
    signal.alarm(ENDING)  # the disk may hang, and MPICH's Abort may wait for a node that is gone, or return
    note(code)
    sleep(FORWARD)  # MPICH's launcher drops what it has not passed on when it hears of the end
    if MPI.COMM_WORLD.size > 1:
        MPI.COMM_WORLD.Abort(code)
    os._exit(code)


@contextmanager
def agreement(comm: MPI.Intracomm) -> Iterator[None]:
    """What is done inside may raise ``InputError`` on some ranks: then every rank raises the lowest such rank's. Collective."""
    error: InputError | None = None
    try:
        yield
    except InputError as raised:
        error = raised
    first = np.array(comm.rank if error else comm.size)
    comm.Allreduce(MPI.IN_PLACE, first, MPI.MIN)
    if first < comm.size:
        raise InputError.again(*comm.bcast((str(error), error.code) if error else None, int(first)))


@contextmanager
def freed(comm: MPI.Intracomm) -> Iterator[None]:
    """Free it at the end; not after a bug, as the windows that are freed with it wait for all ranks."""
    try:
        yield
    except InputError:
        comm.Free()
        raise
    comm.Free()


def once(comm: MPI.Intracomm, held: Held | None, make: Callable[[], Held]) -> Held:
    """What a rank holds already, or else what rank 0 makes now, on every rank: so it is made once, whoever is lost. Collective.

    Where every rank holds something, that is left as it is. What ``make`` refuses, every rank does. It may take long, as where a
    table is converted: the others sleep meanwhile.
    """
    holders = comm.allgather(held is not None)
    if held is not None and all(holders):
        return held
    if not any(holders):
        holders[0] = True
        with agreement(comm):
            try:
                if comm.rank == 0:
                    held = make()
            finally:
                rest(comm)
    return cast(Held, comm.bcast(held, holders.index(True)))


def leave(comm: MPI.Intracomm, code: int, sentence: str = "") -> int:
    """End MPI together, after the first rank that is left has said the sentence; gives the code to exit with. Collective.

    Only that rank leaves with ``code``, and as the last: where a rank has left with an error, launchers kill the others, and then
    tell of that (143 by ``srun -K``) in place of the code.

    Where ranks may be lost, does not return, but exits: MPI_Finalize may wait for those that were.
    """
    if tolerant():
        _leave_the_lost(comm, code, sentence)
    speaks = comm.rank == 0
    if speaks:
        _last_words(code, sentence)
    comm.Barrier()
    MPI.Finalize()
    if speaks and code:
        sleep(FORWARD)
    return code if speaks else 0


def _last_words(code: int, sentence: str) -> None:
    sys.stdout.flush()
    if sentence:
        LOG.error(sentence)
    note(code)


def _leave_the_lost(comm: MPI.Intracomm, code: int, sentence: str) -> NoReturn:
    spoken = left = False
    while not left:
        comm.Ack_failed()
        known = agree(comm)  # who is lost until now
        if known and first(comm) == comm.rank and not spoken:
            _last_words(code, sentence)
            spoken = True
        left = known and agree(comm)  # else it may be who spoke that is lost, or was about to
    sys.stdout.flush()
    for line in Path("/proc/self/maps").read_text().splitlines():
        name = "/" + line.partition("/")[2]
        if name.startswith("/dev/shm/sm_segment."):  # what MPI_Finalize would have removed
            Path(name).unlink(missing_ok=True)
    os._exit(code)


def anyone(comm: MPI.Intracomm, flag: bool) -> bool:
    """Whether the flag is set on any rank. Collective."""
    found = np.array(flag)
    comm.Allreduce(MPI.IN_PLACE, found, MPI.LOR)
    return bool(found)


def rest(comm: MPI.Intracomm) -> None:
    """A barrier whose waiting ranks sleep: those that still work may need their cores. Collective."""
    request, pause = comm.Ibarrier(), PAUSE / 32
    while not request.Test():
        sleep(pause)
        pause = min(2 * pause, PAUSE)


def node_total(comm: MPI.Intracomm, names: Sequence[str], number: int) -> int:
    """The sum of ``number`` over the ranks that share this rank's node; ``names`` are all ranks' (``nodes``). Collective."""
    everyone = zip(names, comm.allgather(number), strict=True)
    return sum(its for name, its in everyone if name == names[comm.rank])


def nodes(comm: MPI.Intracomm) -> list[str]:
    """The name of each rank's node. Collective."""
    return comm.allgather(MPI.Get_processor_name())


def library() -> str:
    """The MPI library's name and version."""
    return " ".join(map(str, (MPI.get_vendor()[0], ".".join(map(str, MPI.get_vendor()[1])))))
