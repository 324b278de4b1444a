"""Paths: what is counted over a schedule is what the messages of all ranks take, one by one, on links that carry one at a time."""

from collections import defaultdict, deque

import pytest

from mpi_pgd.comm.paths import Path, walked
from mpi_pgd.comm.schedules import NOBODY, Schedule, linear_broadcast, linear_reduce, rabenseifner, recursive_doubling, ring
from mpi_pgd.study.curves import SHAPES

ALPHA, BETA = 1000, 1  # whole numbers: the two ways of counting have to agree exactly


def simulated(schedule: Schedule, ranks: int, length: int) -> float:
    """The end of the last rank: a message leaves when its sender is there and its link free, and comes in likewise."""
    steps = [deque(schedule(rank, ranks, length)) for rank in range(ranks)]
    now, out, into = [0] * ranks, [0] * ranks, [0] * ranks
    sent: dict[tuple[int, int], deque[tuple[int, int]]] = defaultdict(deque)
    begun = [False] * ranks
    while any(steps):
        for rank in range(ranks):
            if not steps[rank]:
                continue
            step = steps[rank][0]
            if step.to != NOBODY and not begun[rank]:
                start = max(now[rank], out[rank])
                out[rank] = start + 8 * BETA * len(step.send)
                sent[rank, step.to].append((start + ALPHA, 8 * BETA * len(step.send)))
                begun[rank] = True
            if step.source != NOBODY:
                if not sent[step.source, rank]:
                    continue
                first, took = sent[step.source, rank].popleft()
                into[rank] = now[rank] = max(now[rank], max(first, into[rank]) + took)
            steps[rank].popleft()
            begun[rank] = False
    return max(now)


def taken(path: Path) -> float:
    return ALPHA * path.latencies + BETA * path.bytes


@pytest.mark.parametrize("ranks", [2, 3, 4, 5, 8, 13])
@pytest.mark.parametrize("schedule", [linear_reduce, linear_broadcast, ring])
def test_a_path_is_what_the_messages_take(schedule: Schedule, ranks: int) -> None:
    size = 8 * ranks * 100
    assert taken(walked(schedule, ranks, size)) == simulated(schedule, ranks, size // 8)


@pytest.mark.parametrize("ranks", [2, 4, 8, 16])
@pytest.mark.parametrize("schedule", [recursive_doubling, rabenseifner])
def test_a_path_is_what_the_messages_take_between_pairs(schedule: Schedule, ranks: int) -> None:
    size = 8 * ranks * 100
    assert taken(walked(schedule, ranks, size)) == simulated(schedule, ranks, size // 8)


@pytest.mark.parametrize(("ranks", "log"), [(2, 1), (4, 2), (64, 6), (4096, 12)])
def test_the_formulas_that_are_shown_are_what_is_counted(ranks: int, log: int) -> None:
    size = 8 * 4096
    each = size * (ranks - 1) // ranks
    assert walked(ring, ranks, size) == (2 * (ranks - 1), 0, 2 * each)
    assert walked(recursive_doubling, ranks, size) == (log, 0, log * size)
    assert walked(rabenseifner, ranks, size) == (2 * log, 0, 2 * each)
    assert walked(linear_reduce, ranks, size) == (1, ranks - 2, (ranks - 1) * size)


@pytest.mark.parametrize(("ranks", "below"), [(3, 2), (5, 4), (6, 4), (7, 4), (100, 64)])
def test_ranks_above_a_power_of_two_cost_what_the_formula_says(ranks: int, below: int) -> None:
    size = 8 * 1024
    doubling, halving = walked(recursive_doubling, below, size), walked(rabenseifner, below, size)
    assert walked(recursive_doubling, ranks, size) == (doubling.latencies + 2, 0, doubling.bytes + 2.5 * size)
    assert walked(rabenseifner, ranks, size) == (halving.latencies + 2, 0, halving.bytes + 2.25 * size)


def test_one_rank_sends_nothing() -> None:
    for (mode, _), shapes in SHAPES.items():
        for shape in shapes:
            assert mode is None or shape(1, 800, 800) == (0, 0, 0)
