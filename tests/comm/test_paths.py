"""Paths: what is counted over a schedule is what the messages of all ranks take, one by one, on links that carry one at a time."""

from collections import defaultdict, deque
from collections.abc import Iterator

import pytest

from mpi_pgd.comm.graphs import graph
from mpi_pgd.comm.paths import Costs, again, exchange, once, simulated
from mpi_pgd.comm.schedules import (
    EMPTY,
    NOBODY,
    Schedule,
    Step,
    linear_broadcast,
    linear_reduce,
    rabenseifner,
    recursive_doubling,
    ring,
    tree_broadcast,
    tree_reduce,
)
from mpi_pgd.study.pieces import SHAPES

FROM_ONE = [linear_reduce, linear_broadcast, tree_reduce, tree_broadcast]
AMONG_ALL = [ring, recursive_doubling, rabenseifner]
LENGTH = 16 * 9 * 5 * 7 * 11 * 13 * 17  # numbers: pieces of any size up to 17 ranks


def ends(schedule: Schedule, ranks: int, rounds: int, alpha: int, overhead: int, beta: int) -> list[int]:
    """When the last rank is done with each round: a message leaves when its sender is there and its link free."""
    steps = [deque(list(schedule(rank, ranks, LENGTH)) * rounds) for rank in range(ranks)]
    now, out, into, done = [0] * ranks, [0] * ranks, [0] * ranks, [[0] * rounds for _ in range(ranks)]
    sent: dict[tuple[int, int], deque[tuple[int, int]]] = defaultdict(deque)
    begun, way = [False] * ranks, [(0, 0)] * ranks
    each = [len(mine) // rounds for mine in steps]
    while any(steps):
        for rank in range(ranks):
            if not steps[rank]:
                continue
            step = steps[rank][0]
            if not begun[rank]:
                mine = (step.to >= 0) - (step.source >= 0)
                now[rank] += overhead if way[rank] == (mine, len(steps[rank]) % each[rank] != 0) and mine else 0
                begun[rank], way[rank] = True, (mine, True)
                if step.to != NOBODY:
                    start = max(now[rank], out[rank])
                    out[rank] = start + beta * len(step.send)
                    sent[rank, step.to].append((start + alpha, beta * len(step.send)))
            if step.source != NOBODY:
                if not sent[step.source, rank]:
                    continue
                first, took = sent[step.source, rank].popleft()
                into[rank] = now[rank] = max(now[rank], first, into[rank]) + took
            steps[rank].popleft()
            begun[rank] = False
            if len(steps[rank]) % each[rank] == 0:
                done[rank][rounds - 1 - len(steps[rank]) // each[rank]] = now[rank]
    return [max(column) for column in zip(*done, strict=True)]


@pytest.mark.parametrize("schedule", FROM_ONE + AMONG_ALL)
def test_a_path_is_what_the_messages_take(schedule: Schedule) -> None:
    """Of one round where it begins anew, else of what one adds to those before: both if latencies are dear, and if bytes are."""
    for ranks in range(1, 18):
        many = 24 if schedule in AMONG_ALL and ranks > 1 else 1
        counted = (again if schedule in AMONG_ALL else once)(schedule, ranks, LENGTH)

        def took(*costs: int, ranks: int = ranks, many: int = many) -> float:
            found = ends(schedule, ranks, many, *costs)
            return found[0] if many == 1 else (found[-1] - found[-1 - many // 2]) / (many // 2)

        assert took(10**9, 10**3, 0) == 10**9 * counted.latencies + 10**3 * counted.behind
        assert took(1, 0, 10**6) // 10**6 == pytest.approx(counted.bytes, rel=1e-6)


@pytest.mark.parametrize(("ranks", "log"), [(2, 1), (4, 2), (64, 6), (4096, 12)])
def test_the_formulas_that_are_shown_are_what_is_counted(ranks: int, log: int) -> None:
    size = 8 * 4096
    each = size * (ranks - 1) // ranks
    assert again(ring, ranks, size) == (2 * (ranks - 1), 0, 2 * each)
    assert again(recursive_doubling, ranks, size) == (log, 0, log * size)
    assert again(rabenseifner, ranks, size) == (2 * log, 0, 2 * each)
    assert once(linear_reduce, ranks, size) == (1, ranks - 2, (ranks - 1) * size)
    assert once(tree_reduce, ranks, size) == once(tree_broadcast, ranks, size) == (log, 0, log * size)


@pytest.mark.parametrize(("ranks", "below", "more"), [(3, 2, 1), (5, 4, 1), (6, 4, 1), (7, 4, 2), (96, 64, 1), (97, 64, 2)])
def test_ranks_above_a_power_of_two_cost_what_the_formula_says(ranks: int, below: int, more: int) -> None:
    size = 8 * 1024
    doubling, halving = again(recursive_doubling, below, size), again(rabenseifner, below, size)
    assert again(recursive_doubling, ranks, size) == (doubling.latencies + more, 0, doubling.bytes + 2 * size)
    assert again(rabenseifner, ranks, size) == pytest.approx((halving.latencies + 2, 0, halving.bytes + 2 * size))
    assert once(tree_reduce, ranks, size)[::2] == (below.bit_length() - 1, below.bit_length() * size)


@pytest.mark.parametrize(("name", "ranks"), [("ring", 2), ("ring", 9), ("exponential", 16), ("complete", 5)])
def test_an_exchange_is_what_the_messages_take(name: str, ranks: int) -> None:
    """All messages out are begun before one is taken in; each round goes on from the one before."""
    given, rounds = graph(name, ranks), 3

    def schedule(rank: int, ranks: int, length: int) -> Iterator[Step]:
        there = sorted((other - rank) % ranks for other in given.neighbours[rank])
        yield from (Step((rank + way) % ranks, range(length), NOBODY, EMPTY, False) for way in there)
        yield from (Step(NOBODY, EMPTY, (rank - way) % ranks, range(length), False) for way in there)

    counted = exchange(given, LENGTH)
    for costs, each in ((Costs(1, 0, 0), counted.latencies), (Costs(0, 0, 1), counted.bytes)):
        assert {ends[-1] for ends in simulated(schedule, ranks, LENGTH, rounds, costs)} == {rounds * each}


def test_one_rank_sends_nothing() -> None:
    for (mode, _), shapes in SHAPES.items():
        for shape in shapes:
            assert mode is None or shape(1, 800, 800) == (0, 0, 0)
    assert exchange(graph("ring", 1), 800) == (0, 0, 0)
