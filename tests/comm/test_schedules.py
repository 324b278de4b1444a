"""The collectives by hand, run step by step on vectors in one process, and counted against the formulas of the literature."""

import math
from collections import deque

import pytest

from mpi_pgd.comm.schedules import (
    NOBODY,
    Schedule,
    linear_broadcast,
    linear_reduce,
    rabenseifner,
    recursive_doubling,
    ring,
    tree_broadcast,
    tree_reduce,
)
from mpi_pgd.modes import MODES

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


@pytest.mark.parametrize(("reduce", "broadcast"), [(linear_reduce, linear_broadcast), (tree_reduce, tree_broadcast)])
@pytest.mark.parametrize("ranks", RANKS)
def test_a_server_gets_the_sum_and_sends_to_all(ranks: int, reduce: Schedule, broadcast: Schedule) -> None:
    vectors = numbers(ranks, 7)
    assert run(reduce, vectors)[0] == total(vectors)
    assert run(broadcast, vectors) == [vectors[0]] * ranks


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


@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 7, 13])
def test_an_algorithm_that_an_mode_offers_does_what_its_collectives_are(ranks: int) -> None:
    """Of any mode: a reduce leaves the sum on rank 0, a broadcast gives everyone rank 0's, an allreduce everyone the sum."""
    for mode in MODES.values():
        for algorithm in mode.algorithms:
            assert len(algorithm.schedules) == len(mode.collectives)
            for schedule, collective in zip(algorithm.schedules, mode.collectives, strict=True):
                if not algorithm.library:
                    vectors = numbers(ranks, 7)
                    found = run(schedule, vectors)
                    if collective == "reduce":
                        assert found[0] == total(vectors)
                    else:
                        expected = vectors[0] if collective == "broadcast" else total(vectors)
                        assert found == [expected] * ranks


@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 7, 13])
def test_the_bytes_that_are_counted_are_those_that_the_schedules_send(ranks: int) -> None:
    for mode in MODES.values():
        sizes = mode.messages(8 * 16 * ranks, 48, 0)  # pieces of the same length
        for algorithm in mode.algorithms:
            plans = list(zip(algorithm.schedules, sizes, strict=True))
            each = [
                sum(8 * len(step.send) for schedule, size in plans for step in schedule(rank, ranks, size // 8))
                for rank in range(ranks)
            ]
            assert [algorithm.sent(rank, ranks, sizes) for rank in range(ranks)] == each
            assert algorithm.sent_by_all(ranks, sizes) == sum(each)
            first = mode.first_worker(ranks)
            assert mode.sent_by_worker(algorithm.name, ranks, sizes) == max(each[first:])
            assert mode.sent_by_server(algorithm.name, ranks, sizes) == (each[0] if first else 0)


def test_what_is_counted_of_the_librarys() -> None:
    """Each rank's own vector, and a server's once for each worker; one rank alone sends nothing."""
    for mode in (each for each in MODES.values() if not each.neighbours):
        library = mode.algorithms[0]
        served = len(mode.collectives) == 2
        assert library.library
        assert library.sent_by_all(5, mode.messages(80, 48, 0)) == (4 if served else 5) * sum(mode.messages(80, 48, 0))
        assert library.sent_by_all(1, mode.messages(80, 48, 0)) == 0
