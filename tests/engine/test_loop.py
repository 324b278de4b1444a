"""The loop: everything that ranks wait for lies within rounds, where a clock sees it."""

from typing import Any

import numpy as np
import pytest

from mpi_pgd.engine.loop import Observer, rounds
from mpi_pgd.engine.query import Query


@pytest.mark.ranks(2, others=(3,))
def test_bounds_are_exchanged_within_rounds(comm: Any) -> None:
    from mpi_pgd.drivers.fit import FitDriver
    from mpi_pgd.drivers.history import History
    from mpi_pgd.drivers.objective import Objective, Scaling
    from mpi_pgd.engine.block import Block, Blocks
    from mpi_pgd.engine.sums import Sums
    from mpi_pgd.engine.tasks import Ask, GradientTask
    from mpi_pgd.losses.squared import Squared
    from mpi_pgd.modes.peer_to_peer import PeerToPeer
    from mpi_pgd.solvers.gd import GradientDescent

    events: list[str] = []

    class Watched(PeerToPeer):
        def __init__(self) -> None:
            super().__init__(comm)
            exchange = self.maximum

            def maximum(vector: Any, *_: Any) -> None:
                events.append("exchange")
                exchange(vector)

            self.maximum: Any = maximum

    class Log(Observer):
        def began(self, query: Query) -> None:
            events.append("began")

        def updated(self, query: Query) -> None:
            events.append("updated")

        def asked(self, query: Query) -> None:
            events.append("asked")

    rng, features = np.random.default_rng(comm.rank), 5
    x = rng.standard_normal((64, features))
    blocks = Blocks([Block(x, x @ np.arange(1.0, features + 1))])
    ones = np.ones(features + 1)
    goal = Objective(64 * comm.size, Scaling.of(0 * ones, ones, ones, True, True), Squared(), None, True)
    task = GradientTask(Squared(), features, 64)
    query = Query([task])
    driver = FitDriver(goal, {Ask.GRADIENT: task}, GradientDescent("auto"), 40, 0.0, lambda *_: None, History(0.0))
    rounds(Watched(), blocks, Sums(query, comm.size), driver, query, [Log()])

    before = [events[place - 1] for place, event in enumerate(events) if event == "exchange"]
    assert len(before) >= 2  # the first bound, and those of a gradient that falls
    assert set(before) == {"updated"}
    assert events[-1] == "asked"
