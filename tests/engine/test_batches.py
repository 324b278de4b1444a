"""Batches of rows: each epoch is a permutation of the units that every rank can tell, and that looks like chance."""

from collections import Counter

import numpy as np
import pytest

from mpi_pgd.engine.batches import span, units


@pytest.mark.parametrize("total", [1, 2, 3, 4, 5, 16, 17, 255, 256, 257, 1000, 65537])
@pytest.mark.parametrize("seed", [0, 1, 2**64 - 1])
def test_an_epoch_has_each_unit_once(seed: int, total: int) -> None:
    for epoch in (0, 1, 7):
        assert np.sort(units(seed, epoch, 0, total, total)).tolist() == list(range(total))


@pytest.mark.parametrize(("start", "stop"), [(0, 0), (0, 1), (3, 700), (900, 1000)])
def test_a_part_of_an_epoch_is_that_of_the_whole(start: int, stop: int) -> None:
    whole = units(5, 2, 0, 1000, 1000)
    assert units(5, 2, start, stop, 1000).tolist() == whole[start:stop].tolist()


def test_seeds_and_epochs_differ() -> None:
    seen = {units(seed, epoch, 0, 50, 50).tobytes() for seed in range(5) for epoch in range(20)}
    assert len(seen) == 100


def test_the_numbers_are_these_for_ever() -> None:
    """A fit's bits hang on them."""
    assert units(0, 0, 0, 8, 1000).tolist() == [344, 153, 443, 807, 519, 265, 545, 419]
    assert units(2026, 3, 0, 8, 10**9).tolist() == [
        780909258,
        911034276,
        13419939,
        902637718,
        436990471,
        444784603,
        517499599,
        718413059,
    ]


@pytest.mark.parametrize("total", [3, 4, 5])
def test_all_permutations_are_about_as_frequent(total: int) -> None:
    seen = Counter(units(1, epoch, 0, total, total).tobytes() for epoch in range(3000))
    count = int(np.prod(np.arange(1, total + 1)))
    assert len(seen) == count
    assert max(seen.values()) < 3 * 3000 / count


def test_neighbours_are_far_apart() -> None:
    found = units(3, 1, 0, 5000, 100_000).astype(float)
    assert abs(found.mean() / 100_000 - 0.5) < 0.02
    assert abs(np.corrcoef(found[1:], found[:-1])[0, 1]) < 0.06


@pytest.mark.parametrize(("batches", "total"), [(1, 5), (3, 10), (7, 7), (4, 103)])
def test_spans_are_an_epoch_in_even_parts(batches: int, total: int) -> None:
    spans = [span(batch, batches, total) for batch in range(batches)]
    assert [position for start, stop in spans for position in range(start, stop)] == list(range(total))
    sizes = {stop - start for start, stop in spans}
    assert max(sizes) - min(sizes) <= 1
