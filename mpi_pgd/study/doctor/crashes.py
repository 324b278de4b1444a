"""A part of the doctor that crashes is a finding of its own, and the other parts go on."""

import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from mpi_pgd.errors import InputError
from mpi_pgd.study.doctor.findings import Finding, listed

SHOWN = 300  # characters of an exception's text


class Crash(NamedTuple):
    """On a rank: the check that it leaves without an answer, the exception, and where that was raised."""

    check: str
    exception: str
    place: str


class Crashes:
    """Those of one rank.

    Only what a rank does by itself stands under ``part``: after a crash amid messages the others would wait for ever, so there
    ``guard`` ends all ranks.
    """

    def __init__(self) -> None:
        self.found: list[Crash] = []

    @contextmanager
    def part(self, *checks: str) -> Iterator[None]:
        """What ``checks`` rest on; if it crashes, they have no answer. An ``InputError`` is no crash, and goes on its way."""
        try:
            yield
        except InputError:
            raise
        except Exception as error:  # whatever it is, it is to be told, and nothing else to be left out for it
            said = " ".join(str(error).split())
            last = traceback.extract_tb(error.__traceback__)[-1]
            exception = f"{type(error).__name__}: {said[:SHOWN]}" if said else type(error).__name__
            self.found += [Crash(check, exception, f"{Path(last.filename).name}, line {last.lineno}") for check in checks]


def told(everyone: Sequence[Sequence[Crash]], names: Sequence[str]) -> list[Finding]:
    """A finding for each check that has no answer, from those of all ranks and the names of their nodes."""
    ranks: dict[Crash, list[int]] = {}
    for rank, found in enumerate(everyone):
        for crash in found:
            ranks.setdefault(crash, []).append(rank)
    first: dict[str, Finding] = {}
    for (check, exception, place), where in ranks.items():
        words = f"this part of the doctor crashed on {listed(where)} (node {names[where[0]]}): {exception} ({place})"
        advice = "that is a bug of the doctor's, or of what it looked at; the other findings stand without it"
        first.setdefault(check, Finding(check, "warning", words, advice))
    return list(first.values())
