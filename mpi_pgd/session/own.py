"""A model of the user's own: found on every rank, begun on one, tried on a block before the rounds."""

from collections.abc import Callable
from typing import Any

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm.world import agreement, once
from mpi_pgd.data.labels import merged
from mpi_pgd.data.memory import MemoryShard
from mpi_pgd.drivers.model import ModelObjective
from mpi_pgd.drivers.objective import Objective
from mpi_pgd.engine import trees
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.modeltask import ModelTask
from mpi_pgd.engine.query import Query
from mpi_pgd.engine.tasks import Ask, Task
from mpi_pgd.errors import InputError
from mpi_pgd.options import made
from mpi_pgd.penalties import PENALTIES
from mpi_pgd.session.inspect import Problem, dense_only
from mpi_pgd.user import beside, load


def own_model(problem: Problem, shard: MemoryShard, weight: float) -> tuple[Objective, dict[Ask, Task]]:
    """What is minimised, and what may be asked for. Collective.

    ``weight`` is the sum of the rows' weights. Rank 0's start counts, so that all begin alike even if it is drawn by chance.

    Raises:
        InputError: on all ranks alike: there is no such function, ranks have different ones, or it gives what can't be used.
    """
    comm, chosen = problem.comm, problem.settings
    with agreement(comm):
        dense_only(problem)
        function, init = load(chosen.model), beside(chosen.model, "init")
    same_everywhere(comm, chosen.model, function)
    facts = merged(comm.allgather(shard.labels.facts()))
    form, start = once(comm, None, lambda: begun(init(problem.table.features, facts)))
    task = ModelTask(function, chosen.model, form)
    query = Query([task])
    query.point[: len(start)] = start
    with agreement(comm):
        first = next(iter(shard.blocks(query)), None)
        if first is not None:
            task.rehearse(query.point, first, np.empty(task.layout.width))
    terms = [made(term, chosen) for term in PENALTIES.values()]
    return ModelObjective(problem.rows, weight, start, terms), {Ask.GRADIENT: task}


def same_everywhere(comm: MPI.Intracomm, text: str, function: Callable[..., Any]) -> None:
    """Refuse a function that is not the same on all ranks; ``text`` names it. Collective."""
    theirs = comm.allgather(function.__module__)  # it has the digest of a file
    with agreement(comm):
        if theirs[0] != theirs[comm.rank]:
            raise InputError(f"{text} is another one on rank {comm.rank} than on rank 0: expected one file for all ranks")


def begun(weights: Any) -> tuple[Any, Vector]:
    """The form of what a model's init gave, and its numbers."""
    try:
        form = trees.form(weights)
    except InputError as error:
        raise InputError(f"the model's init gave {error}") from None
    start = np.zeros(trees.width(form))
    trees.write(weights, form, start)
    if any(leaf.whole for leaf in trees.leaves(form)) or not len(start) or not np.isfinite(start).all():
        raise InputError(f"the model's init gave {trees.told(form)}: expected finite floats, and one of them at least")
    return form, start
