"""What the sources of a virtual data set say of their numbers: HDF5 hands the numbers on, but not what stands beside them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import h5py

from mpi_pgd.data.meaning import Meaning, check_units, meaning
from mpi_pgd.data.names import Names, names_of, places
from mpi_pgd.data.twice import Origin
from mpi_pgd.data.virtual import Boxes, Mapping, boxes
from mpi_pgd.errors import InputError

RUNS = 10_000  # of rows that are taken from a source, and noted


class Source(NamedTuple):
    """A data set from which a virtual one takes values."""

    where: str  # its file
    name: str  # there
    origin: Origin  # which it is, whatever leads to it
    meaning: Meaning  # of its numbers
    names: Names = ()  # of its columns, if it has any
    columns: int = 0  # how many; 0 if it has no two dimensions
    rows: tuple[range, ...] = ()  # those of which all columns are taken, in runs

    @classmethod
    def of(cls, data_set: h5py.Dataset, where: str, parts: Sequence[Mapping], what: str) -> "Source":
        """An open data set, from which ``parts`` of a virtual one, ``what``, are taken; errors as of ``meaning``."""
        name = str(data_set.name)
        known = cls(where, name, Origin.of(data_set), meaning(data_set, where, name))
        if data_set.ndim != 2:
            return known
        columns = data_set.shape[1]
        names = names_of(data_set.file, data_set, columns, 1, where, name)
        rows = tuple(run for part in parts for run in _whole_rows(part, data_set, what))
        return known._replace(names=names, columns=columns, rows=rows)


def _whole_rows(part: Mapping, data_set: h5py.Dataset, what: str) -> list[range]:
    if part.space.get_select_type() == h5py.h5s.SEL_ALL:
        return [range(len(data_set))]
    some: Boxes = boxes(part.space, data_set.shape, what)
    whole = some[(some[:, 0, 1] == 0) & (some[:, 1, 1] >= data_set.shape[1])]
    return [range(*run) for run in whole[:, :, 0].tolist()] if len(whole) <= RUNS else []


def with_sources(own: Meaning, sources: Sequence[Source], what: str) -> Meaning:
    """What the numbers of a virtual data set, ``what``, stand for, which says ``own`` of them.

    What stands for no value in a source stands for none here. How numbers become values, its own attributes say, if it has any;
    else the sources', which then have to agree: an InputError if they don't.
    """
    numbers = {number: (number, why) for source in sources for number, why in source.meaning.missing}
    numbers |= {number: (number, why) for number, why in own.missing}
    check_units([(source.where, source.meaning.units) for source in sources], what)
    units = next((source.meaning.units for source in sources if source.meaning.units), "")
    merged = replace(own, missing=tuple(numbers.values()), units=own.units or units)
    if not sources or own.packed or own.bounded or own.coded:
        return merged
    first = sources[0]
    for other in sources[1:]:
        if _way(other) != _way(first):
            raise InputError(
                f"{what} is made of {first.name} in {first.where} and {other.name} in {other.where}, whose numbers do not stand "
                f"for values in the same way (scale_factor, add_offset, valid_range, _Unsigned, codes): write the values themselves"
            )
    its = first.meaning
    if its.resigned and its.kind != own.kind:
        raise InputError(
            f"{what} is made of {first.name} in {first.where}, whose numbers are meant as {its.kind} (_Unsigned), but not here: "
            f"make it of this type"
        )
    changed = {name: getattr(its, name) for name in ("low", "high", "bounded", "bounds_values", "scale", "offset", "coded")}
    return replace(merged, **changed)


def _way(source: Source) -> tuple[object, ...]:
    its = source.meaning
    return (its.low, its.high, its.bounds_values, its.scale, its.offset, its.coded, its.resigned and its.kind)


def with_names(own: Names, path: str, sources: Sequence[Source], features: int) -> Names:
    """The features' names of a virtual data set in ``path`` that calls them ``own``; refuses sources that call them otherwise."""
    wide = [source for source in sources if source.columns == features]
    named = [(own, path)] if own else [(source.names, source.where) for source in wide if source.names][:1]
    if not named:
        return ()
    (names, where), *_ = named
    for source in wide:
        if (source.names or not own) and places(source.names, source.where, names, where):
            raise InputError(
                f"{source.where} has its columns in another order than {where}, and a virtual data set in {path} has both: "
                f"give the files themselves, whose columns are then matched by their feature_names"
            )
    return names
