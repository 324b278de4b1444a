"""Cases that the plain command leaves out, as they take long and rarely break where those beside them do not."""

from collections.abc import Iterable
from typing import Any

import pytest


def thorough(*values: object) -> Any:
    """One such case."""
    return pytest.param(*values, marks=pytest.mark.thorough)


def some(every: Iterable[tuple[object, ...]], step: int) -> list[Any]:
    """All cases, of which the plain command has one of so many."""
    return [case if number % step == 0 else thorough(*case) for number, case in enumerate(every)]


def plainly(kept: Iterable[object], every: Iterable[object]) -> list[Any]:
    """All cases, each of one value; the plain command has those that are kept."""
    few = [*kept]
    found = [each if each in few else thorough(each) for each in every]
    assert len(few) == sum(each in few for each in found), f"no such cases: {few}"
    return found
