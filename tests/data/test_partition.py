"""The cut into blocks and shards."""

import itertools

import numpy as np
import pytest

from mpi_pgd.data.partition import NOBODY, PAYS, Owners, Partition, rebalanced, runs


@pytest.mark.parametrize("rows", [1, 63, 64, 65, 1000, 53_940, 10**9])
@pytest.mark.parametrize("features", [1, 23, 200, 10**5])
@pytest.mark.parametrize("workers", [1, 2, 3, 7, 100])
def test_shards_cover_all_rows_once(rows: int, features: int, workers: int) -> None:
    partition = Partition(rows, features)
    shards = [partition.shard(worker, workers) for worker in range(workers)]
    assert shards[0].start == 0
    assert shards[-1].stop == partition.blocks
    assert all(left.stop == right.start for left, right in itertools.pairwise(shards))
    panels = [-(-len(shard) // partition.panel) for shard in shards]
    assert max(panels) - min(panels) <= 1
    assert all(shard.start % partition.panel == 0 for shard in shards if len(shard))
    assert 0 <= partition.most(workers) - max(map(len, shards)) < partition.panel
    assert sum(len(partition.span(shard)) for shard in shards) == rows
    assert partition.block_rows % 64 == 0


def test_blocks_for_maps_have_no_more_rows_than_there_are() -> None:
    assert Partition(4, 25_000_000).map_bytes == 2 * 4 * 25_000_000 * 8
    assert Partition(1_000_000, 200).map_bytes == 2 * Partition(1_000_000, 200).block_rows * 200 * 8


def test_a_server_holds_nothing() -> None:
    assert len(Partition(1000, 3).shard(-1, 2)) == 0


# Blocks that nobody holds


def owners_of(*numbers: int) -> Owners:
    return np.array(numbers, dtype=np.int32)


def held(owners: Owners, workers: int) -> list[int]:
    return np.bincount(owners, minlength=workers).tolist()


@pytest.mark.parametrize("workers", [1, 2, 3, 7, 100])
def test_if_none_is_held_they_are_shared_as_at_the_start(workers: int) -> None:
    partition = Partition(2048, 3)
    owners = np.full(partition.blocks, NOBODY, dtype=np.int32)
    partition.share_out(owners, workers)
    for worker in range(workers):
        assert np.flatnonzero(owners == worker).tolist() == list(partition.shard(worker, workers))


@pytest.mark.parametrize("seed", range(50))
def test_what_is_held_stays_and_the_rest_goes_to_those_that_hold_the_fewest(seed: int) -> None:
    draw = np.random.default_rng(seed)
    partition = Partition(int(draw.integers(64, 4000)), 3)
    workers = int(draw.integers(1, 2 * partition.blocks))
    before = draw.integers(NOBODY, workers, partition.blocks).astype(np.int32)
    before[draw.integers(partition.blocks)] = 0
    after = before.copy()
    partition.share_out(after, workers)
    assert (after[before != NOBODY] == before[before != NOBODY]).all()
    assert after.min() >= 0
    assert after.max() < workers
    had, has = (np.bincount(owners[owners != NOBODY], minlength=workers) for owners in (before, after))
    given = has > had
    # Who was given any has no more than one above anybody else.
    assert not given.any() or has[given].max() <= has.min() + 1


def test_a_lost_ranks_blocks_are_levelled() -> None:
    partition = Partition(64 * 32, 3)
    owners = np.repeat(owners_of(0, NOBODY, 1), [12, 10, 10])
    partition.share_out(owners, 3)
    assert held(owners, 3) == [12, 10, 10]  # the worker that is new takes all
    owners = np.repeat(owners_of(0, NOBODY, 1), [20, 9, 3])
    partition.share_out(owners, 2)
    assert held(owners, 2) == [20, 12]


@pytest.mark.parametrize(
    ("numbers", "found"),
    [([], []), ([4], [range(4, 5)]), ([0, 1, 2, 5, 7, 8], [range(3), range(5, 6), range(7, 9)])],
)
def test_runs(numbers: list[int], found: list[range]) -> None:
    assert list(runs(np.array(numbers, dtype=np.int64))) == found


# Blocks that move


def settled(owners: Owners, each: np.ndarray, looks: int = 20) -> tuple[Owners, int]:
    """After some looks at workers that take so long for a block; and how many looks moved something."""
    moves = 0
    for _ in range(looks):
        after = rebalanced(owners, each * np.bincount(owners, minlength=len(each)))
        moves += not np.array_equal(after, owners)
        owners = after
    return owners, moves


@pytest.mark.parametrize("seed", range(100))
def test_blocks_move_until_the_slowest_is_near_the_ideal(seed: int) -> None:
    draw = np.random.default_rng(seed)
    workers = int(draw.integers(1, 33))
    blocks = int(draw.integers(workers, 40 * workers))
    each = 1e-3 * draw.choice([1.0, 1.0, 1.5, 3.0, 10.0, 1000.0], workers)
    owners, _ = settled(np.sort(draw.integers(0, workers, blocks)).astype(np.int32), each)
    counts = np.bincount(owners, minlength=workers)
    assert counts.sum() == blocks
    assert counts.min() >= 1  # or its speed would never be measured again
    moves = settled(owners, each, 5)[1]
    assert moves == 0, "it goes on moving"
    ideal = blocks / (1 / each).sum()
    lone = each[counts == 1].max(initial=0.0)  # its one block is not to be taken
    assert (each * counts).max() <= max(PAYS * ideal + 2 * each[counts > 1].max(initial=0.0), lone)


def test_the_one_slow_worker_keeps_a_third() -> None:
    owners, moves = settled(np.repeat(owners_of(0, 1, 2, 3), 100), np.array([1.0, 3.0, 1.0, 1.0]))
    assert np.abs(np.array(held(owners, 4)) - [120, 40, 120, 120]).max() <= 6
    assert moves <= 4


def test_one_look_does_not_go_all_the_way() -> None:
    owners = rebalanced(np.repeat(owners_of(0, 1), 100), np.array([100.0, 300.0]))
    assert 50 < held(owners, 2)[1] < 100


@pytest.mark.parametrize("seconds", [[1.0, 1.04], [0.0, 1.0], [0.0, 0.0]], ids=["too little", "too coarse a clock", "no clock"])
def test_nothing_moves_if_it_would_not_pay(seconds: list[float]) -> None:
    owners = np.repeat(owners_of(0, 1), 50)
    after = rebalanced(owners, np.array(seconds))
    assert after.tolist() == owners.tolist()
    assert after is not owners


def test_only_what_moves_changes_hands() -> None:
    owners = np.repeat(owners_of(0, 1, 2), 30)
    after = rebalanced(owners, np.array([30.0, 90.0, 30.0]))
    assert set(owners[after != owners].tolist()) == {1}


def test_many_fast_workers_take_no_slow_ones_last_block() -> None:
    owners = np.arange(12, dtype=np.int32)
    after = rebalanced(owners, np.array([1e-6] * 4 + [1.0] * 8))
    assert held(after, 12) == [1] * 12


def test_a_worker_without_blocks_is_taken_for_an_average_one() -> None:
    after = rebalanced(np.repeat(owners_of(0, 1), 30), np.array([30.0, 30.0, 0.0]))
    assert held(after, 3)[2] in range(10, 21)
