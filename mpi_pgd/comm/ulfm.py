"""Where ranks may be lost and MPI goes on: ULFM, as Open MPI has it.

W. Bland et al., "Post-failure recovery of MPI communication capability", 2013.
"""

import os
from collections.abc import Callable, Mapping
from functools import cache
from time import perf_counter, sleep
from typing import Any, cast

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm.components import ulfm

CONNECTED = 500  # ranks that a rank may be connected with: each may take a socket
QUIET = 0.05  # seconds without another loss, until those that are left go on
PAUSE = 1e-3  # seconds between two looks
NEWS = 1.0  # seconds, within which a rank hears that another one has died


def tolerant(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this MPI goes on when a rank dies, and was told to."""
    return ulfm(environment) and MPI.get_vendor()[0] == "Open MPI"


def lost(failure: MPI.Exception) -> bool:
    """Whether it says that a rank has died: here, or so a rank that found out says."""
    return failure.Get_error_class() in (MPI.ERR_PROC_FAILED, MPI.ERR_PROC_FAILED_PENDING, MPI.ERR_REVOKED)


def missed(comm: MPI.Intracomm) -> bool:
    """Whether somebody has died, after an error that may come of it, though it says nothing of that.

    Open MPI 5.0.11 may end a collective well on those that are left, and hand over what nobody sent; the news come later.
    """
    until = perf_counter() + NEWS
    while not (gone := bool(comm.Is_revoked() or comm.Get_failed().size)) and perf_counter() < until:
        MPI.COMM_SELF.Iprobe()  # so that MPI listens
        sleep(PAUSE)
    return gone


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


def agree(comm: MPI.Intracomm, well: bool = True) -> bool:
    """Whether it went well on all ranks, and no other was lost; all that are left get the same answer. Collective."""
    try:
        return bool(comm.Agree(int(well)))
    except MPI.Exception as failure:
        if not lost(failure):
            raise
        return False


def made(comm: MPI.Intracomm, make: Callable[[], MPI.Comm]) -> MPI.Intracomm:
    """A communicator that all ranks of ``comm`` make of it together, on all of them or on none. Collective.

    It is freed with ``comm``, and revoked with it.
    """
    found, failure = None, MPI.Exception(MPI.ERR_PROC_FAILED)
    try:
        found = make()
    except MPI.Exception as error:
        if not (tolerant() and lost(error)):
            raise
        failure = error
        comm.Revoke()  # others may still be making it
    if tolerant() and not agree(comm, found is not None):
        raise failure
    if found != MPI.COMM_NULL:
        keep(comm, found)
    return cast(MPI.Intracomm, found)


def keep(comm: MPI.Intracomm, part: Any) -> None:
    """What has its own ``Free``, which is collective, is freed with ``comm``."""
    if comm.Get_attr(_parts()) is None:
        comm.Set_attr(_parts(), [])
    _of(comm).append(part)


def let_go(comm: MPI.Intracomm, part: Any) -> None:
    """Free what was kept so. Collective over the ranks of the part."""
    _of(comm).remove(part)
    part.Free()


def revoke(comm: MPI.Intracomm) -> None:
    """So that nobody waits for ever in a call on it, or on what was ``made`` of it."""
    for each in (comm, *_of(comm)):
        each.Revoke()


def _of(comm: MPI.Intracomm) -> list[Any]:
    found = comm.Get_attr(_parts())
    return [] if found is None else cast(list[Any], found)  # an empty one is filled later


@cache
def _parts() -> int:
    """The attribute of a communicator that has what was made of it."""

    def free(comm: MPI.Comm, key: int, parts: list[Any]) -> None:
        for each in reversed(parts):
            each.Free()

    return MPI.Comm.Create_keyval(delete_fn=free)


def first(comm: MPI.Intracomm) -> int:
    """The lowest rank that is left, after all have agreed on who is lost: what rank 0 is where none is."""
    gone = comm.Get_failed()
    lost_ranks = MPI.Group.Translate_ranks(gone, list(range(gone.size)), comm.group)
    return int(min({*range(comm.size)} - {*lost_ranks}))


def shrunk(comm: MPI.Intracomm) -> MPI.Intracomm:
    """Those that are left, the same on all of them. Collective.

    Open MPI 5.0.11 crashes on every rank if another is lost within Shrink. So all losses are to be known before, and all ranks
    come to it together.
    """
    while True:
        _settle(comm)
        comm.Ack_failed()  # else it would be news for agree
        if not agree(comm):
            continue
        made: MPI.Comm | None = None
        try:
            made = comm.Shrink()
        except MPI.Exception as failure:
            if not lost(failure):
                raise
        if agree(comm, made is not None):
            return cast(MPI.Intracomm, made)


def _settle(comm: MPI.Intracomm) -> None:
    """Wait until nobody else was lost for a moment: many die together, and are found out one by one."""
    known, since = 0, 0.0
    while (gone := comm.Get_failed().size) and (gone > known or perf_counter() - since < QUIET):
        if gone > known:
            known, since = gone, perf_counter()
        MPI.COMM_SELF.Iprobe()  # so that MPI listens
        sleep(PAUSE)
