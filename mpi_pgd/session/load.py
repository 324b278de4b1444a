"""The mode is chosen, and each rank reads its rows, into memory as far as there is room; blocks that move later come likewise."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from mpi_pgd import modes
from mpi_pgd.comm.world import agreement, anyone, node_total
from mpi_pgd.config import MEMORY, NONE
from mpi_pgd.data.budget import available_bytes, granted_bytes, held_bytes
from mpi_pgd.data.memory import MemoryShard
from mpi_pgd.data.partition import NOBODY, Owners, runs
from mpi_pgd.data.stream import Stream
from mpi_pgd.engine.loop import Mode
from mpi_pgd.errors import InputError
from mpi_pgd.modes.facts import Team
from mpi_pgd.observers.heartbeat import COMPUTING
from mpi_pgd.session.inspect import Problem
from mpi_pgd.session.share import share, unseen
from mpi_pgd.session.targets import settle
from mpi_pgd.values import size

SPARE = 0.95  # of the memory that the node can give


def choose_mode(problem: Problem, group: int = NOBODY) -> Mode:
    """The one that the settings name. Collective, with replicas.

    ``group`` is that of this rank until now, if it had one: where each group has a member left, nobody has to read anything.
    """
    comm, chosen, replicas = problem.comm, problem.settings, problem.settings.replicas
    if problem.shrunk:
        replicas = min(replicas, problem.facts.workers(comm.size))
    team = Team(comm, problem.nodes, replicas, group, problem.shrunk, chosen.ranks_per_node)
    return modes.chosen(chosen.mode, replicas).make(team, chosen.way[1])


Settle = Callable[[Problem, Mode, MemoryShard], None]


def load_rows(
    problem: Problem, mode: Mode, shard: MemoryShard | None = None, settled: Settle = settle, looks: bool = True
) -> MemoryShard:
    """This rank's rows. Collective.

    Args:
        problem: says which rows there are.
        mode: says how many workers share the blocks.
        shard: what this rank holds already; what then nobody holds is shared out, so that little is read. At first there is none,
            on no rank.
        settled: has all ranks read their targets alike, once all have been seen. Collective.
        looks: values that are not finite are refused, of features, too; else whoever takes their moments does so.

    Raises:
        InputError: they don't fit into the memory, and may not stream, or can't be read, or the targets are none of the loss.
    """

    def told(rows: range) -> None:
        problem.pulse.enter(f"reading rows {rows.start} to {rows.stop - 1}" if rows else COMPUTING)

    shard = shard or MemoryShard(problem.table, problem.partition, told, looks)
    owners = np.full(problem.partition.blocks, NOBODY, dtype=np.int32)
    if mode.worker >= 0:
        owners[shard.held] = mode.worker
    problem.comm.Allreduce(MPI.IN_PLACE, owners, MPI.MAX)
    problem.partition.share_out(owners, mode.workers)
    _own(problem, mode, shard, owners)
    settled(problem, mode, shard)
    return shard


def move_blocks(problem: Problem, mode: Mode, shard: MemoryShard, owners: Owners) -> str:
    """Have each rank hold what it owns now; why nothing was moved, the same on every rank, or nothing. Collective.

    What a rank gave away is still in its memory, so that all is as it was where one of them has no room, or can't read. Where all
    rows are in memory, those that move have to stay in some.
    """
    before, owned = shard.held, shard.owners
    try:
        _own(problem, mode, shard, owners, anyone(problem.comm, len(shard.streamed) > 0))
    except InputError as error:
        shard.hold(before)
        shard.owners = owned
        return str(error)
    return ""


def _own(problem: Problem, mode: Mode, shard: MemoryShard, owners: Owners, spills: bool = True) -> None:
    """Have each rank hold what it owns. Collective; errors as of ``load_rows``."""
    blocks = np.flatnonzero(owners == mode.worker)
    shares, missing = problem.settings.share_rows, shard.missing(blocks)
    if shares:
        missing = unseen(problem, shard, missing)
    fresh = not shard.rows_read
    wanted = sum(problem.table.more_bytes(problem.partition.span(run)) for run in runs(missing))
    room = _room(problem, wanted, shard.taken, fresh, spills=spills and not shares and not problem.arrays)
    problem.comm.Barrier()  # nobody takes memory before all have looked how much there is
    with _exchanged(problem, missing):
        if shares:
            share(problem, shard, missing)
        with agreement(problem.comm):
            shard.hold(blocks, inf if problem.arrays else room)
            shard.owners = owners
            problem.pulse.enter("waiting for the others' rows")


@contextmanager
def _exchanged(problem: Problem, blocks: NDArray[np.int64]) -> Iterator[None]:
    """Meanwhile rows of these ``blocks`` are in this rank's memory, or in files. Collective."""
    if not problem.arrays:
        yield
        return
    from mpi_pgd.session.exchange import exchanged  # not where files have the rows

    with exchanged(problem, blocks):
        yield


