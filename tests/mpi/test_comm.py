"""The ground under the modes: collectives of either kind, and ranks that compute a block alike."""

import numpy as np
import pytest
from mpi4py import MPI

from mpi_pgd import InputError
from mpi_pgd.comm import collectives as ways
from mpi_pgd.comm import kernels, schedules
from mpi_pgd.comm.collectives import LIBRARY, collectives

LENGTHS = (1, 2, 5, 64, 1000)
ALL = [schedules.ring, schedules.recursive_doubling, schedules.rabenseifner]


def mine(comm: MPI.Intracomm, length: int) -> np.ndarray:
    """Whole numbers, whose sums are exact in any order."""
    return np.arange(length) * (comm.rank + 1.0) - 3.0 * comm.rank


def total(comm: MPI.Intracomm, length: int) -> list[float]:
    ranks = np.arange(comm.size)
    return (np.arange(length) * float((ranks + 1).sum()) - 3.0 * float(ranks.sum())).tolist()


@pytest.mark.ranks(1, 2, 3, 5, 7)
@pytest.mark.parametrize("schedule", [None, *ALL], ids=lambda schedule: getattr(schedule, "__name__", "library"))
def test_everyone_has_the_sums(comm: MPI.Intracomm, schedule: schedules.Schedule | None) -> None:
    (reduce,) = collectives(comm, ["allreduce"], [schedule] if schedule else [])
    for length in LENGTHS:
        vector = mine(comm, length)
        for _ in range(2):  # the second time, its steps are known
            vector[:] = mine(comm, length)
            reduce(vector)
            assert vector.tolist() == total(comm, length)


@pytest.mark.parametrize("own", [False, True])
def test_the_first_has_the_sums_and_gives_them_out(comm: MPI.Intracomm, own: bool) -> None:
    by_hand = [schedules.linear_reduce, schedules.linear_broadcast] if own else []
    reduce, broadcast = collectives(comm, ["reduce", "broadcast"], by_hand)
    for length in LENGTHS:
        vector = mine(comm, length)
        reduce(vector)
        assert comm.rank or vector.tolist() == total(comm, length)
        broadcast(vector)
        assert vector.tolist() == total(comm, length)


@pytest.mark.ranks(3, 5)
@pytest.mark.parametrize("schedule", [None, *ALL], ids=lambda schedule: getattr(schedule, "__name__", "library"))
def test_long_ones_go_in_pieces(comm: MPI.Intracomm, schedule: schedules.Schedule | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of messages of different lengths, of which one ends before the other, none is left."""
    monkeypatch.setattr(ways, "PIECE", 3)
    by_hand = [schedules.linear_reduce, schedules.linear_broadcast] if schedule else []
    among = collectives(comm, ["allreduce"], [schedule] if schedule else [])
    served = collectives(comm, ["reduce", "broadcast"], by_hand)
    for length in (1, 3, 4, 31, 64):
        for moves in (among, served):
            vector = mine(comm, length)
            for move in moves:
                move(vector)
            assert vector.tolist() == total(comm, length)


@pytest.mark.ranks(3, 5)
@pytest.mark.parametrize("schedule", [None, schedules.ring], ids=["library", "ring"])
def test_numbers_are_written_as_they_are_asked_for(
    comm: MPI.Intracomm, schedule: schedules.Schedule | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ways, "PIECE", 3)
    (move,) = collectives(comm, ["allreduce"], [schedule] if schedule else [])
    for length in (1, 3, 4, 31):
        vector, ends = np.full(length, np.nan), [0]

        def reach(end: int, vector: np.ndarray = vector, ends: list[int] = ends) -> None:
            vector[ends[-1] : end] = mine(comm, len(vector))[ends[-1] : end]
            ends.append(end)

        move(vector, reach)
        assert vector.tolist() == total(comm, length)
        assert ends == ([0, length] if schedule else [*range(0, length, 3), length])


def test_the_maximum(comm: MPI.Intracomm) -> None:
    vector = np.array([comm.rank, -comm.rank, 7.0])
    LIBRARY["maximum"](comm)(vector)
    assert vector.tolist() == [comm.size - 1, 0.0, 7.0]


@pytest.mark.ranks(1, 3)
def test_ranks_compute_a_block_alike(comm: MPI.Intracomm) -> None:
    found = kernels.check_kernels(comm, 64, 5)
    assert comm.allgather(found) == [kernels.digest(64, 5)] * comm.size
    assert len({kernels.digest(rows, features) for rows, features in ((64, 5), (64, 6), (128, 5))}) == 3


@pytest.mark.ranks(3)
@pytest.mark.parametrize("other", [1, 2])
def test_the_rank_with_other_bits_is_named(comm: MPI.Intracomm, other: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if comm.rank == other:
        monkeypatch.setattr(kernels, "digest", lambda *_: "other")
    with pytest.raises(InputError, match=f"rank {other} on node .* computes a block to other bits than rank 0"):
        kernels.check_kernels(comm, 64, 5)
