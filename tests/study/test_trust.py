"""What makes figures doubtful is said of them."""

from typing import Any

import pytest

from mpi_pgd.study.trust import disturbed, doubted, few, unsteady

CALM = {"nodes": "a", "ranks": 2, "cores": 4, "others": 0.1, "stolen": 0.0}


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        ({}, []),
        ({"others": 2.3}, []),  # two cores are free for them
        ({"others": 2.5}, ["other programs kept 2.5 of the 4 cores of node a busy meanwhile, with 2 ranks there"]),
        ({"ranks": 8, "others": 0.5}, ["other programs kept 0.5 of the 4 cores of node a busy meanwhile, with 8 ranks there"]),
        ({"stolen": 0.1}, ["the hypervisor gave 10% of the time of node a to other machines (steal)"]),
    ],
)
def test_a_machine_that_does_other_things(seen: dict[str, Any], told: list[str]) -> None:
    assert disturbed([CALM | seen]) == told


def test_passes_that_are_late() -> None:
    assert unsteady({"jitter_seconds": 0.132, "pass_seconds": 0.130}) == [
        "the machine is unsteady: a pass over rows that takes 130 ms is late by 132 ms in the mean"
    ]
    assert unsteady({"jitter_seconds": 0.01, "pass_seconds": 0.130}) == unsteady({}) == []


def test_turns_that_are_few() -> None:
    assert few(1)[0].startswith("1 turn of each")
    assert few(3) == []


def doubts(**changes: Any) -> tuple[str | None, str | None]:
    row = {"mode": "peer-to-peer", "algorithm": "ring", "ranks": 4, "seconds_per_round": 1.0, "low": 0.95, "high": 1.1}
    fits = [{"mode": "peer-to-peer", "algorithm": "ring", "rms_residual": changes.pop("residual", 0.1)}]
    cores = changes.pop("cores", 2)
    row |= {"predicted_seconds_per_round": 1.2} | changes
    (found,) = doubted([row], {"fits": fits}, ["a", "a", "b", "b", "b"], cores)
    return found["doubt"], found["predicted_doubt"]


def test_rows_and_what_was_predicted_of_them() -> None:
    assert doubts() == (None, None)
    assert doubts(high=1.2) == ("turns differ by 25%", None)
    assert doubts(cores=1) == ("ranks outnumber cores", "ranks outnumber cores")
    assert doubts(ranks=5) == ("ranks outnumber cores", "ranks outnumber cores")  # the fifth is the third on its node
    assert doubts(residual=0.35) == (None, "the fit is off by 35%")
    assert doubts(ranks=1, residual=0.35) == (None, None)  # it sends nothing
    assert doubts(predicted_seconds_per_round=0.2) == (None, "the prediction is off by -80%")
