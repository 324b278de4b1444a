"""The collectives by hand, run step by step on vectors in one process, and counted against the formulas of the literature."""

import math
from collections import deque

import pytest

from mpi_pgd.comm.schedules import (
    NOBODY,
    SCHEDULES,
    Schedule,
    linear_broadcast,
    linear_reduce,
    rabenseifner,
    recursive_doubling,
    ring,
)
from mpi_pgd.config import ALGORITHMS
from mpi_pgd.modes import client_server, peer_to_peer

RANKS = range(1, 20)
LENGTHS = (0, 1, 2, 5, 16, 33)
ALL = [ring, recursive_doubling, rabenseifner]


def run(schedule: Schedule, vectors: list[list[int]]) -> list[list[int]]:
    """Every rank's steps, each as soon as its message is there; fails if somebody waits for ever."""
    ranks, length = len(vectors), len(vectors[0])
    vectors = [list(vector) for vector in vectors]
    steps = [deque(schedule(rank, ranks, length)) for rank in range(ranks)]
    sent = [False] * ranks
    wire: dict[tuple[int, int], deque[list[int]]] = {}
    moved = True
    while moved:
        moved = False
        for rank in range(ranks):
            while steps[rank]:
                step = steps[rank][0]
                if step.to != NOBODY and not sent[rank]:
                    wire.setdefault((rank, step.to), deque()).append(vectors[rank][step.send.start : step.send.stop])
                    sent[rank] = moved = True
                if step.source != NOBODY:
                    if not wire.get((step.source, rank)):
                        break
                    message = wire[step.source, rank].popleft()
                    assert len(message) == len(step.receive)
                    for place, value in zip(step.receive, message, strict=True):
                        vectors[rank][place] = value + (vectors[rank][place] if step.add else 0)
                steps[rank].popleft()
                sent[rank], moved = False, True
    assert not any(steps), "a rank waits for a message that nobody sends"
    assert not any(wire.values()), "a message was not received"
    return vectors


def numbers(ranks: int, length: int) -> list[list[int]]:
    return [[place + 97 * rank for place in range(length)] for rank in range(ranks)]


def total(vectors: list[list[int]]) -> list[int]:
    return [sum(column) for column in zip(*vectors, strict=True)]


@pytest.mark.parametrize("schedule", ALL)
@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("ranks", RANKS)
def test_an_allreduce_gives_everyone_the_sum(schedule: Schedule, ranks: int, length: int) -> None:
    vectors = numbers(ranks, length)
    assert run(schedule, vectors) == [total(vectors)] * ranks


@pytest.mark.parametrize("ranks", RANKS)
def test_a_linear_server_gets_the_sum_and_sends_to_all(ranks: int) -> None:
    vectors = numbers(ranks, 7)
    assert run(linear_reduce, vectors)[0] == total(vectors)
    assert run(linear_broadcast, vectors) == [vectors[0]] * ranks


@pytest.mark.parametrize("ranks", [1, 2, 4, 8, 16])
def test_messages_and_bytes_are_those_of_the_literature(ranks: int) -> None:
    length, rounds = 1024, int(math.log2(ranks))
    expected = {
        ring: (2 * (ranks - 1), 2 * (ranks - 1) * length // ranks),
        recursive_doubling: (rounds, rounds * length),
        rabenseifner: (2 * rounds, 2 * (ranks - 1) * length // ranks),
    }
    for schedule, counts in expected.items():
        for rank in range(ranks):
            steps = list(schedule(rank, ranks, length))
            assert (len(steps), sum(len(step.send) for step in steps)) == counts
    assert len(list(linear_reduce(0, ranks, length))) == ranks - 1


def test_every_algorithm_of_the_settings_is_there() -> None:
    assert tuple(client_server.ALGORITHMS) == ALGORITHMS["client-server"]
    assert tuple(peer_to_peer.ALGORITHMS) == ALGORITHMS["peer-to-peer"]
    by_hand = {name for names in ALGORITHMS.values() for name in names} - {"library"}
    assert set(SCHEDULES) == by_hand
