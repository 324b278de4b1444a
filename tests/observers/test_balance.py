"""When blocks are moved between rounds, and what is done where they can't be."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mpi_pgd.data.partition import Owners, rebalanced
from mpi_pgd.observers.balance import Balance

LOOKS = np.cumsum([4, 6, 9, 13, 19, 28, 42, 63, 94, 128, 128])  # half as many rounds more each time, up to 128


class Others:
    """Rank 0 of three, a server, beside workers that took so long; ``looked`` are the medians that it came with."""

    rank, size = 0, 3

    def __init__(self, *seconds: float) -> None:
        self.seconds, self.looked, self.told = seconds, list[float](), list[float]()

    def Allgather(self, mine: np.ndarray, everyone: np.ndarray) -> None:
        self.looked.append(mine[1])
        everyone[:] = [mine, *enumerate(self.seconds)]


def balance(comm: Any, trouble: str = "") -> tuple[Balance, list[Owners]]:
    moves: list[Owners] = []

    def move(owners: Owners) -> str:
        moves.append(owners)
        return trouble

    return Balance(comm, -1, np.repeat([0, 1], 8), False, rebalanced, move, comm.told.append), moves


def rounds(observer: Balance, count: int, stop: bool = False, took: Any = lambda number: 1.0) -> list[int]:
    """The rounds after which the ranks looked."""
    query: Any = SimpleNamespace(stop=stop)
    others: Any = observer.comm
    looks: list[int] = []
    for number in range(1, count + 1):
        observer.now = iter([0.0, took(number)]).__next__
        before = len(others.looked)
        observer.began(query)
        observer.mapped(query)
        observer.between(query)
        looks += [number] * (len(others.looked) - before)
    return looks


def test_it_looks_ever_more_seldom() -> None:
    observer, moves = balance(Others(1.0, 1.0))
    assert rounds(observer, LOOKS[-1]) == LOOKS.tolist()
    assert (moves, observer.moves, observer.moved) == ([], 0, 0)


def test_nobody_looks_after_the_last_round() -> None:
    assert rounds(balance(Others(1.0, 9.0))[0], 4, stop=True) == []


def test_one_slow_round_is_none_of_a_slow_rank() -> None:
    others = Others(1.0, 1.0)
    observer, _ = balance(others)
    rounds(observer, 10, took=lambda number: 100.0 if number in (3, 9) else 1.0)
    assert others.looked == [1.0, 1.0]
    assert len(others.told) == 2


def test_blocks_go_from_the_slow_worker_to_the_fast_one() -> None:
    observer, moves = balance(Others(1.0, 3.0))
    rounds(observer, 4)
    assert len(moves) == observer.moves == 1
    assert np.bincount(moves[0]).tolist() == [11, 5]  # 0.7 of the way from 8, 8 to 12, 4
    assert observer.owners is moves[0]
    assert observer.moved == 3


def test_blocks_that_can_not_be_moved_stay_and_that_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    observer, moves = balance(Others(1.0, 3.0), "no room")
    rounds(observer, 10)
    assert observer.owners.tolist() == [0] * 8 + [1] * 8
    assert (len(moves), observer.skipped, observer.moves, observer.moved) == (2, 2, 0, 0)
    assert [record.message for record in caplog.records] == [
        "the blocks stay where they are, --balance can't move 3 of them: no room"
    ]
