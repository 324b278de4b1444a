"""Rows as a command is given them, on the rank that reads its words: files found, and tables converted, before anyone looks."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from mpi_pgd import config
from mpi_pgd.config import Settings
from mpi_pgd.data import files
from mpi_pgd.data.table import Table
from mpi_pgd.errors import InputError, Stopped
from mpi_pgd.recovery.signals import SignalFlag
from mpi_pgd.system.log import LOG


def rows_of(settings: Mapping[str, Any], stopped: Callable[[], bool] = lambda: False) -> dict[str, Any]:
    """Settings by name, with absolute names of files of rows in place of what is given: tables are converted once, beside the file.

    Args:
        settings: as ``Settings.as_dict``.
        stopped: whether a signal came.

    Raises:
        InputError: there is no such file, or a table can't be converted; ``Stopped`` after a signal.
    """
    found = {**settings, "data": files.find(settings["data"])}
    if not tables_named(found):
        return found
    from mpi_pgd.session.tables import as_rows  # who reads HDF5 needs none of it

    return as_rows(found, stopped)


def heard(chosen: Settings) -> Settings:
    """``rows_of`` a command that hears no signals but while a table is converted."""
    with SignalFlag() as flag:
        found = config.settings(rows_of(chosen.as_dict(), lambda: flag.came))
    if flag.came:  # after the conversion
        raise Stopped
    return found


def named_by(table: Table, chosen: Settings) -> dict[str, Any]:
    """The weights and the offset that the rows were made with of a table, where the settings name none; that is said."""
    if not table.recipe or chosen.model:
        return {}
    from mpi_pgd.tables.recipe import Recipe  # hardly any file has one

    found: dict[str, str] = {}
    with suppress(InputError):  # one of another program, or damaged: nobody asked for it
        recipe = Recipe.of_text(table.recipe, table.parts[0].path)
        made = {"weights": recipe.weights, "offset": recipe.offset}
        found = {name: column for name, column in made.items() if column and not getattr(chosen, name)}
    if found and not chosen.quiet:
        words = " and ".join(f"{config.flag(name)} {column}" for name, column in found.items())
        LOG.info(f"{table.parts[0].path} was converted with {words}, which the fit uses, too")
    return found


def tables_named(settings: Mapping[str, Any]) -> bool:
    """Whether data may be tables, such as CSV: some are not HDF5 by their names, or settings speak of tables."""
    return any(settings[name] != config.OPTIONS[name].default for name in config.TABLE) or not all(
        map(hdf5_named, settings["data"])
    )


def hdf5_named(path: str) -> bool:
    """Whether a file is HDF5 by its name."""
    return path.endswith((".h5", ".hdf5"))
