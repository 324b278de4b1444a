"""Where the time of a run went: parts that add up, ranks that are late, a trace. No timing is asserted, only what adds up."""

import json
from pathlib import Path
from typing import Any

import pytest

from mpi_pgd.modes import ALGORITHMS
from tests.commands import command, refused
from tests.traces import spans

PARTS = ("compute", "wait", "wire", "update", "input")


def record(comm: Any, folder: Path, *words: object) -> dict[str, Any]:
    assert command(comm, "--quiet", "--solver", "nesterov", "--rounds", 60, "--out", folder, *words) == 0
    found = json.loads((folder / "run.json").read_text())
    assert isinstance(found, dict)
    return found


@pytest.mark.ranks(1, others=(3,))
@pytest.mark.parametrize("mode", ALGORITHMS)
def test_the_parts_add_up_and_the_trace_agrees(comm: Any, folder: Path, mode: str, capfd: pytest.CaptureFixture[str]) -> None:
    found = record(comm, folder, "--mode", mode, "--trace")
    assert capfd.readouterr() == ("", "")
    costs = found["costs"]
    # 60 rounds and the evaluation at the start; a few are done again while the bound of the sums settles.
    assert 61 <= costs["rounds"] <= 70
    whole = [sum(rank[part] for part in PARTS) for rank in costs["ranks"]]
    assert sum(whole) / comm.size == pytest.approx(found["seconds_per_round"], rel=1e-9)
    events = spans(folder / "trace.json")
    for rank in costs["ranks"]:
        mine = [event for event in events if event["tid"] == rank["rank"] + 1]
        for part in PARTS:
            seconds = sum(event["dur"] for event in mine if event["name"] == part) * 1e-6
            assert seconds == pytest.approx(rank[part] * costs["rounds"], rel=1e-3, abs=1e-6)
    assert {event["args"]["round"] for event in events} == set(range(costs["rounds"]))


@pytest.mark.ranks(2, others=())
def test_rounds_fill_their_time(comm: Any, folder: Path) -> None:
    # Between rounds there is next to nothing: what the clock does itself, and the moments before the rounds.
    costs = record(comm, folder, "--step", "0.1", "--delay", "exponential:0.02")
    history = [line.split(",") for line in (folder / "history.csv").read_text().splitlines()[1:]]
    elapsed = (float(history[-1][-1]) - float(history[0][-1])) / (len(history) - 1)
    assert costs["seconds_per_round"] == pytest.approx(elapsed, rel=0.1)


@pytest.mark.ranks(3, others=())
def test_a_late_rank_is_named(comm: Any, folder: Path) -> None:
    plain = record(comm, folder / "plain")
    late = record(comm, folder / "late", "--delay", "2:30")
    assert "rank 2 on node" in late["costs"]["sentence"]
    assert late["weights_sha256"] == plain["weights_sha256"]
    slowest = [rank["slowest_rounds"] for rank in late["costs"]["ranks"]]
    assert max(slowest) == slowest[2]


@pytest.mark.ranks(2, others=())
def test_a_rank_that_fails_slow_is_slow_from_then_on(comm: Any, folder: Path) -> None:
    words = ("--mode", "peer-to-peer", "--fail-slow", "1@30", "--delay", "exponential:1e-9", "--trace")
    record(comm, folder, *words)
    events = spans(folder / "trace.json")
    mine = [event for event in events if event["name"] == "compute" and event["tid"] == 2]
    early = sorted(event["dur"] for event in mine if event["args"]["round"] < 30)
    after = sorted(event["dur"] for event in mine if event["args"]["round"] >= 30)
    assert after[0] > early[0] * 5, "the fastest late round is slower than the fastest early one"


@pytest.mark.ranks(1, others=())
def test_an_old_trace_does_not_stay_beside_a_new_run(comm: Any, folder: Path) -> None:
    record(comm, folder, "--trace")
    assert (folder / "trace.json").exists()
    record(comm, folder)
    assert not (folder / "trace.json").exists()


@pytest.mark.ranks(2, others=())
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--delay", "7:2"], "rank 7 can't be delayed"),
        (["--delay", "0:2"], "expected a rank that holds rows, in this mode 1 alone"),
        (["--delay", "fast"], "--delay was given 'fast': expected RANK:FACTOR"),
        (["--delay", "1:0.5"], "with a factor of at least 1"),
        (["--fail-slow", "1:3"], "--fail-slow was given '1:3': expected RANK@ROUND"),
        (["--trace"], "--trace needs --out"),
        (["--algorithm", "ring"], "--algorithm ring is not one of the mode client-server"),
        (["--algorithm", "rings"], "--algorithm was given 'rings' (did you mean ring?): expected one of library, linear, ring"),
    ],
)
def test_bad_input(comm: Any, words: list[str], told: str, capfd: pytest.CaptureFixture[str]) -> None:
    refused(comm, words, [told], capfd)


@pytest.mark.ranks(1, others=())
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--replicas", 2], "--replicas 2 was given with 1 rank, of which the first is the server: expected at least 3 ranks"),
        (["--fail-slow", "1@3"], "rank 1 can't be delayed: expected a rank that holds rows, in this mode 0 alone"),
    ],
)
def test_what_one_rank_can_not_do(comm: Any, words: list[object], told: str, capfd: pytest.CaptureFixture[str]) -> None:
    refused(comm, words, [told], capfd)
