"""What is made of a table, decided before a row is written: which columns, and what they become."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from mpi_pgd.choices import DROP, FIRST, MEAN, ONE_HOT, REFUSE, Choices, split
from mpi_pgd.data.names import LONGEST, repeated
from mpi_pgd.errors import InputError, edged, nearest, printable
from mpi_pgd.tables import open_tables
from mpi_pgd.tables.batch import Batch, Kind, Reading, Table
from mpi_pgd.tables.feature import Feature
from mpi_pgd.tables.recipe import Recipe
from mpi_pgd.tables.spool import Spool
from mpi_pgd.tables.survey import Amount, Levels, survey

Watch = Callable[[str, Iterator[Batch]], Iterator[Batch]]  # says what is done, and passes the batches on
MARKS = {";": "';'", "\t": "tab", "|": "'|'"}  # between fields of a table that was read as if of commas, and as a shell takes them
OWN = ("X", "y", "feature_names", ".", "..")  # names that others may not have


@dataclass(frozen=True)
class Plan:
    """What is to be written.

    Attributes:
        table: the rows.
        recipe: what they become.
        rows: so many, at most.
        drop: rows without all values are left out.
    """

    table: Table
    recipe: Recipe
    rows: int
    drop: bool


@dataclass(frozen=True)
class _Wanted:
    """Columns by name."""

    features: tuple[str, ...]
    target: str
    beside: tuple[str, ...]  # weights and offset, if there are

    @property
    def all(self) -> tuple[str, ...]:
        """In no order that means anything."""
        return (*self.features, self.target, *self.beside)


def reading_of(chosen: Choices) -> Reading:
    """How tables are read. Raises InputError: two of the marks are one."""
    delimiter = "\t" if chosen.delimiter == "tab" else chosen.delimiter
    if chosen.decimal == (delimiter or ","):
        raise InputError(f"--decimal {chosen.decimal} is what stands between fields, too: give another --delimiter, as in ';'")
    return Reading(delimiter, chosen.decimal, split(chosen.na))


def plan(paths: Sequence[str], chosen: Choices, weights: str, offset: str, watch: Watch, spool: Spool) -> Plan:
    """Look at a table, in one file or several.

    Args:
        paths: its files.
        chosen: what is to become of it.
        weights, offset: columns, empty if there is none.
        watch: tells how far it is.
        spool: keeps the rows, if all are read for that.

    Raises:
        InputError: that can't be done.
    """
    reading = reading_of(chosen)
    table = open_tables(paths, reading)
    words = _matched(table, "--categorical", chosen.categorical)
    if words:
        reading = replace(reading, words=words)
        table = open_tables(paths, reading)
    wanted = _wanted(table, chosen, weights, offset)
    kinds = table.kinds(wanted.all)
    for name in wanted.beside:
        if kinds[name] is Kind.WORDS:
            raise InputError(f"column {printable(name)} of {table.path} holds words: expected a number for each row")
    found: dict[str, Levels | Amount] = {
        name: Levels(name, chosen.levels, name in words) if kind is Kind.WORDS else Amount(name)
        for name, kind in kinds.items()
        if kind is Kind.WORDS or chosen.missing != REFUSE
    }
    rows = table.rows
    if found or rows is None:
        found = found or {wanted.target: Amount(wanted.target)}
        rows = survey(watch("looking at", spool.first(table, tuple(found), wanted.all)), found, chosen.missing == DROP)
    made = {name: _feature(name, kinds[name], found.get(name), chosen) for name in (*wanted.features, wanted.target)}
    target = replace(made[wanted.target], fill=None, indicator=False)
    recipe = Recipe(tuple(made[name] for name in wanted.features), target, weights, offset, reading)
    _check(table, recipe, kinds, found, rows)
    return Plan(table, recipe, rows, chosen.missing == DROP)


def _matched(table: Table, flag: str, patterns: str) -> tuple[str, ...]:
    """The columns that names and patterns say, in the table's order."""
    found: set[str] = set()
    for pattern in split(patterns):
        some = [pattern] if pattern in table.names else [name for name in table.names if fnmatchcase(name, pattern)]
        if not some:
            raise InputError(f"{flag} was given {pattern}{nearest(pattern, table.names)}, which no column of {table.path} matches")
        found |= {*some}
    return tuple(name for name in table.names if name in found)


def _wanted(table: Table, chosen: Choices, weights: str, offset: str) -> _Wanted:
    for flag, name in (("--target", chosen.target), ("--weights", weights), ("--offset", offset)):
        if name and name not in table.names:
            raise InputError(f"{table.path} has no column {name}{nearest(name, table.names)}: {_columns(table)}; see {flag}")
    if not chosen.target:
        raise InputError(f"{table.path} is a table, of which one column is the target: name it with --target; {_columns(table)}")
    beside = tuple(filter(None, (weights, offset)))
    for name in beside:
        if beside.count(name) > 1 or name == chosen.target or name in OWN or {"/", "\0"} & set(name):
            raise InputError(
                f"{printable(name)} can't be the weights or the offset: expected a column of its own, without / in its name"
            )
    left_out = {chosen.target, *beside, *_matched(table, "--drop", chosen.drop)}
    given = _matched(table, "--features", chosen.features)
    features = given or [name for name in table.names if name not in table.unnamed]
    taken = tuple(name for name in features if name not in left_out)
    if not taken:
        raise InputError(f"{table.path} has no column left that is a feature: {_columns(table)}; see --features and --drop")
    return _Wanted(taken, chosen.target, beside)


def _columns(table: Table) -> str:
    if len(table.names) == 1 and (mark := next((mark for mark in MARKS if mark in table.names[0]), "")):
        return f"its only column is {printable(table.names[0])}, so give --delimiter {MARKS[mark]}"
    shown = ", ".join(map(edged, table.names[:20])) + ", ..." * (len(table.names) > 20)
    return f"its columns are {shown}"


def _feature(name: str, kind: Kind, found: Levels | Amount | None, chosen: Choices) -> Feature:
    mean = chosen.missing == MEAN
    if isinstance(found, Levels):
        levels = found.levels()
        if found.truths:
            return Feature(name, Kind.TRUTH)
        hot = chosen.categories == ONE_HOT
        fill = 0.0 if mean and found.missing else None
        return Feature(name, kind, levels, chosen.categories, hot and chosen.reference == FIRST, fill, fill is not None)
    if found and mean:
        return Feature(name, kind, fill=found.mean(), indicator=found.missing > 0)
    return Feature(name, kind)


def _check(table: Table, recipe: Recipe, kinds: dict[str, Kind], found: dict[str, Levels | Amount], rows: int) -> None:
    """Refuse what can't be fitted, or read again."""
    if not rows:
        raise InputError(
            f"{table.path} has no rows{' without a missing value' * any(one.missing for one in found.values())}: nothing to fit"
        )
    for name, kind in kinds.items():
        words = found.get(name)
        if kind is Kind.NOTHING or (isinstance(words, Levels) and not words.found):
            raise InputError(
                f"column {printable(name)} of {table.path} has no value in any row: leave it out with --drop {printable(name)}"
            )
    long = next((name for name in recipe.names if len(name) > LONGEST), "")
    if long:
        raise InputError(
            f"{table.path} has a feature whose name begins {printable(long[:40])}: expected at most {LONGEST} characters"
        )
    twice = repeated(recipe.names)
    if twice:
        raise InputError(f"{table.path} gives two features {printable(twice)}: give one of the columns another name")
    if not recipe.names:
        raise InputError(f"{table.path} has no feature with two categories: expected at least one column that tells rows apart")
