"""The speedup curve: which ranks, whose rows, and the serial fraction that Amdahl's law hides."""

from typing import Any

import pytest

from mpi_pgd.errors import InputError
from mpi_pgd.study.scaling.measure import _judged, counts, karp_flatt, sharing


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


@pytest.mark.parametrize("serial", [0.0, 0.05, 0.5, 1.0])
@pytest.mark.parametrize("ranks", [2, 64])
def test_karp_and_flatt_find_the_serial_fraction_of_amdahl(serial: float, ranks: int) -> None:
    assert karp_flatt(1 / (serial + (1 - serial) / ranks), ranks) == pytest.approx(serial, abs=1e-14)
    assert karp_flatt(1.0, 1) is None


def judged(rows: list[tuple[str, int, int, float]], first: tuple[int, float]) -> list[dict[str, Any]]:
    made = [
        {"mode": mode, "algorithm": "library", "ranks": ranks, "rows": some, "seconds_per_round": seconds}
        for mode, ranks, some, seconds in rows
    ]
    return list(_judged(made, {"rows": first[0], "seconds_per_round": first[1]}))


def test_a_speedup_is_over_one_rank_of_the_same_mode_or_else_over_the_one_beside_it() -> None:
    found = judged([("a", 1, 100, 8.0), ("a", 4, 100, 2.5), ("b", 4, 100, 2.0)], (100, 10.0))
    assert [one["speedup"] for one in found] == [1.0, 3.2, 5.0]
    assert [one["efficiency"] for one in found] == [1.0, 0.8, 1.25]


def test_with_more_rows_on_more_ranks_a_speedup_is_by_the_row() -> None:
    found = judged([("a", 1, 100, 8.0), ("a", 4, 400, 10.0)], (400, 32.0))
    assert [one["speedup"] for one in found] == [1.0, 3.2]
