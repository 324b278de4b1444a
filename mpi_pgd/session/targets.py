"""How the targets are read, once all have been: by the loss, from what is known of them on all ranks together."""

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm.world import agreement
from mpi_pgd.data.labels import BALANCED, merged
from mpi_pgd.data.memory import MemoryShard
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.loop import Mode
from mpi_pgd.engine.partial import Partial
from mpi_pgd.errors import InputError
from mpi_pgd.losses import LOSSES, Loss, loss_of
from mpi_pgd.losses.targets import Targets
from mpi_pgd.session.inspect import Problem


def settle(problem: Problem, mode: Mode, shard: MemoryShard) -> None:
    """Have all ranks read their targets as the loss does, and weigh their rows by class if that is asked for. Collective.

    Also after ranks were lost: what the others have read again, or what a shard has settled before, changes nothing.

    Raises:
        InputError: on all ranks alike: the targets are none of this loss, or nothing has a weight.
    """
    chosen, comm = problem.settings, problem.comm
    facts = merged(comm.allgather(shard.labels.facts()))._replace(words=problem.table.words)
    targets = Targets() if chosen.model else _loss(problem, shard).labels(facts)  # a model reads what there is
    shard.encode(targets)
    if problem.init:
        from mpi_pgd.model.warm import check_outputs  # not at start-up, as below

        check_outputs(problem.init, targets.outputs, chosen.init)
    if chosen.class_weight:
        factors = _factors(problem, mode, shard, targets)
        with agreement(comm):
            shard.weigh(factors)
    if problem.table.weighted and not _heaviest(problem, shard):
        raise InputError(f"all rows have the weight 0 ({_said(problem)}): expected some above it")


def _loss(problem: Problem, shard: MemoryShard) -> Loss:
    """The one that the settings name; a user's is the same on all ranks, and was tried on some rows. Collective."""
    comm, chosen = problem.comm, problem.settings
    if chosen.loss in LOSSES:
        return loss_of(chosen)
    from mpi_pgd.losses.user import load
    from mpi_pgd.session.own import same_everywhere

    with agreement(comm):
        loss = load(chosen.loss)
    same_everywhere(comm, chosen.loss, loss.function)
    with agreement(comm):
        if shard.tried is not None:
            loss.rehearse(shard.tried)
    return loss


def _said(problem: Problem) -> str:
    chosen = problem.settings
    given = (("--weights", chosen.weights), ("--class-weight", chosen.class_weight))
    return ", ".join(f"{flag} {value}" for flag, value in given if value)


def _heaviest(problem: Problem, shard: MemoryShard) -> float:
    heaviest = np.array(shard.heaviest)
    problem.comm.Allreduce(MPI.IN_PLACE, heaviest, MPI.MAX)
    return float(heaviest)


def _factors(problem: Problem, mode: Mode, shard: MemoryShard, targets: Targets) -> Vector:
    """What each class's rows' weights are multiplied by, (k,): what any rank knows, or else what is found now. Collective."""
    from mpi_pgd.data.classes import balanced, factors

    comm, given = problem.comm, problem.settings.class_weight
    if not targets.classes:
        raise InputError(f"--class-weight {given} was given with --loss {problem.settings.loss}, which knows no classes: drop it")
    known: list[Vector | None] = comm.allgather(shard.factors)
    for found in known:
        if found is not None:
            return found
    weights = problem.seen.class_weights
    if given == BALANCED or weights is None:
        return balanced(_sums(problem, mode, shard, len(targets.classes)))
    return factors(weights, np.array(targets.classes), given)


def _sums(problem: Problem, mode: Mode, shard: MemoryShard, classes: int) -> Vector:
    """The sums of the weights of each class, (classes,), each block's once: the same bits on whatever ranks. Collective.

    A pass over targets and weights, and one message of two numbers a class.
    """
    comm, partition = problem.comm, problem.partition
    partial = Partial(classes, partition.blocks)
    partial.peaks[:] = partition.block_rows * _heaviest(problem, shard)
    partial.rebound()
    partial.clear()
    first = comm.allgather(mode.worker).index(mode.worker) == comm.rank  # else it holds copies
    with agreement(comm):
        if first:
            for block in shard.stored(shard.held):
                partial.slot(block.rows)[:] = np.bincount(block.y.astype(np.intp), block.weights, classes)
    partial.close(late=False, signalled=False)
    comm.Allreduce(MPI.IN_PLACE, partial.buffer)
    return partial.total(np.empty(classes))
