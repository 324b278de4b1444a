"""``diagram``: its messages are all that the schedules send, and take as long as the cost model's paths."""

import json
from pathlib import Path

import pytest

from mpi_pgd.cli import main
from mpi_pgd.comm.algorithms import Algorithm
from mpi_pgd.comm.paths import Costs
from mpi_pgd.study.diagram.simulate import diagram, known, messages


@pytest.mark.parametrize("ranks", [2, 5, 8])
@pytest.mark.parametrize(("mode", "algorithm"), list(known()), ids=lambda one: getattr(one, "name", one))
def test_every_message_is_there_and_none_is_too_early(mode: str, algorithm: Algorithm, ranks: int) -> None:
    sizes = (16 * 840, 8 * 840)[: len(algorithm.schedules)]
    found = messages(mode, algorithm, ranks, sizes, Costs(1000, 0, 1))
    for rank in range(ranks):
        assert sum(one["bytes"] for one in found if one["sender"] == rank) == algorithm.sent(rank, ranks, sizes)
    assert all(one["came"] - one["left"] >= 1e-12 * (1000 + one["bytes"] // 8) * (1 - 1e-12) for one in found)


def test_with_powers_of_two_ranks_they_take_what_the_model_says() -> None:
    record = diagram(8, 1000, 1e-3, 12.5e6, 2)
    for row in record["rows"]:
        who = (row["mode"], row["algorithm"], 8)
        grown = next(one for one in record["growth"] if (one["mode"], one["algorithm"], one["ranks"]) == who)
        assert row["seconds"] == pytest.approx(grown["seconds"], rel=1e-2)  # pieces are of whole numbers


@pytest.mark.parametrize(("ranks", "per_node", "inside"), [(8, 2, 4), (7, 3, 4), (4, 4, None), (4, 1, 0)])
def test_a_node_sends_what_its_ranks_have_added(ranks: int, per_node: int, inside: int | None) -> None:
    record = diagram(ranks, 1000, 1e-3, 12.5e6, per_node)
    rows = [row for row in record["rows"] if row["mode"] == "hierarchical"]
    assert [row["ranks"] for row in rows] == [ranks] * (inside is not None)
    sent = [one for one in record["sent"] if one["mode"] == "hierarchical"]
    shared = [one for one in sent if one["left"] == one["came"]]
    assert len(shared) == 2 * (inside or 0)
    assert all(one["sender"] // per_node == one["receiver"] // per_node for one in shared)
    assert all({one["sender"] % per_node, one["receiver"] % per_node} == {0} for one in sent if one not in shared)
    assert not rows or rows[0]["messages"] == len(sent) - len(shared)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diagram", "--ranks", "3", "--out", str(tmp_path)]) == 0
    assert "(simulated)" in capsys.readouterr().out
    record = json.loads((tmp_path / "diagram.json").read_text())
    assert (record["simulated"], {row["ranks"] for row in record["rows"]}) == (True, {3})
    assert main(["diagram", "--ranks", "1"]) == 2
    assert "--ranks was given '1': expected a whole number of at least 2" in capsys.readouterr().err
