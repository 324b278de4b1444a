"""Which mode wins, of rows that are made up: never by less than the turns differ, and for a reason only if it is one."""

from typing import Any

import pytest

from mpi_pgd.study.compare.verdict import judge

SERVER, PEERS = "client-server", "peer-to-peer"


def row(mode: str, compute: float, wire: float, update: float = 0.0, spread: float = 0.05, **more: Any) -> dict[str, Any]:
    seconds = compute + wire + update
    parts = {"compute": compute, "wait": 0.0, "wire": wire, "update": update, "input": 0.0}
    ends = {"seconds_per_round": seconds, "low": seconds * (1 - spread), "high": seconds * (1 + spread)}
    return {"mode": mode, "algorithm": "library", "ranks": 4, "workers": 4 - (mode == SERVER), **parts, **ends, **more}


def alone(seconds: float, threads: int = 1) -> dict[str, Any]:
    return {"seconds_per_round": seconds, "low": seconds * 0.95, "high": seconds * 1.05, "threads": threads}


def said(*rows: dict[str, Any], beside: tuple[dict[str, Any], ...] = (), doubts: tuple[str, ...] = ()) -> tuple[str, Any]:
    found = judge(rows, beside, doubts)
    return found["verdict"], found["winner"]


def test_a_cause_explains_most_of_the_difference() -> None:
    words, winner = said(row(SERVER, 1e-3, 3e-3), row(PEERS, 1e-3, 1e-3))
    assert words.endswith(
        "wins: it is 2.00 times as fast as client-server (library, 4.00 ms a round); most of the difference is wire, "
        "1.00 ms in place of 3.00 ms"
    )
    assert winner == {"mode": PEERS, "algorithm": "library", "reliable": True}


def test_workers_that_share_the_rows_are_named() -> None:
    words, _ = said(row(SERVER, 4e-3, 1e-3), row(PEERS, 3e-3, 1e-3))
    assert "most of the difference is the map of the slowest rank, 3.00 ms in place of 4.00 ms, as 4 ranks share the rows" in words


def test_no_cause_is_named_that_explains_half_or_less() -> None:
    words, winner = said(row(SERVER, 2e-3, 2e-3, 1e-3), row(PEERS, 1.6e-3, 1.6e-3, 0.6e-3))
    assert words.endswith("; no part of the round alone makes up most of the difference")
    assert winner


def test_no_mode_wins_where_the_quartiles_overlap() -> None:
    words, winner = said(row(SERVER, 1e-3, 1.2e-3, spread=0.1), row(PEERS, 1e-3, 1e-3))
    assert words.startswith(
        "no mode wins: peer-to-peer (library, 2.00 ms a round) and client-server (library, 2.20 ms a round) differ by"
    )
    assert winner is None


@pytest.mark.parametrize("doubtful", [{"doubts": ("other programs",)}, {"more": {"doubt": "turns differ by 40%"}}])
def test_what_rests_on_a_disturbed_machine_is_unreliable(doubtful: dict[str, Any]) -> None:
    rows = row(SERVER, 1e-3, 3e-3, **doubtful.get("more", {})), row(PEERS, 1e-3, 1e-3)
    words, winner = said(*rows, doubts=doubtful.get("doubts", ()))
    assert words.startswith("unreliable: peer-to-peer (library, 2.00 ms a round) wins")
    assert winner["reliable"] is False


@pytest.mark.parametrize(
    ("beside", "told"),
    [
        ((alone(3e-3), alone(2.05e-3, 8)), "3.00 ms"),
        ((alone(1e-3), alone(3e-3, 8)), "; but one rank alone (1.00 ms a round) is faster"),
        (
            (alone(1e-3), alone(5e-4, 8)),
            "; but one rank alone (1.00 ms a round) and one rank with 8 threads (500 µs a round) are faster",
        ),
    ],
)
def test_one_process_may_be_faster(beside: tuple[dict[str, Any], ...], told: str) -> None:
    words, _ = said(row(SERVER, 1e-3, 3e-3), row(PEERS, 1e-3, 1e-3), beside=beside)
    assert words.endswith(told)


def test_one_mode_alone_is_compared_with_nothing() -> None:
    """As when a signal ends it after the first turn."""
    one = row(SERVER, 1e-3, 1e-3)
    assert said(one) == ("there is nothing to compare, as client-server alone had a turn", None)
    assert "start more ranks" in said({**one, "ranks": 1})[0]
