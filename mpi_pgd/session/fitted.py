"""A fitted model and other rows than it was fitted to: both looked at, and matched by the features' names, before anyone works."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from mpi4py import MPI

from mpi_pgd import config
from mpi_pgd.comm.world import agreement, once
from mpi_pgd.config import Settings
from mpi_pgd.data.match import check_words, matched
from mpi_pgd.drivers.predictor import Predictor
from mpi_pgd.errors import InputError
from mpi_pgd.model.coefficients import spelled
from mpi_pgd.model.model import Model, load
from mpi_pgd.recovery.attempts import Team
from mpi_pgd.session.inspect import Problem, inspect_files
from mpi_pgd.session.rows import tables_named

OF_ROWS = ("x", "y", "weights", "offset")  # of these, what a model's rows were called is the default


def loaded(comm: MPI.Intracomm, path: str) -> Model:
    """The model in a file or a folder, on every rank. Collective.

    Raises:
        InputError: there is none, it is damaged, or one of a user's own.
    """

    def read() -> Model:
        model = load(path)
        if model.config.get("model"):
            raise InputError(f"{path} is a model of your own ({model.config['model']}): it alone knows what to make of its weights")
        return model

    return once(comm, None, read)


def settings(model: Model, given: Mapping[str, Any]) -> Settings:
    """Those that say what other rows are: what was ``given``, else as of the rows that the model was fitted to."""
    before = {name: model.config[name] for name in OF_ROWS if isinstance(model.config.get(name), str)}
    return config.settings({**before, **given}, config.flag)


def predictor(model: Model) -> Predictor:
    """What passes over rows need of a model.

    Raises:
        InputError: it does not say which targets its classes are; or its loss is not there.
    """
    law, classes = model.law, model.codes
    made = Predictor.of(law, model.coef, model.intercept, classes)
    if law.sorts and len(classes) != max(2, len(made.w)):
        raise InputError("the model does not say which targets its classes are, as an earlier version wrote it: fit it again")
    return made


def names_of(model: Model) -> list[str]:
    """What its outputs are called."""
    return spelled(model.classes or range(model.coef.shape[1] if model.coef.ndim == 2 else 1))


def looked(
    team: Team,
    chosen: Settings,
    model: Model,
    path: str,
    stopped: Callable[[], bool],
    stack: ExitStack,
) -> Problem:
    """Files that ``chosen`` names, with their columns in the order of the features of the model in ``path``. Collective.

    Args:
        team, chosen, model, path: see above.
        stopped: whether a signal came.
        stack: until this ends there are the rows that are made of tables.

    Raises:
        InputError: files can't be used, or are of other features; ``Stopped`` after a signal.
    """
    if tables_named(chosen.as_dict()):
        from mpi_pgd.session.tables import by_recipe  # a rank that reads HDF5 needs none of it

        wanted = bool(chosen.y), not chosen.quiet, stopped, stack
        data = once(team.comm, None, lambda: by_recipe(chosen.data, path, model.recipe, *wanted))
        chosen = replace(chosen, data=tuple(data))
    problem = inspect_files(team.comm, chosen, ids=team.ids, shrunk=bool(team.lost))
    with agreement(team.comm):
        table = matched(problem.table, tuple(model.feature_names), len(model.coef), path)
        check_words(table, model.codes, model.record.get("words", ()), path)
    return replace(problem, seen=problem.seen._replace(table=table))
