"""Starting MPI, and never leaving a rank behind: errors that all ranks agree on, and bugs that end the whole job."""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import sleep
from typing import NoReturn

import numpy as np
from mpi4py import MPI

from mpi_pgd import scheduler
from mpi_pgd.arrays import Vector
from mpi_pgd.errors import InputError
from mpi_pgd.survive.components import choose, ulfm

HOST_BYTES = 64
CONNECTED = 500  # ranks that a rank may be connected with: each may take a socket
FORWARD = 0.2  # seconds for the launcher to pass on what was written, or to see the others end, before this rank ends the job
ENDING = 2  # seconds in which this rank ends the job, or is gone itself
PAUSE = 1e-3  # seconds between two looks of a rank that waits asleep
EXIT = "MPI_PGD_EXIT"


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
        MPI.Init()
        connect(MPI.COMM_WORLD)
    with guard(MPI.COMM_WORLD):
        trap = "" if alone else lonely(os.environ, MPI.COMM_WORLD.size, vendor)
    if trap:
        raise InputError(trap)
    return MPI.COMM_WORLD


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


def tolerant(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this MPI goes on when a rank dies, and was told to."""
    return ulfm(environment) and MPI.get_vendor()[0] == "Open MPI"


def lost(failure: MPI.Exception) -> bool:
    """Whether it says that a rank has died: here, or so a rank that found out says."""
    return failure.Get_error_class() in (MPI.ERR_PROC_FAILED, MPI.ERR_PROC_FAILED_PENDING, MPI.ERR_REVOKED)


def connect(comm: MPI.Intracomm) -> None:
    """Have all ranks talk to one another once, if one may be lost. Collective.

    Open MPI connects two ranks when they first talk, and waits for ever for the address of one that has died. The news of a loss
    goes ways of its own, between ranks that may never have talked.
    """
    if tolerant() and comm.size <= CONNECTED:
        nothing = np.empty(0)
        for shift in range(1, comm.size):
            try:
                comm.Sendrecv(nothing, (comm.rank + shift) % comm.size, recvbuf=nothing, source=(comm.rank - shift) % comm.size)
            except MPI.Exception as failure:  # who is lost, is found out by what is done next
                if not lost(failure):
                    raise


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
        _abort(comm)


def _abort(comm: MPI.Intracomm) -> NoReturn:
    head = f"rank {comm.rank} of {comm.size} on {MPI.Get_processor_name()} failed:\n"
    sys.stdout.flush()
    sys.stderr.write(head + traceback.format_exc())  # at once: a launcher that hears of the end drops what comes after
    sys.stderr.flush()
    end(comm, 1)


def end(comm: MPI.Intracomm, code: int) -> NoReturn:
    """End all ranks, from any thread: the main thread may wait in MPI, or elsewhere. What there is to say has been written."""
    signal.alarm(ENDING)  # the disk may hang, and MPICH's Abort may wait for a node that is gone, or return
    note(code)
    sleep(FORWARD)  # MPICH's launcher drops what it has not passed on when it hears of the end
    if comm.size > 1:
        comm.Abort(code)
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
        raise InputError.again(share(comm, str(error), root=int(first)))


def share(comm: MPI.Intracomm, text: str, root: int = 0) -> str:
    """``text`` of the rank ``root``, on every rank. Collective."""
    return _bytes(comm, text.encode(), root).decode()


def spread(comm: MPI.Intracomm, vector: Vector | None, root: int) -> Vector:
    """``vector`` of the rank ``root``, (any,) float64, on every rank. Collective."""
    mine = b"" if vector is None else vector.tobytes()
    return np.frombuffer(_bytes(comm, mine, root))


def once(comm: MPI.Intracomm, held: bytes, make: Callable[[], bytes]) -> bytes:
    """What a rank holds already, or else what rank 0 makes now, on every rank: so it is made once, whoever is lost. Collective.

    Where every rank holds something, that is left as it is.

    Raises:
        InputError: what ``make`` raised, on every rank.
    """
    holders = np.empty(comm.size, dtype=np.int64)
    comm.Allgather(np.array(held != b"", dtype=np.int64), holders)
    if holders.all():
        return held
    if not holders.any():
        with agreement(comm):
            if comm.rank == 0:
                held = make()
    return _bytes(comm, held, int(holders.argmax()))


def _bytes(comm: MPI.Intracomm, mine: bytes, root: int) -> bytes:
    length = np.array(len(mine))
    comm.Bcast(length, root)
    buffer = np.frombuffer(mine, dtype=np.uint8).copy() if comm.rank == root else np.empty(int(length), dtype=np.uint8)
    comm.Bcast(buffer, root)
    return buffer.tobytes()


def note(code: int) -> None:
    """Write the exit code into the file that the variable MPI_PGD_EXIT names, if it does.

    So a batch script knows how the run ended, or that it was cut off: when a node is lost, Open MPI 5's mpirun returns 0.
    """
    path = os.environ.get(EXIT)
    try:
        if path:
            Path(path).write_text(f"{code}\n")
    except OSError as error:  # said, not raised: the caller is about to end the others, who would wait for ever
        sys.stderr.write(f"mpi_pgd: {EXIT}={path} can't be written ({error.strerror}): the code is {code}\n")


def leave(comm: MPI.Intracomm, code: int) -> int:
    """End MPI together; gives the code to exit with. Collective.

    Only rank 0 leaves with ``code``, and as the last: where a rank has left with an error, launchers kill the others, and then
    tell of that (143 by ``srun -K``) in place of the code.

    Where ranks may be lost, does not return, but exits: MPI_Finalize may wait for those that were.
    """
    first = comm.rank == 0
    if first:
        note(code)
    if not tolerant():
        comm.Barrier()
        MPI.Finalize()
        if first and code:
            sleep(FORWARD)
        return code if first else 0
    with suppress(MPI.Exception):  # who is lost, is not waited for
        comm.Agree(1)
    sys.stdout.flush()
    sys.stderr.flush()
    mapped = {"/" + line.partition("/")[2] for line in Path("/proc/self/maps").read_text().splitlines() if "/" in line}
    for name in mapped:
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
    request = comm.Ibarrier()
    while not request.Test():
        sleep(PAUSE)


def node_total(comm: MPI.Intracomm, names: Sequence[str], number: int) -> int:
    """The sum of ``number`` over the ranks that share this rank's node; ``names`` are all ranks' (``nodes``). Collective."""
    everyone = np.empty(comm.size, dtype=np.int64)
    comm.Allgather(np.array(min(number, 2**62 // comm.size), dtype=np.int64), everyone)  # more is too much, whatever it is of
    return int(everyone[[name == names[comm.rank] for name in names]].sum())


def nodes(comm: MPI.Intracomm) -> list[str]:
    """The name of each rank's node. Collective."""
    mine = np.frombuffer(MPI.Get_processor_name().encode()[:HOST_BYTES].ljust(HOST_BYTES), dtype=np.uint8)
    everyone = np.empty((comm.size, HOST_BYTES), dtype=np.uint8)
    comm.Allgather(mine, everyone)
    return [row.tobytes().decode(errors="replace").strip() for row in everyone]


def library() -> str:
    """The MPI library's name and version."""
    return " ".join(map(str, (MPI.get_vendor()[0], ".".join(map(str, MPI.get_vendor()[1])))))
