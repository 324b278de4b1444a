"""The loop: bulk-synchronous rounds of broadcast, map, reduce, update. Every pass over the rows is made of it."""

from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import Protocol

import numpy as np

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.block import Block
from mpi_pgd.engine.sums import Partial
from mpi_pgd.engine.tasks import BlockMap


class Action(IntEnum):
    """What an order tells the ranks to do next."""

    GO = 0
    EXCHANGE = 1  # exchange the bound of the order-free sums, then go
    STOP = 2


class Order:
    """What everyone gets each round, in one float64 buffer ``[action | keep | point]``.

    ``point`` is where the map is to be evaluated: (features + 1,), the weights in the user's units, the intercept last.
    """

    HEADER = 2  # numbers before the point

    def __init__(self, features: int) -> None:
        self.buffer = np.zeros(self.HEADER + features + 1)
        self.point = self.buffer[self.HEADER :]

    @property
    def action(self) -> Action:
        """What to do."""
        return Action(int(self.buffer[0]))

    @action.setter
    def action(self, action: Action) -> None:
        self.buffer[0] = action

    @property
    def keep(self) -> int:
        """After how many updates the state is to be kept now, in case that a rank is lost; 0 if it is not."""
        return int(self.buffer[1])

    @keep.setter
    def keep(self, rounds: int) -> None:
        self.buffer[1] = rounds


class Rule(Protocol):
    """What is done with the sums; held by whoever updates (the server, or every peer)."""

    def open(self, order: Order) -> None:
        """Write the first order."""

    def __call__(self, partial: Partial, order: Order) -> None:
        """Take the reduced sums at ``order.point`` and write the next order."""


class Topology(Protocol):
    """How orders and partials travel, and who applies the rule."""

    def open(self, rule: Rule, order: Order) -> None:
        """Give everyone the first order."""

    def step(self, partial: Partial, rule: Rule, order: Order) -> None:
        """Sum the partials over the ranks, have the rule applied, give everyone the next order."""

    def maximum(self, vector: Vector) -> None:
        """Replace ``vector`` by its elementwise maximum over the ranks."""


Map = Callable[[Vector], BlockMap]  # what maps the blocks of a round, from the point
Ballot = Callable[[], tuple[bool, bool]]  # this rank's votes: time is up, a signal came


def rounds(
    topology: Topology, shard: Iterable[Block], mapping: Map, partial: Partial, rule: Rule, order: Order, ballot: Ballot
) -> None:
    """Go round until the rule says stop. Every rank calls it; every rank leaves it in the same round with the same order."""
    topology.open(rule, order)
    while order.action != Action.STOP:
        if order.action == Action.EXCHANGE:
            topology.maximum(partial.peaks)
            partial.rebound()
        partial.clear()
        mapped = mapping(order.point)
        for block in shard:
            mapped(block, partial.slot(len(block.y)))
        partial.close(*ballot())
        topology.step(partial, rule, order)
