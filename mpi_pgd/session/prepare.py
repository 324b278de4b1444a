"""What has to be known of the columns before the descent, and whether the rows are those of a checkpoint: a pass each."""

import numpy as np

from mpi_pgd.comm.collectives import LIBRARY
from mpi_pgd.comm.world import agreement
from mpi_pgd.config import PLAIN
from mpi_pgd.data.memory import MemoryShard
from mpi_pgd.drivers.moments import Beginning, Moments, MomentsDriver, check_range, look
from mpi_pgd.engine.loop import Mode, StopFlags
from mpi_pgd.engine.query import Query
from mpi_pgd.engine.sums import Sums
from mpi_pgd.errors import InputError
from mpi_pgd.losses import loss_of
from mpi_pgd.session.descend import descend
from mpi_pgd.session.inspect import Problem
from mpi_pgd.session.passes import make_rounds


def take_moments(problem: Problem, mode: Mode, shard: MemoryShard, flags: StopFlags) -> Moments:
    """Of all columns and the targets, in a pass over the rows, or more where one is not enough. Collective.

    Raises:
        InputError: on all ranks alike: a feature is not finite, values are so large or small that their squares can't be held, or
            rows can't be read any more.
    """
    comm, features, loss = problem.comm, problem.table.features, loss_of(problem.settings)
    seen = np.concatenate([shard.peaks[features:], [shard.heaviest, shard.farthest]])
    LIBRARY["maximum"](comm)(seen)
    targets, heaviest = seen[:-2] + (seen[-1] if loss.centred else 0.0), float(seen[-2])
    classes = shard.targets.outputs if shard.targets and shard.targets.classes and shard.targets.outputs > 1 else 0
    more = problem.partition.block_rows, features, loss, classes, loss.centred
    start = Beginning(*np.full((3, features + len(targets)), -np.inf))
    with agreement(comm):
        for block in shard.first():
            for line, its in zip(start, look(block, targets, *more), strict=True):
                line[:] = its
    for line in start:
        LIBRARY["maximum"](comm)(line)  # that of whoever has the first block
    driver: MomentsDriver | None = MomentsDriver(start, heaviest, *more)
    while driver:
        moments = _found(problem, mode, shard, driver, flags)
        driver = driver.after(moments)
    check_range(moments, features, problem.settings.standardize, problem.table.x, problem.table.y)  # on all ranks alike
    return moments


def _found(problem: Problem, mode: Mode, shard: MemoryShard, driver: MomentsDriver, flags: StopFlags) -> Moments:
    """In a pass; on every rank. Refuses a feature that is not finite."""
    comm, peaks = problem.comm, driver.task.peaks
    query = Query([driver.task])
    sums = Sums(query, problem.partition.blocks, problem.settings.sums != PLAIN)  # two folds: fits go by their digits
    sums.expect(driver.bound)
    make_rounds(comm, mode.whole, shard, sums, driver, query, [problem.pulse], flags)
    with agreement(comm):
        if not np.isfinite(peaks).all():
            shard.complain()
    LIBRARY["maximum"](comm)(peaks)
    vector = driver.moments().vector()
    LIBRARY["broadcast"](comm)(vector)  # a worker of a server has seen no sums
    return Moments.of(vector)


def verify_rows(problem: Problem, mode: Mode, shard: MemoryShard, setup: Moments, flags: StopFlags, first: str) -> None:
    """Whether these are the rows that ``setup`` and the sums at the start came from; ``first`` is the digest of those, if any.

    As many passes, to the same bits, whoever makes them. Collective.

    Raises:
        InputError: they are not.
    """
    moments = take_moments(problem, mode, shard, flags)
    found = ""
    if first:
        still = problem.on(problem.comm, rounds=0, balance=False)
        found = descend(still, mode, shard, setup, flags, lambda *_: None).driver.history.first
    with agreement(problem.comm):
        same = np.array_equal(moments.vector(), setup.vector())
        if problem.comm.rank == 0 and not (same and found == first):
            plain = problem.settings.sums == PLAIN
            also = ", or of another mode or number of ranks, which plain sums depend on" if plain else ""
            raise InputError(f"the checkpoint is of other rows than the data have now{also}: give what it was made with")
