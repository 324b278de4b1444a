"""Clocks of several nodes, on one: what they show more than rank 0's is measured, and they drift."""

from time import perf_counter, sleep
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mpi_pgd.observers import alignment, clock
from mpi_pgd.observers.alignment import Reading, offsets, on_one_clock
from mpi_pgd.observers.clock import Clock
from mpi_pgd.observers.costs import BUSY, END, STAMPS, START

NEAR = 0.1  # seconds: the ranks are more than the cores, so a ping may take long


@pytest.mark.ranks(1, 2, 7, others=(3,))
def test_all_are_asked_at_once_along_a_tree(comm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = 1000.0 * comm.rank
    monkeypatch.setattr(alignment, "perf_counter", lambda: perf_counter() + ahead)
    for firsts in ([*range(comm.size)], [0, *range(1, comm.size, 3)]):
        found = offsets(comm, firsts)
        if comm.rank == 0:
            assert found == pytest.approx({rank: 1000.0 * rank for rank in firsts}, abs=NEAR)


def test_between_two_readings_a_clock_is_on_the_line_through_both() -> None:
    rates, ahead = np.array([0.0, 5e-4, -2e-4]), np.array([0.0, 1e5, -3.0])
    true = 40.0 + np.cumsum(np.random.default_rng(1).exponential(size=(3, 200 * 5)), axis=1).reshape(3, 200, 5)
    shown = np.zeros((3, 200, STAMPS))
    shown[:, :, :BUSY] = true * (1.0 + rates)[:, None, None] + ahead[:, None, None]
    shown[1:, :, 2:4] = 0.0
    readings = [Reading(at, ahead + rates * at) for at in (39.0, float(true.max()) + 1.0)]
    found = on_one_clock(shown, *readings)
    np.testing.assert_allclose(found[:, :, START], true[:, :, 0], atol=1e-9)
    np.testing.assert_allclose(np.ptp(found[:, :, :2], axis=2), np.ptp(shown[:, :, :2], axis=2), atol=1e-9)
    assert not found[1:, :, 2:4].any()


@pytest.mark.ranks(3, others=())
@pytest.mark.parametrize("server", [False, True])
def test_a_clock_that_drifts_makes_nobody_slow(comm: Any, server: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rank 1's clock is 2 % too fast, which is far more than any is: in a second as much as another in a minute."""
    rate = 0.02 * (comm.rank == 1)

    def now() -> float:
        return perf_counter() * (1.0 + rate) + 1e5 * comm.rank

    for room in (alignment, clock):
        monkeypatch.setattr(room, "perf_counter", now)
    monkeypatch.setattr(clock, "EARLY", 4)
    mine = Clock(comm, [f"n{rank}" for rank in range(comm.size)], int(server), keep=100, aligned=True)
    query: Any = SimpleNamespace(bound=0)
    computes, worked = np.zeros(12), not (server and comm.rank == 0)
    starts = np.zeros(12)
    for turn in range(12):
        mine.began(query)
        starts[turn] = perf_counter()
        sleep(worked * (0.012 if comm.rank == 2 else 0.004))
        mine.mapped(query)
        computes[turn] = perf_counter() - starts[turn]
        comm.Allreduce(np.zeros(1), np.zeros(1))
        mine.asked(query)
        mine.between(SimpleNamespace(round=turn))
    mine.close()
    everyone, begun = comm.gather(computes), comm.gather(starts)
    if comm.rank == 0:
        longest = np.max(everyone, axis=0)
        for rank, found in zip(range(3), mine.costs.record()["ranks"], strict=True):
            assert found["compute"] == pytest.approx(everyone[rank].mean(), rel=0.1)
            assert found["compute"] + found["wait"] == pytest.approx(longest.mean(), rel=0.1)
        stamps = np.concatenate(mine.costs.recent, axis=1)
        np.testing.assert_allclose(stamps[:, :, START], begun, atol=NEAR)
        assert (stamps[:, 1:, START] >= stamps[:, :-1, END] - NEAR).all()
