"""The speedup curve: which ranks, and whose rows."""

import pytest

from mpi_pgd.errors import InputError
from mpi_pgd.study.scaling.measure import counts, sharing


@pytest.mark.parametrize(
    ("size", "given", "found"),
    [(1, (), [1]), (6, (), [1, 2, 4, 6]), (8, (), [1, 2, 4, 8]), (8, (5, 3, 5), [3, 5])],
)
def test_numbers_of_ranks(size: int, given: tuple[int, ...], found: list[int]) -> None:
    assert counts(size, given) == found


@pytest.mark.parametrize("wrong", [0, 9])
def test_ranks_that_there_are_not(wrong: int) -> None:
    with pytest.raises(InputError, match=f"scaling was asked for {wrong} ranks: expected 1 to 8"):
        counts(8, (2, wrong))


def test_who_shares_the_table_in_weak_scaling() -> None:
    assert (sharing(4, 0), sharing(4, 4), sharing(4, 64)) == (4, 4, 64)
    with pytest.raises(InputError, match="expected at least 4"):
        sharing(4, 3)
