"""What has to be known of the columns before the descent, and whether the rows are those of a checkpoint: two passes each."""

import numpy as np

from mpi_pgd.comm.collectives import LIBRARY
from mpi_pgd.comm.world import agreement
from mpi_pgd.config import PLAIN
from mpi_pgd.data.memory import MemoryShard
from mpi_pgd.drivers.moments import Moments, MomentsDriver, check_range
from mpi_pgd.engine.loop import Mode, StopFlags
from mpi_pgd.engine.query import Query
from mpi_pgd.engine.sums import Sums
from mpi_pgd.errors import InputError
from mpi_pgd.losses import loss_of
from mpi_pgd.session.descend import descend
from mpi_pgd.session.inspect import Problem
from mpi_pgd.session.passes import make_rounds


def take_moments(problem: Problem, mode: Mode, shard: MemoryShard, flags: StopFlags) -> Moments:
    """Of all columns and the targets, in two passes over the rows. Collective.

    Raises:
        InputError: values are so large or small that their squares can't be held.
    """
    features, loss = problem.table.features, loss_of(problem.settings)
    seen = np.concatenate([shard.first_row(), shard.peaks, [shard.heaviest, shard.farthest]])
    LIBRARY["maximum"](problem.comm)(seen)  # the first row is that of whoever has read it
    first, peak, (heaviest, farthest) = np.split(seen, [len(shard.peaks), 2 * len(shard.peaks)])
    if loss.centred:
        peak[features:] += farthest
    classes = shard.targets.outputs if shard.targets and shard.targets.classes and shard.targets.outputs > 1 else 0
    driver = MomentsDriver(first, peak, problem.partition.block_rows, features, loss, float(heaviest), classes, loss.centred)
    query = Query([driver.task])
    sums = Sums(query, problem.partition.blocks, problem.settings.sums != PLAIN)  # two folds: fits go by their digits
    sums.expect(driver.bound)
    make_rounds(problem.comm, mode.whole, shard, sums, driver, query, [problem.pulse], flags)
    vector = driver.moments().vector()
    LIBRARY["broadcast"](problem.comm)(vector)  # a worker of a server has seen no sums
    moments = Moments.of(vector)
    check_range(moments, features, problem.settings.standardize, problem.table.x, problem.table.y)  # on all ranks alike
    return moments


def verify_rows(problem: Problem, mode: Mode, shard: MemoryShard, setup: Moments, flags: StopFlags, first: str) -> None:
    """Whether these are the rows that ``setup`` and the sums at the start came from; ``first`` is the digest of those, if any.

    Two passes, to the same bits, whoever makes them. Collective.

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
