"""The ground that the other tests in this folder stand on: one world, of the size asked for, that can sum."""

import time

import numpy as np
import pytest
from mpi4py import MPI

from mpi_pgd import InputError
from mpi_pgd.comm.world import agreement, anyone, once
from mpi_pgd.errors import Stopped
from tests.inside import WORLD


@pytest.mark.ranks(WORLD)
def test_world_is_one(comm: MPI.Intracomm) -> None:
    # A launcher and a library that don't fit start N worlds of size 1, and everything passes.
    assert comm.size == MPI.COMM_WORLD.size == WORLD


@pytest.mark.ranks(2, WORLD)
def test_allreduce_sums_over_all_ranks(comm: MPI.Intracomm) -> None:
    total = np.empty(3)
    comm.Allreduce(np.full(3, comm.rank, dtype=np.float64), total)
    assert total.tolist() == [sum(range(comm.size))] * 3


@pytest.mark.ranks(3)
@pytest.mark.parametrize("wrong", [{1, 2}, {0, 2}, {2}])
def test_all_raise_what_the_lowest_rank_does(comm: MPI.Intracomm, wrong: set[int]) -> None:
    def agreed(spoilt: set[int]) -> None:
        with agreement(comm):
            if comm.rank in spoilt:
                raise InputError(f"rank {comm.rank}")

    with pytest.raises(InputError, match=f"^rank {min(wrong)}$"):
        agreed(wrong)
    agreed(set())
    assert anyone(comm, comm.rank in wrong)
    assert not anyone(comm, False)


@pytest.mark.ranks(3)
def test_who_waits_for_what_one_rank_makes_sleeps(comm: MPI.Intracomm, monkeypatch: pytest.MonkeyPatch) -> None:
    """And hears the code of what it refuses."""
    pauses, sleep = list[float](), time.sleep
    monkeypatch.setattr("mpi_pgd.comm.world.sleep", lambda seconds: (pauses.append(seconds), sleep(seconds)))
    assert once(comm, None, lambda: (sleep(0.02), "made")) == (None, "made")
    assert pauses or comm.rank == 0

    def stopped() -> None:
        raise Stopped

    with pytest.raises(InputError, match="stopped by a signal") as raised:
        once(comm, None, stopped)
    assert raised.value.code == 75
