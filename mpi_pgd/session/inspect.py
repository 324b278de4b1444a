"""The files looked at once, by one rank, and what all ranks then know of the problem."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from threading import Timer
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from mpi4py import MPI

from mpi_pgd import kernel, modes
from mpi_pgd.comm.kernels import check_kernels
from mpi_pgd.comm.world import agreement, end, everyone, nodes, once
from mpi_pgd.config import AS_IS, Settings
from mpi_pgd.data import files
from mpi_pgd.data.labels import BALANCED
from mpi_pgd.data.partition import Partition
from mpi_pgd.data.sides import Init, Sides
from mpi_pgd.data.table import Table
from mpi_pgd.errors import InputError
from mpi_pgd.modes.facts import Facts
from mpi_pgd.observers.heartbeat import Heartbeat
from mpi_pgd.session.rows import named_by
from mpi_pgd.session.settings import SIDES
from mpi_pgd.system import scheduler
from mpi_pgd.system.log import LOG

if TYPE_CHECKING:
    from mpi_pgd.data.arrays import ArrayPart
    from mpi_pgd.session.given import Given

Beside = Mapping[str, Any]
NOTHING: Beside = {}
INSPECTION = 300.0  # seconds for a look at the files, which takes some milliseconds each
ENDLESS = f"mpi_pgd: HDF5 came to no end with the files in {INSPECTION:g} s: they may be damaged, make them again\n"


class Seen(NamedTuple):
    """What one rank finds in the files, for all of them."""

    table: Table
    sides: Sides  # of the features
    init: Init | None = None  # to start from
    class_weights: dict[float, float] | None = None  # as a file has them


@dataclass(frozen=True, eq=False)
class Problem:
    """A table of rows and the settings of a fit, for the ranks of one communicator."""

    comm: MPI.Intracomm
    settings: Settings
    seen: Seen
    rows: int  # those that take part, from the first; all, unless a study of weak scaling takes fewer
    nodes: Sequence[str]  # the name of each rank's
    ids: Sequence[int]  # each rank's number at the start of the job
    shrunk: bool = False  # ranks were lost
    kernels: str = ""  # the digest of the BLAS kernels, if they were checked
    pulse: Heartbeat = field(default_factory=Heartbeat)  # what this rank is doing, for its watcher
    arrays: "tuple[ArrayPart, ...]" = ()  # the parts of the table that are in some rank's memory alone; none: files
    began_endless: bool | None = None  # of the fit that this one goes on with; None: it begins

    @property
    def table(self) -> Table:
        """The files, as one."""
        return self.seen.table

    @property
    def sides(self) -> Sides:
        """What is given for each feature."""
        return self.seen.sides

    @property
    def init(self) -> Init | None:
        """What the fit starts from; None: from an intercept alone."""
        return self.seen.init

    @property
    def endless(self) -> bool:
        """Whether the fit began with --tol 0: who goes on with it may give another one, and still needs the solver that it has."""
        return self.settings.tol == 0 if self.began_endless is None else self.began_endless

    @cached_property
    def partition(self) -> Partition:
        """Of the rows into blocks."""
        return Partition(self.rows, self.table.features, self.table.density)

    @property
    def facts(self) -> Facts:
        """Of the mode that the settings name."""
        return modes.chosen(self.settings.mode, self.settings.replicas)

    @property
    def speakers(self) -> int:
        """Ranks that pass messages."""
        return self.facts.speakers(self.nodes, self.settings.ranks_per_node)

    def on(self, comm: MPI.Intracomm, rows: int = 0, **changes: Any) -> "Problem":
        """The same problem on other ranks, on its first ``rows`` rows, or with some settings changed. Collective."""
        made = replace(self, settings=replace(self.settings, **changes), rows=rows or self.rows)
        if comm is self.comm:
            return made
        return replace(made, comm=comm, nodes=nodes(comm), ids=range(comm.size), shrunk=False, pulse=Heartbeat())


def inspect_files(
    comm: MPI.Intracomm,
    chosen: Settings,
    known: Seen | None = None,
    ids: Sequence[int] = (),
    shrunk: bool = False,
    pulse: Heartbeat | None = None,
    start: Init | None = None,
    given: "Given | None" = None,
    by_recipe: bool = False,
) -> Problem:
    """One rank looks at the files, and all find out whether they compute alike, before anyone works. Collective.

    Args:
        comm: all that take part.
        chosen: what to do with which files.
        known: what was seen in the files before, on this rank; where any rank knows that, nobody looks again.
        ids, shrunk, pulse: of the problem; by default of one that all ranks begin together.
        start: the model that the settings name, where it need not be read, as a checkpoint has it.
        given: what the ranks of a program have, if that is agreed on.
        by_recipe: rows that were made of a table have the weights and the offset that they were made with, unless others are named.

    Raises:
        InputError: the files can't be used, or the ranks don't fit the settings or each other.
    """
    pulse, ids = pulse or Heartbeat(), ids or range(comm.size)
    arrays = given if given and given.names else None
    rows = arrays.table(comm, chosen, ids, known is not None, shrunk) if arrays else None

    def seen_now() -> Seen:
        pulse.enter("looking at the files")
        timer = Timer(INSPECTION, end, (2, ENDLESS))  # HDF5 can loop for ever over a damaged file
        timer.daemon = True
        timer.start()
        try:
            return look(chosen, start, rows, arrays.sides() if arrays else {}, by_recipe)
        finally:
            timer.cancel()
            pulse.enter("waiting for the start")

    seen = once(comm, known, seen_now)
    table, parts = arrays.here(seen.table) if arrays else (seen.table, ())
    seen = seen._replace(table=table)
    chosen = replace(chosen, weights=table.weights, offset=table.offset)
    problem = Problem(comm, chosen, seen, table.rows, nodes(comm), ids, shrunk, pulse=pulse, arrays=parts)
    if not shrunk and comm.size == everyone().size:
        warn(comm, problem.nodes, chosen.threads)
    with agreement(comm):
        kernel.use_threads(chosen.threads)
        if not shrunk:
            _check_stragglers(problem)
    return replace(problem, kernels=check_kernels(comm, problem.partition.block_rows, table.features))


def look(
    chosen: Settings, init: Init | None = None, table: Table | None = None, beside: Beside = NOTHING, by_recipe: bool = False
) -> Seen:
    """At the files, on one rank, which alone imports what that takes.

    Args:
        chosen: names them.
        init: as of ``inspect_files``.
        table: what need not be looked for, as ranks have the rows.
        beside: of what there is for each feature that which is given as an array, by the setting's name.
        by_recipe: as of ``inspect_files``.

    Raises:
        InputError: they can't be used, as far as it can be known without reading all rows.
    """
    weighted = chosen.class_weight != ""
    if table:
        if table.sparse and chosen.share_rows:
            raise InputError("share_rows is of dense arrays, or of rows in files, and X is sparse: leave it out")
        table = replace(table, weighted=table.weighted or weighted)
    else:
        from mpi_pgd.data import hdf5

        table = hdf5.inspect(files.find(chosen.data), chosen.x, chosen.y, chosen.weights, chosen.offset, weighted)
        if by_recipe and (more := named_by(table, chosen)):
            return look(replace(chosen, **more), init, None, beside)
    if chosen.store != AS_IS:
        table = table.stored(chosen.store)
    sides, class_weights = Sides(), None
    named = {name: beside.get(name, getattr(chosen, name)) for name in SIDES}
    if any(getattr(chosen, name) != "" for name in SIDES):
        from mpi_pgd.data.features import read_sides

        sides = read_sides(table, **named)
    if chosen.init and not init:
        from mpi_pgd.model.warm import read_init

        init = read_init(chosen.init, table)
    if chosen.class_weight not in ("", BALANCED):
        from mpi_pgd.data.classes import read_weights

        class_weights = read_weights(chosen.class_weight)
    return Seen(table, sides, init, class_weights)


def dense_only(problem: Problem) -> None:
    """Refuse sparse rows, as a function that users wrote takes arrays of features."""
    if problem.table.sparse:
        raise InputError(f"{problem.table.x} has sparse rows, and functions of your own take dense ones: name a data set with --x")


def say_warnings(problem: Problem) -> None:
    """Rank 0 says, --quiet or not, what in the data may be meant otherwise than it is read."""
    if problem.comm.rank == 0:
        for words in problem.table.warnings:
            LOG.warning(words)


def warn(comm: MPI.Intracomm, names: Sequence[str], threads: int = 1) -> None:
    """What does not stop a run, but wastes what SLURM granted: rank 0 says it, --quiet or not. Collective.

    ``names`` are the nodes of all ranks, each of which has so many ``threads``.
    """
    cpus = np.empty(comm.size, dtype=np.int64)
    comm.Allgather(np.array(len(os.sched_getaffinity(0)), dtype=np.int64), cpus)
    if comm.rank == 0:
        for trap in scheduler.traps(os.environ, len(set(names)), cpus.tolist()):
            LOG.warning(f"{trap.words}: {trap.advice}")
        most, cores = threads * max(map(names.count, names)), max(cpus.max(), os.cpu_count() or 1)
        if threads > 1 and (most > cores or threads > cpus.min()):
            there = f"on a node of {cores} cores, of which a rank may use {cpus.min()}"
            LOG.warning(f"--threads {threads} makes {most} threads {there}: give fewer")
        if kernel.MISSING:
            LOG.warning(
                "the compiled kernel is missing: numpy computes, slower, to bits of this kind of processor; install with a compiler"
            )


def _check_stragglers(problem: Problem) -> None:
    chosen = problem.settings
    if chosen.delay or chosen.fail_slow:
        from mpi_pgd.observers.delay import check, parse  # not at start-up: hardly anyone delays

        check(parse(chosen.delay, chosen.fail_slow), problem.comm.size, problem.facts.first_worker(problem.comm.size))
