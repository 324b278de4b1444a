"""How a loss reads the targets, or why it refuses them: from facts that are the same on all ranks."""

from collections.abc import Sequence
from typing import NamedTuple

from mpi_pgd.errors import InputError

MOST = 1000  # distinct targets that are told apart, and classes
SHOWN = 6  # of them in a sentence


class TargetFacts(NamedTuple):
    """What is known of all targets, which are finite.

    Attributes:
        least: of them all.
        most: of them all.
        whole: all are whole numbers.
        values: the distinct ones, ascending; () if there are more than ``MOST``.
        columns: 1, or k where y is (n, k).
        words: what the targets 0, 1, ... stand for, if they are words for classes.
    """

    least: float
    most: float
    whole: bool
    values: tuple[float, ...]
    columns: int
    words: Sequence[str | bool] = ()


class Targets(NamedTuple):
    """How they are read.

    Attributes:
        outputs: linear predictors a row.
        classes: the target that is class 0, 1, ...: the loss is given the class's number; () where it is given the target.
        hint: a sentence for the user, or "".
    """

    outputs: int = 1
    classes: tuple[float, ...] = ()
    hint: str = ""


def plain(facts: TargetFacts, hint: str = "") -> Targets:
    """Any numbers, each column an output of its own."""
    return Targets(outputs=facts.columns, hint=hint)


def single(facts: TargetFacts, loss: str) -> Targets:
    """Any numbers, one a row. ``loss`` is its name, here and below."""
    if facts.columns != 1:
        raise InputError(f"the {loss} loss was given targets of {facts.columns} columns: expected one target a row")
    return Targets()


def counts(facts: TargetFacts, loss: str) -> Targets:
    """Numbers that are not negative, not all 0."""
    single(facts, loss)
    if facts.least < 0:
        raise InputError(f"the {loss} loss was given targets {found(facts)}: expected none below 0")
    if facts.most == 0:
        raise InputError(f"the {loss} loss was given targets that are all 0: expected some above 0, else no optimum is finite")
    return Targets()


def positive(facts: TargetFacts, loss: str) -> Targets:
    """Numbers above 0."""
    single(facts, loss)
    if facts.least <= 0:
        raise InputError(f"the {loss} loss was given targets {found(facts)}: expected all above 0")
    return Targets()


def binary(facts: TargetFacts, loss: str) -> Targets:
    """Two classes, 0 and 1 or -1 and 1."""
    single(facts, loss)
    for pair in ((0.0, 1.0), (-1.0, 1.0)):
        if facts.values == pair:
            return Targets(classes=pair)
    expected = "two classes" if facts.words else "0 and 1, or -1 and 1, and both of them"
    raise InputError(f"the {loss} loss was given targets {found(facts)}: expected {expected}")


def classes(facts: TargetFacts, loss: str) -> Targets:
    """From 2 to ``MOST`` classes, each a whole number."""
    single(facts, loss)
    if not facts.whole:
        raise InputError(f"the {loss} loss was given targets {found(facts)}: expected classes, each a whole number")
    if len(facts.values) < 2:
        raise InputError(f"the {loss} loss was given targets {found(facts)}: expected from 2 to {MOST} classes")
    return Targets(outputs=len(facts.values), classes=facts.values)


def found(facts: TargetFacts) -> str:
    """The targets in few words: all where they are few, or how many, and from where to where."""
    few = facts.values
    if not few:
        return f"of more than {MOST} values from {facts.least:.6g} to {facts.most:.6g}"
    if len(few) > SHOWN:
        return f"of {len(few)} values from {facts.least:.6g} to {facts.most:.6g}"
    words = dict[float, object](enumerate(facts.words))
    names = [str(words.get(value, f"{value:.6g}")) for value in few]
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else f"that are all {names[0]}"
