"""The ground that the other tests in this folder stand on: one world, of the size asked for, that can sum."""

import os

import numpy as np
import pytest
from mpi4py import MPI

pytestmark = pytest.mark.mpi


def test_world_is_one() -> None:
    # A launcher and a library that don't fit start N worlds of size 1, and everything passes.
    assert MPI.COMM_WORLD.size == int(os.environ.get("MPI_PGD_RANKS", MPI.COMM_WORLD.size))


def test_allreduce_sums_over_all_ranks() -> None:
    total = np.empty(3)
    MPI.COMM_WORLD.Allreduce(np.full(3, MPI.COMM_WORLD.rank, dtype=np.float64), total)
    assert total.tolist() == [sum(range(MPI.COMM_WORLD.size))] * 3
