"""The ranks of a node, and memory that they share: a window of MPI-3, or a file without a name where ranks may be lost.

Open MPI makes a window by collectives on a communicator of its own, which nobody can revoke: whoever waits in one for a rank
that found a loss would wait for ever. (T. Hoefler et al., "MPI + MPI: a new hybrid approach to parallel programming with MPI plus
shared memory", Computing 95, 2013: the windows.)
"""

import mmap
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, cast
from weakref import ref

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm.ulfm import keep, let_go, made, tolerant
from mpi_pgd.engine.arrays import Vector

NUMBER = 8  # bytes of a float64
BACKED = Path("/dev/shm")  # where MPI libraries have their windows; small in containers


class Window:
    """A window for loads and stores."""

    def __init__(self, window: MPI.Win) -> None:
        self._window = window
        window.Lock_all(MPI.MODE_NOCHECK)

    def part(self, rank: int) -> Any:
        """The memory of a rank."""
        return self._window.Shared_query(rank)[0]

    def fence(self) -> None:
        """Of this rank's memory: any window's does for all."""
        self._window.Sync()

    def Free(self) -> None:
        """Collective."""
        self._window.Unlock_all()
        self._window.Free()


class Room(NamedTuple):
    """Shared memory: each rank's part of it, (numbers,) float64, and its window, if it is one."""

    parts: Sequence[Vector]
    window: Window | None


class Lent(NamedTuple):
    """Shared memory that a vector of this rank lies in."""

    room: Room
    vector: "ref[Vector]"  # this rank's, while anyone has it


class Node:
    """The ranks of a communicator that share this rank's memory, and one of each node that speaks for it. Collective.

    Args:
        comm: all ranks. What is made of it lives as long as it does: it is freed with it, and revoked with it.
        most: ranks of a node, by their order; 0: all that share memory.

    Attributes:
        inside: the ranks of this node; its first one leads.
        leaders: the first rank of each node; None on the others.
        several: whether there is another node.
    """

    def __init__(self, comm: MPI.Intracomm, most: int = 0) -> None:
        inside = made(comm, lambda: comm.Split_type(MPI.COMM_TYPE_SHARED, comm.rank))
        if most:
            (first,) = MPI.Group.Translate_ranks(inside.group, [inside.rank // most * most], comm.group)
            inside = made(comm, lambda: comm.Split(first, comm.rank))
        leads = 0 if inside.rank == 0 else MPI.UNDEFINED
        leaders = made(comm, lambda: comm.Split(leads, comm.rank))
        self.comm, self.inside = comm, inside
        self.leaders = None if leaders == MPI.COMM_NULL else leaders
        self.several = inside.size < comm.size
        self._windows: list[Window] = []  # that are not freed
        self._lent: list[Lent] = []

    def meet(self) -> None:
        """Wait for the node's ranks: what each wrote before, all see. Collective over the node."""
        windows = self._windows[-1:]
        for window in windows:
            window.fence()
        self.inside.Barrier()
        for window in windows:
            window.fence()

    def lend(self, numbers: int) -> Vector:
        """So many numbers, zeros, which ``lent`` knows. What nobody has any more is used again, or freed. Collective, inside."""
        free = np.array([each.vector() is None for each in self._lent], dtype=np.bool_)
        self.inside.Allreduce(MPI.IN_PLACE, free, MPI.LAND)
        known, self._lent = self._lent, []
        room: Room | None = None
        for each, dead in zip(known, free, strict=True):
            if not dead:
                self._lent.append(each)
            elif not room and len(each.room.parts[0]) >= numbers:
                room = each.room
            elif each.room.window:
                self._windows.remove(each.room.window)
                let_go(self.comm, each.room.window)
        room = room or self.room(numbers)
        vector = room.parts[self.inside.rank][:numbers]
        vector[:] = 0.0  # first by whom it will be used most: the memory is then near that core
        self._lent.append(Lent(room, ref(vector)))
        return vector

    def lent(self, vector: Vector) -> list[Vector]:
        """What the ranks of the node have where this rank has ``vector``, (numbers,) each; empty if it was not lent."""
        found = next((each.room.parts for each in self._lent if each.vector() is vector), ())
        return [part[: len(vector)] for part in found]

    def room(self, numbers: int) -> Room:
        """So many numbers for each rank of the node, which all of them see. Collective over the node."""
        page, inside = mmap.PAGESIZE, self.inside
        each = max(1, -(-numbers * NUMBER // page)) * page  # so that two ranks' parts have no page in common
        fits = not tolerant() and inside.rank == 0 and each * inside.size < _free()
        window = None
        if inside.bcast(fits):
            window = Window(MPI.Win.Allocate_shared(each, NUMBER, comm=inside))
            keep(self.comm, window)
            self._windows.append(window)
            parts: Sequence[Any] = [window.part(rank) for rank in range(inside.size)]
        else:
            parts = self._file(each)
        return Room([np.frombuffer(part, dtype=np.float64, count=numbers) for part in parts], window)

    def _file(self, size: int) -> Sequence[Any]:
        inside, whole = self.inside, size * self.inside.size
        mine = os.memfd_create("mpi_pgd") if inside.rank == 0 else -1
        try:
            if mine >= 0:
                os.ftruncate(mine, whole)
            process, number = inside.bcast((os.getpid(), mine))
            opened = os.open(f"/proc/{process}/fd/{number}", os.O_RDWR)
            memory = memoryview(mmap.mmap(opened, whole))
            os.close(opened)
            inside.Barrier()
        finally:
            if mine >= 0:
                os.close(mine)
        return [memory[size * rank : size * (rank + 1)] for rank in range(inside.size)]


@cache
def _key() -> int:
    return MPI.Comm.Create_keyval()


def node(comm: MPI.Intracomm, most: int = 0) -> Node:
    """The node of this rank, made once for a communicator. Collective."""
    known = cast(dict[int, Node], comm.Get_attr(_key()) or {})
    if most not in known:
        known[most] = Node(comm, most)
        comm.Set_attr(_key(), known)
    return known[most]


def _free() -> int:
    """Bytes that windows may take; shutil says so, too, and takes ten imports."""
    found = os.statvfs(BACKED)
    return found.f_bavail * found.f_frsize
