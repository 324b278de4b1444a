"""Rows that ranks were given go to those that compute with them: whole blocks belong to a rank, wherever the arrays were cut."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from mpi_pgd.comm.world import agreement
from mpi_pgd.data.partition import runs
from mpi_pgd.engine.arrays import Rows
from mpi_pgd.errors import InputError
from mpi_pgd.session.inspect import Problem

if TYPE_CHECKING:
    from mpi_pgd.data.arrays import ArrayPart

CHUNK = 64 << 20  # bytes of a message, at most, if a row is no longer


class _Move(NamedTuple):
    """Rows of a part that go to, or come from, another rank."""

    rank: int
    part: "ArrayPart"
    rows: range  # of the part


@contextmanager
def exchanged(problem: Problem, blocks: NDArray[np.int64]) -> Iterator[None]:
    """Have all rows of these ``blocks`` in this rank's memory. Collective.

    What came is let go at the end: whoever holds it then has it, and its owner still has it for others.

    Raises:
        InputError: on all ranks alike: rows of a rank that was lost are wanted.
    """
    comm, me = problem.comm, problem.ids[problem.comm.rank]
    wanted = [problem.partition.span(run) for run in runs(blocks)]
    everyone = comm.allgather(wanted)
    coming: list[_Move] = []
    with agreement(comm):
        coming = [move for rows in wanted for move in _sources(problem, rows) if move.part.rank != me]
    mine = next(part for part in problem.arrays if part.rank == me)
    start = sum(part.rows for part in problem.arrays if part.rank < me)
    going = [_Move(rank, mine, rows) for rank, some in enumerate(everyone) if rank != comm.rank for rows in _of(mine, start, some)]
    own = mine.memory[me][0]
    came = [move.part.room(move.rows) for move in coming]
    sent = [own.part(move.rows) for move in going]
    for first in (True, False):  # how many numbers sparse rows have is known before there is room for them
        outgoing = [(move.rank, each) for move, held in zip(going, sent, strict=True) for each in held.arrays(first)]
        incoming = [(move.rank, each) for move, held in zip(coming, came, strict=True) for each in held.arrays(first)]
        _move(comm, outgoing, incoming)
        came = [held.opened() if first else held for held in came]
    for move, held in zip(coming, came, strict=True):
        move.part.memory.setdefault(move.part.rank, []).append(held)
    try:
        yield
    finally:
        for move in coming:
            move.part.memory.pop(move.part.rank, None)


def _sources(problem: Problem, rows: range) -> Iterator[_Move]:
    """Whose they are. Refuses those of a rank that was lost."""
    ends = [*accumulate(part.rows for part in problem.arrays)]
    for part, stop in zip(problem.arrays, ends, strict=True):
        first = stop - part.rows
        here = range(max(rows.start, first) - first, min(rows.stop, stop) - first)
        if not here:
            continue
        if part.rank not in problem.ids:
            raise InputError(
                f"rows {first + here.start} to {first + here.stop - 1} were in the memory of rank {part.rank} alone, which was "
                f"lost: fit again, or from a file, which any rank can read"
            )
        yield _Move(problem.ids.index(part.rank), part, here)


def _of(part: "ArrayPart", start: int, some: Sequence[range]) -> Iterator[range]:
    """Of ``some`` rows of the table those of a part, the first of which is row ``start``."""
    for rows in some:
        here = range(max(rows.start - start, 0), min(rows.stop - start, part.rows))
        if here:
            yield here


def _move(comm: MPI.Intracomm, outgoing: Sequence[tuple[int, Rows]], incoming: Sequence[tuple[int, Rows]]) -> None:
    """Send arrays and fill others, in the order in which each pair of ranks has them.

    Raises:
        TypeError: one to be filled does not lie in one piece: its own bytes are received into, never a copy.
    """
    rooms = [(rank, each.data.cast("B")) for rank, whole in incoming for each in _chunks(whole)]
    requests = [comm.Irecv(room, rank) for rank, room in rooms]
    for rank, whole in outgoing:
        for each in _chunks(whole):
            comm.Send(np.ascontiguousarray(each, each.dtype.newbyteorder("=")).view(np.uint8), rank)
    MPI.Request.Waitall(requests)


def _chunks(whole: Rows) -> Iterator[Rows]:
    """An array, some rows at a time."""
    step = max(1, CHUNK // max(1, whole[:1].nbytes))
    for start in range(0, len(whole), step):
        yield whole[start : start + step]
