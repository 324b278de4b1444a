"""What has to be known of the columns before the descent, and whether the rows are those of a checkpoint: two passes each."""

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm.world import agreement
from mpi_pgd.data.memory import MemoryShard
from mpi_pgd.drivers.moments import Moments, MomentsRule, check_range
from mpi_pgd.engine.loop import Ballot, Order
from mpi_pgd.engine.tasks import MomentsMap
from mpi_pgd.errors import InputError
from mpi_pgd.modes.facts import Mode
from mpi_pgd.session.descend import descend, go_round, partial_of
from mpi_pgd.session.inspect import Problem


def take_moments(problem: Problem, mode: Mode, shard: MemoryShard, ballot: Ballot) -> Moments:
    """Of all columns and the targets, in two passes over the rows. Collective.

    Raises:
        InputError: values are so large or small that their squares can't be held.
    """
    table, block_rows = problem.table, problem.partition.block_rows
    peak = shard.peaks.copy()
    problem.comm.Allreduce(MPI.IN_PLACE, peak, MPI.MAX)
    first = shard.first_row()
    problem.comm.Allreduce(MPI.IN_PLACE, first, MPI.MAX)  # of whoever has read it
    rule = MomentsRule(problem.rows, first, peak, block_rows)
    partial = partial_of(problem, 2 * len(peak))
    partial.peaks[:] = rule.bound()
    go_round(problem, mode, shard, MomentsMap(block_rows, table.features, rule.unit), partial, rule, Order(table.features), ballot)
    vector = rule.moments().vector()
    problem.comm.Bcast(vector)  # a worker of a server has seen no sums
    moments = Moments.of(vector)
    check_range(moments, problem.settings.standardize, table.x, table.y)  # on all ranks alike
    return moments


def verify_rows(problem: Problem, mode: Mode, shard: MemoryShard, setup: Moments, ballot: Ballot, first: str) -> None:
    """Whether these are the rows that ``setup`` and the sums at the start came from; ``first`` is the digest of those, if any.

    Two passes, to the same bits, whoever makes them. Collective.

    Raises:
        InputError: they are not.
    """
    moments = take_moments(problem, mode, shard, ballot)
    found = ""
    if first:
        still = problem.on(problem.comm, rounds=0, balance=False)
        found = descend(still, mode, shard, setup, ballot, lambda *_: None).rule.history.first
    with agreement(problem.comm):
        same = np.array_equal(moments.vector(), setup.vector())
        if problem.comm.rank == 0 and not (same and found == first):
            plain = problem.settings.sums == "plain"
            also = ", or of another mode or number of ranks, which plain sums depend on" if plain else ""
            raise InputError(f"the checkpoint is of other rows than the data have now{also}: give what it was made with")
