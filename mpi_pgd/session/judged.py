"""A fit judged in its end: on its own rows, for the report, and on those that --validate names, which it has not seen."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from mpi_pgd.comm.world import anyone, once
from mpi_pgd.config import HELD, Settings
from mpi_pgd.data import files
from mpi_pgd.data.match import check_words, matched
from mpi_pgd.data.memory import MemoryShard
from mpi_pgd.data.table import Table
from mpi_pgd.data.words import meant
from mpi_pgd.drivers.predictor import Predictor
from mpi_pgd.engine.loop import Mode
from mpi_pgd.errors import InputError
from mpi_pgd.losses import loss_of
from mpi_pgd.model.coefficients import spelled
from mpi_pgd.report.evaluation import OWN
from mpi_pgd.session.areas import Rows
from mpi_pgd.session.descend import Descent
from mpi_pgd.session.evaluate import evaluation, held
from mpi_pgd.session.inspect import Problem, Seen, look
from mpi_pgd.session.rows import hdf5_named
from mpi_pgd.system.log import LOG

# Settings of the fit that other rows have, too: what is of features, classes and weights is in the model by now.
SHARED = (*HELD, "weights", "offset", "graph", "replicas", "threads")


def holdouts(problem: Problem, stopped: Callable[[], bool]) -> list[Problem]:
    """The rows of each file or glob that --validate names, with their columns in the order of the fit's. Collective.

    ``stopped`` tells whether a signal came.

    Raises:
        InputError: they can't be used, or are of other features; ``Stopped`` after a signal.
    """
    names, fitted = files.named(problem.settings.validate), problem.table
    shared: dict[str, Any] = {name: getattr(problem.settings, name) for name in SHARED}
    chosen = replace(Settings(), **shared)

    def looked() -> list[Table]:
        rows = partial(_rows, recipe=fitted.recipe, shown=not problem.settings.quiet, stopped=stopped)
        tables = [look(replace(chosen, data=tuple(rows(files.find([name]))))).table for name in names]
        for table in tables:
            check_words(table, range(len(fitted.words)), fitted.words, "the fit")
        return [matched(table, fitted.names, fitted.features, "the fit") for table in tables]

    tables = once(problem.comm, None, looked) if names else []
    return [replace(problem, settings=chosen, seen=Seen(table, problem.sides), rows=table.rows, arrays=()) for table in tables]


def _rows(paths: list[str], recipe: str, shown: bool, stopped: Callable[[], bool]) -> list[str]:
    """Files of rows; of tables those that the fit's recipe makes of them."""
    if all(map(hdf5_named, paths)):
        return paths
    from mpi_pgd.session.tables import by_recipe  # a rank that reads HDF5 needs none of it

    return by_recipe(paths, "the fit", recipe, targets=True, shown=shown, stopped=stopped)


def judged(
    problem: Problem, mode: Mode, shard: MemoryShard, others: Sequence[Problem], descent: Descent, classes: Sequence[float]
) -> list[dict[str, Any]]:
    """Evaluations, as run.json has them: of the rows of the fit, if there is to be a report and all are in memory; of others.

    What can't be evaluated is a warning, as the weights are there. Collective.
    """
    chosen = problem.settings
    own = chosen.out != "" and chosen.evaluate and not chosen.model and not anyone(problem.comm, len(shard.streamed) > 0)
    if not (own or others) or not np.isfinite(descent.coef).all():
        return []
    model = Predictor.of(loss_of(chosen), descent.coef, descent.intercept, classes)
    names = spelled(meant(classes, problem.table.words) or classes or range(len(model.w)))
    penalty = descent.driver.objective - descent.driver.loss  # where updates are made
    found = []
    for name, other in [*([(OWN, None)] if own else []), *zip(files.named(chosen.validate), others, strict=True)]:
        problem.pulse.enter(f"evaluating {name}")
        try:
            rows = held(other, model, mode.whole) if other else Rows(problem, mode.whole, shard)
            found.append(
                evaluation(rows, model, name, names, penalty if math.isfinite(penalty) else None, ranked=other is not None)
            )
        except InputError as error:
            if problem.comm.rank == 0:
                LOG.warning(f"{name} could not be evaluated: {error}")
    return found
