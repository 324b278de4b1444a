"""What a speedup curve comes to, from rows made up for the purpose."""

from typing import Any

from mpi_pgd.report.shapes import PARTS
from mpi_pgd.study.scaling.limits import conclusions


def row(ranks: int, compute: float, wire: float = 0.0, wait: float = 0.0) -> dict[str, Any]:
    seconds = compute + wire + wait
    found: dict[str, Any] = {"scaling": "strong", "mode": "peer-to-peer", "algorithm": "ring", "ranks": ranks}
    return found | {"compute": compute, "wire": wire, "wait": wait, "seconds_per_round": seconds, "speedup": 1.0 / seconds}


def findings(rows: list[dict[str, Any]], nodes: dict[str, int] | None = None, cores: int = 8) -> list[str]:
    found: list[str] = conclusions(rows, nodes or {"a": 8}, cores)["findings"]
    return found


def test_the_best_is_the_fastest_of_strong_scaling() -> None:
    weak = row(8, 0.01) | {"scaling": "weak"}
    found = conclusions([row(1, 1.0), row(4, 0.25, wire=0.01), row(8, 0.2, wire=0.2), weak], {"a": 8}, 8)
    assert (found["best"]["ranks"], found["best"]["speedup"]) == (4, 1 / 0.26)
    assert found["findings"][0].startswith("the best number of ranks for this problem is 4: peer-to-peer (ring), 260 ms a round")


def spread(one: dict[str, Any], part: float = 0.1) -> dict[str, Any]:
    parts = dict.fromkeys(PARTS, 0.0)
    return parts | one | {"low": one["seconds_per_round"] * (1 - part), "high": one["seconds_per_round"] * (1 + part)}


def test_how_many_ranks_it_takes_to_beat_one_process() -> None:
    rows = [spread(row(ranks, 1.0 / ranks)) for ranks in (1, 2, 4, 8)]
    alone = [spread({"seconds_per_round": seconds, "threads": threads}) for seconds, threads in ((0.55, 1), (0.11, 8))]
    found = conclusions(rows, {"a": 8}, 8, [*alone, {"name": "closed form", "seconds": 3.0}])["findings"]
    assert found[0].endswith("125 ms a round, speedup 8.00")  # the threads are faster, but not by more than the turns differ
    assert found[1:] == [
        "it takes 4 ranks to beat one rank alone (550 ms a round)",
        "no number of ranks up to 8 beats one rank with 8 threads (110 ms a round)",
    ]
    slow = spread({"seconds_per_round": 2.0, "threads": 8})  # one rank alone is faster, so ranks need not be held against it
    assert len(conclusions([spread(row(ranks, 1.0 / ranks)) for ranks in (1, 4)], {"a": 8}, 8, [slow])["findings"]) == 1
    beaten = conclusions(rows[:3], {"a": 8}, 8, alone)["findings"][0]
    assert beaten.endswith("; but one rank with 8 threads (110 ms a round) is faster")


def test_what_rests_on_a_disturbed_machine_is_unreliable() -> None:
    calm, disturbed = (conclusions([row(1, 1.0)], {"a": 8}, 8, doubts=doubts)["findings"][0] for doubts in ((), ("load",)))
    assert disturbed == f"unreliable: {calm}"


def test_memory_bandwidth() -> None:
    assert "memory bandwidth, not the network" in findings([row(1, 1.0), row(4, 0.5)])[1]
    assert "takes 2.00 times the processor time of one rank when 4 ranks" in findings([row(1, 1.0), row(4, 0.5)])[1]
    assert len(findings([row(1, 1.0), row(4, 0.26)])) == 1


def test_the_network_and_waiting() -> None:
    assert findings([row(1, 1.0), row(4, 0.25, wire=0.25)])[1] == "the network takes 50% of a round of 4 ranks (peer-to-peer, ring)"
    assert findings([row(1, 1.0), row(4, 0.25, wait=0.75)])[1].startswith("waiting for the slowest rank takes 75% of a round")
    assert len(findings([row(1, 1.0), row(4, 0.25, wire=0.05)])) == 1


def test_more_ranks_than_cores_are_not_judged() -> None:
    found = findings([row(1, 1.0), row(2, 0.5), row(8, 0.5, wire=0.5)], {"a": 8}, 2)
    assert found[1].startswith("ranks outnumber cores: 8 on the 2 of node a")
    assert len(found) == 2
