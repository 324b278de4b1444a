"""study straggler: what it refuses, and what it says of rows that are made up."""

import math
from typing import Any

import pytest

from mpi_pgd.errors import InputError
from mpi_pgd.observers.delay import drawn
from mpi_pgd.study.straggler import Straggler, theory


def row(workers: int, measured: float, drawn: float | None) -> dict[str, Any]:
    found = {"workers": workers, "mean": 0.004, "rounds": 9, "measured_maximum": measured, "drawn": drawn}
    return found | theory(0.004, workers, 9)


@pytest.mark.parametrize("mean", [0.0, -1.0, math.inf, math.nan])
def test_a_mean_that_is_none(mean: float) -> None:
    with pytest.raises(InputError, match=f"--mean was given {mean}"):
        Straggler().given({"mean": mean})


def test_the_error_is_that_of_what_was_drawn_and_of_nothing_if_nothing_was_measured() -> None:
    (table,) = Straggler().tables({"rows": [row(2, 0.008, 0.006), row(1, 0.0, 0.004), row(1, 0.004, None)]})
    assert [one["error"] for one in table.rows] == [-0.25, None, None]


def test_theory_holds_the_means_of_as_many_rounds_as_it_says() -> None:
    found = theory(2.0, 4, 62)
    assert found["theory"] == pytest.approx(2.0 * 25 / 12)
    means = drawn(2.0, 4, 62 * 400).max(axis=0).reshape(400, 62).mean(axis=1)
    assert ((found["theory_low"] < means) & (means < found["theory_high"])).mean() == pytest.approx(0.95, abs=0.02)


def test_the_sentence_is_of_the_most_workers() -> None:
    found = Straggler().sentence({"rows": [row(3, 0.009, 0.0085), row(2, 0.02, 0.006)]})
    assert found.startswith("With 3 workers and a mean delay of 4.00 ms, the slowest is 9.00 ms late (8.50 ms were drawn), mean of")
    assert found.endswith("; theory predicts 7.33 ms, and between 4.28 ms and 10.4 ms for 95 % of such means.")


def test_one_worker_alone_has_no_picture() -> None:
    assert Straggler().pictures({"rows": [row(1, 0.004, 0.004)]}) == []
    assert len(Straggler().pictures({"rows": [row(1, 0.004, 0.004), row(2, 0.006, 0.006)]})) == 1
