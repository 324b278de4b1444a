"""The cut into blocks and shards."""

import itertools

import pytest

from mpi_pgd.data.partition import Partition


@pytest.mark.parametrize("rows", [1, 63, 64, 65, 1000, 53_940, 10**9])
@pytest.mark.parametrize("features", [1, 23, 200, 10**5])
@pytest.mark.parametrize("workers", [1, 2, 3, 7, 100])
def test_shards_cover_all_rows_once(rows: int, features: int, workers: int) -> None:
    partition = Partition(rows, features)
    shards = [partition.shard(worker, workers) for worker in range(workers)]
    assert shards[0].start == 0
    assert shards[-1].stop == partition.blocks
    assert all(left.stop == right.start for left, right in itertools.pairwise(shards))
    assert max(map(len, shards)) - min(map(len, shards)) <= 1
    assert sum(len(partition.span(shard)) for shard in shards) == rows
    assert partition.block_rows % 64 == 0


def test_a_server_holds_nothing() -> None:
    assert len(Partition(1000, 3).shard(-1, 2)) == 0
