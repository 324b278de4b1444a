"""What is predicted beside what compare measured: the link as it is, and who is late on purpose."""

from types import SimpleNamespace
from typing import Any

import pytest

from mpi_pgd.config import Settings
from mpi_pgd.observers.delay import Exponential
from mpi_pgd.study.compare.measure import predicted
from mpi_pgd.study.model import Model
from tests.study.synthetic import record

RATE = 1e-5  # seconds a row


def guesses(delay: str) -> dict[str, float]:
    """Seconds beyond those of a round without any delay, of 4 ranks, by mode."""
    settings = Settings(delay=delay, rounds=61)
    problem: Any = SimpleNamespace(settings=settings, table=SimpleNamespace(features=10), rows=12_000)
    rows = [
        {"mode": mode, "algorithm": "library", "ranks": 4, "workers": workers}
        for mode, workers in (("client-server", 3), ("peer-to-peer", 4))
    ]
    found = predicted(rows, problem, Model.from_record(record()), RATE)
    return {one["mode"]: one["predicted_seconds_per_round"] for one in found}


def late(delay: str) -> dict[str, float]:
    plain, found = guesses(""), guesses(delay)
    return {mode: found[mode] - plain[mode] for mode in plain}


def test_a_slow_rank_is_waited_for_with_the_rows_that_it_holds() -> None:
    assert late("3:3") == pytest.approx({"client-server": 2 * RATE * 4000, "peer-to-peer": 2 * RATE * 3000}, rel=0.1)


def test_delays_are_predicted_as_they_will_be_drawn() -> None:
    drawn = {mode: Exponential(0.05).longest(m, 0, 62, 0.0) for mode, m in (("client-server", 3), ("peer-to-peer", 4))}
    assert late("exponential:0.05") == pytest.approx(drawn)
