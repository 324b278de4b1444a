"""Stragglers on purpose: the same on every run, and only where rows are."""

from itertools import islice

import numpy as np
import pytest

from mpi_pgd.errors import InputError
from mpi_pgd.observers.delay import Exponential, Straggler, check, drawn, exponential, parse


def test_what_is_asked_for() -> None:
    assert parse("2:3", "1@40") == [Straggler(2, 3.0), Straggler(1, 10.0, 40)]
    assert parse("exponential:2e-3", "") == [Exponential(0.002)]
    assert parse("", "") == []


@pytest.mark.parametrize(("delay", "fail_slow", "first"), [("4:2", "", 0), ("0:2", "", 1), ("", "7@0", 0)])
def test_a_rank_without_rows_cannot_be_late(delay: str, fail_slow: str, first: int) -> None:
    with pytest.raises(InputError, match=f"expected a rank that holds rows, in this mode {first} to 3"):
        check(parse(delay, fail_slow), 4, first)


def test_delays_are_the_same_on_every_run_and_each_worker_has_its_own() -> None:
    once, again, other = (list(islice(exponential(1.0, worker), 1000)) for worker in (5, 5, 6))
    assert once == again
    assert once != other


def test_delays_are_exponential() -> None:
    # Mean and deviation are both the mean asked for; 50,000 of them are within 5 standard errors, and never change.
    times = np.array(list(islice(exponential(0.25, 0), 50_000)))
    assert (times >= 0).all()
    assert times.mean() == pytest.approx(0.25, rel=0.02)
    assert times.std() == pytest.approx(0.25, rel=0.04)


def test_how_late_the_slowest_is_by_what_is_drawn() -> None:
    slow = Straggler(2, 3.0, since=5)
    assert [slow.longest(3, first, 20, 4.0) for first in (0, 1, 3)] == [6.0, 6.0, 0.0]  # twice 4 s more in three of four rounds
    assert slow.longest(2, 0, 20, 4.0) == 0.0
    assert (slow.among(2), slow.among(3), Exponential(1.0).among(1)) == (False, True, True)
    times = drawn(0.25, 3, 50)
    assert times.shape == (3, 50)
    assert times[2].tolist() == [*islice(exponential(0.25, 2), 50)]
    assert Exponential(0.25).longest(3, 1, 50, 4.0) == times.max(axis=0).mean()
