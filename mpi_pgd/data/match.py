"""Rows matched with a model that was fitted to others: by the features' names, where both have some."""

from array import array
from collections.abc import Sequence
from dataclasses import replace

from mpi_pgd.data.filepart import FilePart, parts_of
from mpi_pgd.data.names import Names, repeated
from mpi_pgd.data.table import Table
from mpi_pgd.errors import InputError, listed

NAMED = 5  # features that a sentence names


def matched(table: Table, names: Names, features: int, model: str) -> Table:
    """The table with its columns in the order of a model's features.

    Args:
        table: where neither it nor the model has names, or one of them has none, its columns are taken as they come.
        names: of the model's features, or none.
        features: how many the model has.
        model: what it is called in errors.

    Raises:
        InputError: there are other features, or names don't tell which is which.
    """
    where, there = table.parts[0].path, table.names
    if names and there and there != names:
        _check(there, where, names, model)
        place = {name: number for number, name in enumerate(names)}
        order = [place[name] for name in there]
        parts = tuple(_reordered(part, order) for part in parts_of(table))
        return replace(table, parts=parts, labels="".join(f"{name}\n" for name in names))
    if table.features != features:
        raise InputError(f"{table.x} in {where} has {table.features} features, and {model} is of {features}: expected the same")
    return table


def check_words(table: Table, codes: Sequence[float], words: Sequence[str | bool], model: str) -> None:
    """Refuse targets whose numbers stand for other words than those of a model's classes, which are ``codes`` there."""
    there = dict[float, str | bool](enumerate(table.words))
    other = [(code, word) for code, word in zip(codes, words, strict=False) if there.get(code, word) != word]
    if other:
        (code, word), where = other[0], table.parts[0].path
        raise InputError(
            f"{table.y} in {where} has {code:g} for the class {there[code]}, and {model} for {word}: give the table "
            f"that it was made of, which the model's recipe converts, or convert both at once"
        )


def _check(there: Names, where: str, names: Names, model: str) -> None:
    """Whether both are the same features, each once."""
    missing, more = sorted(set(names) - set(there)), sorted(set(there) - set(names))
    found = [f"has no feature {_some(missing)}, of which {model} is"] if missing else []
    found += [f"has the feature {_some(more)}, of which {model} knows nothing"] if more else []
    if found:
        raise InputError(f"{where} {' and '.join(found)}: expected the {len(names)} features that it was fitted to")
    for path, its in ((where, there), (model, names)):
        if twice := repeated(its):
            raise InputError(
                f"{path} has two features {twice}, and those of {where} are in another order than those of {model}, so that nobody "
                f"can tell which is which: give each a name of its own"
            )


def _some(names: Sequence[str]) -> str:
    return listed(names if len(names) <= NAMED else [*names[:NAMED], f"{len(names) - NAMED} more"])


def _reordered(part: FilePart, order: Sequence[int]) -> FilePart:
    """Its columns, which were those of a table, in another order: ``order`` has the new place of each of the table's."""
    before = part.columns or range(len(order))
    return replace(part, columns=array("q", [order[place] for place in before]))