def check_room(problem: Problem, mode: Mode) -> None:
    """Whether the rows will fit, before anything as long as they, their features or blocks is made. Collective.

    Raises:
        InputError: they will not.
    """
    if not problem.shrunk:  # else most of them are in memory, and count as held
        blocks = problem.partition.shard(mode.worker, mode.workers)
        _room(problem, problem.table.more_bytes(problem.partition.span(blocks)), spills=not problem.arrays)


def _room(problem: Problem, rows: int, taken: int = 0, fresh: bool = True, spills: bool = True) -> int:
    """Memory that this rank has for ``rows`` bytes: for all, or else beside what reading the rest in each round takes. Collective.

    Args:
        taken: bytes of other rows that are there.
        fresh: what is beside rows is not there yet.
        spills: what does not fit may stream, if the settings let it.

    Raises:
        InputError: a node has no memory for what is beside the rows, or for rows that may not stream.
    """
    comm, names, chosen = problem.comm, problem.nodes, problem.settings
    spills, limit = spills and chosen.cache != MEMORY, size(chosen.memory) - taken
    beside = node_total(comm, names, _beside(problem) if fresh else 0)
    wanted = node_total(comm, names, rows) + beside
    held = node_total(comm, names, held_bytes())
    first = names.index(names[comm.rank]) == comm.rank  # one rank a node looks
    there = node_total(comm, names, int(SPARE * available_bytes(held)) if first else 0)
    fits, reading = wanted <= there and chosen.cache != NONE, 0
    if spills and rows and not (fits and rows <= limit):
        reading = Stream(problem.table, problem.partition).bytes()
    beside, readers = beside + node_total(comm, names, reading), node_total(comm, names, reading > 0)
    with agreement(comm):
        if beside > there:
            chunk = max(part.chunk_bytes for part in problem.table.parts)
            what = f"the sums over {problem.table.features:,} features" + f" in chunks of {_giga(chunk)}" * (chunk > 0)
            raise _too_little(f"{what} need", beside, there, held, "use fewer ranks a node, or fewer features")
        if not spills and wanted > there:
            raise _too_little("the rows need", wanted, there, held, "use more nodes, or store the features in a smaller type")
        if not spills and rows > limit:
            way = "without --share-rows" if chosen.share_rows else "--cache auto"
            raise InputError(
                f"the rows need {_giga(rows)} of memory on a rank, where --memory gives {_giga(max(0, int(limit)))}: use more "
                f"ranks" + f", or let what does not fit be read in each round ({way})" * (not problem.arrays)
            )
    if not reading:
        return rows
    if chosen.cache == NONE:
        return 0
    share = there if fits else (there - beside) // readers
    return max(0, int(min(rows, share, limit - reading)))


def _beside(problem: Problem) -> int:
    """Memory that a rank takes beside rows, at most: a block or two for maps, some dozens of vectors, what reading takes."""
    return 8 * 60 * problem.table.features + problem.partition.map_bytes + problem.table.reading_bytes


def _too_little(what: str, wanted: int, there: int, held: int, advice: str) -> InputError:
    """Why rows are not read; names SLURM where its grant is what is too small."""
    granted, place = granted_bytes(), "which can give"
    if granted and there == int(SPARE * max(0, granted - held)):
        place, advice = f"where SLURM granted {_giga(granted)} and is left with", f"ask for more (sbatch --mem=...), {advice}"
    return InputError(f"{what} {_giga(wanted)} of memory on node {MPI.Get_processor_name()}, {place} {_giga(there)}: {advice}")


def _giga(size: int) -> str:
    return f"{size / 2**30:.3g} GiB"
