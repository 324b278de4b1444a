"""study straggler: what it refuses, and what it says of rows that are made up."""

import math
from typing import Any

import pytest

from mpi_pgd.errors import InputError
from mpi_pgd.study.straggler import Straggler


def row(workers: int, measured: float, theory: float) -> dict[str, Any]:
    return {"workers": workers, "mean": 0.004, "rounds": 9, "measured_maximum": measured, "theory": theory}


@pytest.mark.parametrize("mean", [0.0, -1.0, math.inf, math.nan])
def test_a_mean_that_is_none(mean: float) -> None:
    with pytest.raises(InputError, match=f"--mean was given {mean}"):
        Straggler().given({"mean": mean})


def test_the_error_is_that_of_the_prediction_and_of_nothing_if_nothing_was_measured() -> None:
    (table,) = Straggler().tables({"rows": [row(2, 0.008, 0.006), row(1, 0.0, 0.004)]})
    assert [one["error"] for one in table.rows] == [-0.25, None]


def test_the_sentence_is_of_the_most_workers() -> None:
    found = Straggler().sentence({"rows": [row(3, 0.009, 0.00733), row(2, 0.02, 0.006)]})
    assert found.startswith("With 3 workers and a mean delay of 4.00 ms, the slowest is 9.00 ms late")


def test_one_worker_alone_has_no_picture() -> None:
    assert Straggler().pictures({"rows": [row(1, 0.004, 0.004)]}) == []
    assert len(Straggler().pictures({"rows": [row(1, 0.004, 0.004), row(2, 0.006, 0.006)]})) == 1
