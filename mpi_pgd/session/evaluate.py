"""How good a model is on some rows: two passes of sums and counts, and one or more that rank its scores."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm.collectives import LIBRARY
from mpi_pgd.data.labels import merged
from mpi_pgd.data.memory import MemoryShard
from mpi_pgd.drivers import metrics
from mpi_pgd.drivers.mapreduce import MapDriver
from mpi_pgd.drivers.predictor import Predictor
from mpi_pgd.drivers.scores import CountTask, ScoreTask
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.loop import Mode
from mpi_pgd.engine.query import Query
from mpi_pgd.engine.sums import Sums
from mpi_pgd.engine.tasks import Task
from mpi_pgd.errors import InputError, listed
from mpi_pgd.losses import Loss
from mpi_pgd.losses.targets import TargetFacts, Targets, found
from mpi_pgd.session.areas import Rows, areas
from mpi_pgd.session.inspect import Problem
from mpi_pgd.session.load import check_room, choose_mode, load_rows
from mpi_pgd.session.passes import make_rounds


def evaluation(
    rows: Rows, model: Predictor, name: str, names: Sequence[str], penalty: float | None = None, ranked: bool = True
) -> dict[str, Any]:
    """Metrics, tables and counts, as JSON has them; the same on every rank, and for any number of them. Collective.

    Args:
        rows: whose targets are read as the model reads them.
        model: of as many features.
        name: of the rows.
        names: of the model's outputs, of classes their words.
        penalty: that of its weights, in the objective; None if it is not known.
        ranked: whether the areas under the curve are wanted, which takes passes of their own.

    Raises:
        InputError: rows can't be read any more, or predictions are beyond what float64 holds.
    """
    comm, first = rows.problem.comm, ScoreTask(model)
    heaviest = np.array([rows.shard.heaviest])
    LIBRARY["maximum"](comm)(heaviest)
    if not heaviest[0]:
        raise InputError(f"all rows have the weight 0 ({rows.problem.table.weights}): expected some above it")
    sums = _total(rows, first)
    LIBRARY["maximum"](comm)(first.extremes)
    second = None
    counts: metrics.Parts = {}
    if metrics.kind(model, first) != metrics.LOSS:
        most = rows.problem.partition.block_rows * float(heaviest[0])
        centre, null = metrics.null(model, sums)
        bounds = metrics.bounds(model, null, centre, first.extremes, most)
        second = CountTask(model, centre, null, metrics.grids(model, first, sums), bounds)
        counts = _total(rows, second)
        keep = rows.first
        for each in second.counts:
            each *= keep
            comm.Allreduce(MPI.IN_PLACE, each)
    ranks = areas(rows, model, float(heaviest[0])) if ranked and model.classes else []
    return {"name": name, "rows": rows.problem.rows, **metrics.told(model, names, first, sums, second, counts, penalty, ranks)}


def _total(rows: Rows, task: Task) -> dict[str, Vector]:
    """The sums of a task over all rows, on every rank. Collective."""
    problem, comm = rows.problem, rows.problem.comm
    query = Query([task])
    driver = MapDriver(task, problem.rows, np.zeros(task.width), lambda _: None)
    make_rounds(comm, rows.mode.whole, rows.shard, Sums(query, problem.partition.blocks), driver, query, [problem.pulse])
    if not query.point[0]:
        raise InputError("what the model predicts for some of these rows, or its loss there, is beyond what float64 holds")
    total = driver.total if len(driver.total) else np.empty(task.layout.width)
    if problem.facts.servers:
        LIBRARY["broadcast"](comm)(total)
    return task.layout.split(total)


def held(problem: Problem, model: Predictor, mode: Mode | None = None) -> Rows:
    """All rows of a problem, with targets that are read as the model reads them. Collective.

    By default in the mode of its settings.

    Raises:
        InputError: they can't be read, or the targets are none of this model.
    """

    def settle(problem: Problem, mode: Mode, shard: MemoryShard) -> None:
        facts = merged(problem.comm.allgather(shard.labels.facts()))
        shard.encode(targets(model.loss, len(model.w), model.classes, facts))

    mode = mode or choose_mode(problem).whole
    check_room(problem, mode)
    return Rows(problem, mode, load_rows(problem, mode, settled=settle))


def targets(loss: Loss, outputs: int, classes: Sequence[float], facts: TargetFacts) -> Targets:
    """How targets of other rows are read. Refuses those that the model can't have."""
    columns = 1 if classes else outputs
    if facts.columns != columns:
        raise InputError(f"the rows have {facts.columns} targets each, and the model is of {columns}: expected as many")
    if not classes:
        return loss.labels(facts)
    other = [f"{value:.6g}" for value in facts.values if value not in classes]
    if other or not facts.values:
        known = [f"{value:.6g}" for value in classes]
        told = f"the class{'es' * (len(other) > 1)} {listed(other)}" if other else f"targets {found(facts)}"
        raise InputError(f"the rows have {told}, and the model knows {listed(known)}: expected these alone")
    return Targets(outputs=outputs, classes=tuple(classes))
