"""The loop: bulk-synchronous rounds of broadcast, map, reduce, update. Every pass over the rows is made of it."""

from collections.abc import Callable, Sequence
from typing import Protocol

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.block import Source
from mpi_pgd.engine.partial import Partial
from mpi_pgd.engine.query import Again, Query
from mpi_pgd.engine.sums import Sums
from mpi_pgd.errors import InputError

StopFlags = Callable[[], tuple[bool, bool]]  # this rank's: time is up, a signal came
Update = Callable[[], None]  # judge the reduced sums and write the next query


class Driver(Protocol):
    """What is done with the sums; held by whoever updates (the server, or every peer)."""

    def open(self, query: Query) -> None:
        """Write the first query."""

    def update(self, partial: Partial, query: Query) -> None:
        """Take the reduced sums of ``query`` and write the next one into it."""


class Mode(Protocol):
    """Who holds rows, who updates, and what travels."""

    workers: int  # how many share the blocks
    worker: int  # this rank's number among them; -1 if it holds none

    @property
    def whole(self) -> "Mode":
        """That of a pass whose sums are of all rows: the same, unless its rounds have none such."""

    def open(self, driver: Driver, query: Query) -> None:
        """Give everyone the first query."""

    def step(self, partial: Partial, update: Update, query: Query) -> None:
        """Sum the partials over the ranks, have whoever updates do so, give everyone the next query."""

    def maximum(self, vector: Vector) -> None:
        """Replace ``vector`` by its elementwise maximum over the ranks."""


class Observer:
    """What watches the rounds, or does something between them; a subclass has what it cares for.

    Observers are told in no order that matters: what takes time, or is collective, is done in ``between``, which belongs to no
    round.
    """

    def began(self, query: Query) -> None:
        """The map begins."""

    def mapped(self, query: Query) -> None:
        """This rank has its partial."""

    def reduced(self, query: Query) -> None:
        """The sums over all ranks are here; on those that update."""

    def updated(self, query: Query) -> None:
        """The next query is written, and may still be marked; on those that update."""

    def asked(self, query: Query) -> None:
        """The round is over: the next query is here."""

    def between(self, query: Query) -> None:
        """What has to be done before the next round begins, or after the last one. May be collective."""


def rounds(
    mode: Mode,
    source: Source,
    sums: Sums,
    driver: Driver,
    query: Query,
    observers: Sequence[Observer] = (),
    flags: StopFlags = lambda: (False, False),
) -> None:
    """Go round until the driver stops. Every rank calls it; every rank leaves it in the same round with the same query.

    Raises:
        InputError: this rank's part of the last answer could not be made, as its rows can't be read any more. The others leave in
            that round, too, without an error: an agreement has to follow.
    """
    began, mapped, reduced, updated, asked, between = (_heard(observers, name) for name in EVENTS)
    ended = asked + between

    def update() -> None:
        for tell in reduced:
            tell(query)
        sums.update(driver.update, query)
        for tell in updated:
            tell(query)

    mode.open(driver, query)
    trouble = None
    while not query.stop:
        for tell in began:
            tell(query)
        task = query.task.bind(query.point)
        partial = sums.begin(query, mode.maximum)
        trouble = None
        try:
            partial.take(task, source.blocks(query))
        except InputError as error:
            trouble = error
        partial.close(*flags(), unread=trouble is not None)
        for tell in mapped:
            tell(query)
        mode.step(partial, update, query)
        if not query.stop:
            sums.settle(query, mode.maximum)  # within the round, of whose messages it is one
        for tell in ended:
            tell(query)
    if trouble and query.again == Again.UNREAD:
        raise trouble


EVENTS = ("began", "mapped", "reduced", "updated", "asked", "between")


def _heard(observers: Sequence[Observer], name: str) -> list[Callable[[Query], None]]:
    """What those do that care for an event."""
    return [getattr(each, name) for each in observers if getattr(type(each), name) is not getattr(Observer, name)]
