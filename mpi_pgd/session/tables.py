"""A table in place of rows: converted beside its file, before any rank looks at them."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import h5py

from mpi_pgd import config
from mpi_pgd.choices import DROP
from mpi_pgd.data.files import Stamp
from mpi_pgd.errors import InputError, Stopped
from mpi_pgd.report.progress import parts
from mpi_pgd.system import conflicts, output
from mpi_pgd.system.log import LOG
from mpi_pgd.system.output import FAILURES
from mpi_pgd.system.placed import of_file, passing, told
from mpi_pgd.tables import format_of
from mpi_pgd.tables.again import again
from mpi_pgd.tables.batch import Batch
from mpi_pgd.tables.convert import convert, foreign
from mpi_pgd.tables.plan import Watch
from mpi_pgd.tables.recipe import VERSION, Recipe
from mpi_pgd.tables.written import RECIPE, SOURCE

ENDING = ".mpi_pgd.h5"  # of what a table is converted into


def watch_of(stopped: Callable[[], bool], shown: bool) -> Watch:
    """What tells how far the reading of a table is, and ends it after a signal.

    Args:
        stopped: whether one came.
        shown: whether there is to be a line.
    """

    def watch(word: str, batches: Iterator[Batch]) -> Iterator[Batch]:
        for batch in parts(f"{word} the table", batches, lambda batch: batch.share, shown):
            if stopped():
                raise Stopped
            yield batch

    return watch


def as_rows(settings: Mapping[str, Any], stopped: Callable[[], bool]) -> dict[str, Any]:
    """Settings with rows in place of tables, which are converted beside the first file, unless that was done before.

    Args:
        settings: as ``Settings.as_dict``, with the files' absolute names.
        stopped: whether a signal came.

    Raises:
        InputError: the table can't be converted, or settings speak of tables and there is none.
    """
    paths, names = settings["data"], [config.flag(name) for name in config.given(config.settings(settings), config.TABLE)]
    there = [path for path in paths if format_of(path) and (settings["target"] or not h5py.is_hdf5(path))]
    if not there:
        if names:
            raise InputError(f"{names[0]} is of tables such as CSV, and {paths[0]} is none: leave it out, or give a table")
        return dict(settings)
    if len(there) < len(paths):
        raise InputError(f"{there[0]} is a table, and {min(set(paths) - {*there})} is not: give one or the other")
    if other := config.given(config.settings(settings), ("x", "y")):
        raise InputError(
            f"{config.flag(other[0])} names a data set of HDF5, and {paths[0]} is a table: see --target and --features"
        )
    out, chosen = beside(paths[0]), config.settings(settings)
    source = _source(paths, chosen)
    if _says(out) == source:
        _tell(chosen, f"{paths[0]} is a table: it was converted before, into {out}")
    else:
        watch = watch_of(stopped, not chosen.quiet)
        made = convert(paths, out, chosen, chosen.weights, chosen.offset, source=source, watch=watch)
        _tell(chosen, f"{paths[0]} is a table: it was converted, once, into {out}")
        for words in made.notes:
            LOG.warning(words)
    return {**settings, **{name: config.OPTIONS[name].default for name in config.TABLE}, "data": [out]}


def by_recipe(
    paths: Sequence[str],
    model: str,
    text: str,
    targets: bool,
    shown: bool,
    stopped: Callable[[], bool] = lambda: False,
    stack: ExitStack | None = None,
) -> list[str]:
    """Files of rows that a model takes: of tables what its recipe makes of them, or what a fit has made of them before.

    Args:
        paths: files, with absolute names.
        model: the model's file, and ``text`` the recipe in it, if it has one.
        targets: y and the weights are wanted, too.
        shown: whether it is said.
        stopped: whether a signal came.
        stack: the file goes when this ends; None: it stays beside the first table.

    Raises:
        InputError: the table does not fit the recipe, or can't be converted; ``Stopped`` after a signal.
    """
    if not all(format_of(path) and not h5py.is_hdf5(path) for path in paths):
        return list(paths)
    first = paths[0]
    if not text:
        raise InputError(f"{first} is a table, and {model} was fitted to rows in HDF5: expected such rows, with its features")
    stays = beside(first, f".{sha256(json.dumps([text, paths]).encode()).hexdigest()[:8]}")
    for out in (beside(first), stays):
        if _holds(out, text, paths):
            return [out]
    recipe, source = Recipe.of_text(text, model), json.dumps({"files": _stamps(paths)})
    made = again(recipe, paths, targets, source, watch_of(stopped, shown))
    if stack:
        out = str(stack.enter_context(passing(first, ENDING)))
        with told(f"what {first} becomes, beside it,", "make room there"):
            output.create(Path(out), made)
    else:
        with of_file(stays, stays) as claim, told(stays):
            conflicts.spare(stays, {claim.folder / Path(stays).name: foreign}, force=False)
            claim.replace({Path(stays).name: made})
        out = stays
    if shown:
        LOG.info(f"{first} is a table: it was converted, {'for now' if stack else f'once, into {out}'}")
    return [out]


def beside(path: str, more: str = "") -> str:
    """The file that a table is converted into; ``more`` stands in its name."""
    found = format_of(path)
    ending = next((each for each in found.endings if path.lower().endswith(each)), "") if found else ""
    return f"{path[: len(path) - len(ending)]}{more}{ENDING}"


def _tell(chosen: config.Settings, words: str) -> None:
    if not chosen.quiet:
        LOG.info(words)


def _source(paths: Sequence[str], chosen: config.Settings) -> str:
    """What has to be as it was, or the table is converted anew."""
    options = {name: getattr(chosen, name) for name in (*config.TABLE, "weights", "offset")}
    return json.dumps({"version": VERSION, "files": _stamps(paths), "options": options})


def _stamps(paths: Sequence[str]) -> list[list[Any]]:
    return [[stamp.path, stamp.size, stamp.changed] for stamp in map(Stamp.of, paths)]


def _holds(out: str, text: str, paths: Sequence[str]) -> bool:
    """Whether a fit has made a file of all rows of tables, as they are now, by this recipe."""
    with suppress(*FAILURES, AttributeError), h5py.File(out, "r", locking=False) as file:
        source = json.loads(str(file.attrs.get(SOURCE)))
        kept = source.get("options", {}).get("missing") != DROP
        return bool(kept and source["files"] == _stamps(paths) and file.attrs.get(RECIPE) == text)
    return False


def _says(out: str) -> str:
    """What a converted file says of where it is from."""
    with suppress(*FAILURES), h5py.File(out, "r", locking=False) as file:
        return str(file.attrs.get(SOURCE, ""))
    return ""
