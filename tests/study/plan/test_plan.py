"""The plan: best numbers of workers, crossovers, and sentences for questions and files that make no sense."""

import json
import math
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpi_pgd.comm.graphs import graph
from mpi_pgd.errors import InputError
from mpi_pgd.modes import MODES, WAYS
from mpi_pgd.study.model import Model
from mpi_pgd.study.network import read
from mpi_pgd.study.plan import Plan
from mpi_pgd.study.plan.explain import explain
from mpi_pgd.study.plan.mixing import condition, times
from mpi_pgd.study.plan.planner import Planner, Question, plan, workers_range
from tests.study.synthetic import record

pytestmark = pytest.mark.beside("numbers")

ASKED = Question(rows=1_000_000, features=200, last=4096, rounds=500)
LINEAR, RING = ("client-server", "linear"), ("peer-to-peer", "ring")


@cache
def found(question: Question = ASKED, **compute: Any) -> dict[str, Any]:
    return plan(record(**compute), question)


def summed(row: dict[str, Any]) -> bool:
    return not MODES[row["mode"]].neighbours


def test_every_way_is_there_at_every_power_of_two_and_the_ends() -> None:
    rows = found(ASKED._replace(first=3, last=100, ranks_per_node=2))["rows"]
    for mode, algorithm in {(row["mode"], row["algorithm"]) for row in rows}:
        workers = [row["workers"] for row in rows if (row["mode"], row["algorithm"]) == (mode, algorithm)]
        ends = {3, 100} if Planner(Model.from_record(record()), ASKED).times(mode, algorithm, 3) < math.inf else set()
        assert {4, 8, 16, 32, 64} | ends <= set(workers)
        assert workers == sorted(workers)
    assert len({(row["mode"], row["algorithm"]) for row in rows}) == len(WAYS)


def test_rows_are_plain_and_add_up() -> None:
    for row in json.loads(json.dumps(found(), allow_nan=False))["rows"]:
        parts = sum(row[part] for part in ("compute", "wait", "latency", "bandwidth", "update"))
        assert row["seconds_per_round"] == pytest.approx(parts)
        assert row["fit_seconds"] == pytest.approx(math.ceil(500 * row["times"]) * row["seconds_per_round"])
        assert row["core_hours"] == pytest.approx(row["fit_seconds"] * row["ranks"] / 3600)


@pytest.mark.parametrize("last", [8, 64, 4096])
def test_a_terminal_shows_each_mode_however_many_workers_there_may_be(last: int) -> None:
    shown = Plan().tables(Plan().brief(found(ASKED._replace(last=last))))[0]
    assert not shown.folded
    assert {row["mode"] for row in shown.rows} == {row["mode"] for row in found(ASKED._replace(last=last))["rows"]}
    assert "The plan (predicted)" in Plan().text(found(ASKED._replace(last=last)))


def test_the_best_is_the_best_of_all_numbers_of_workers() -> None:
    planner = Planner(Model.from_record(record()), ASKED._replace(last=200))
    for way in planner.ways:
        seconds = {workers: planner.seconds(*way, workers) for workers in range(1, 201)}
        assert planner.seconds(*way, planner.best(*way)) <= 1.02 * min(seconds.values())
    best = found(ASKED._replace(last=200))
    assert best["best"]["seconds_per_round"] == min(row["seconds_per_round"] for row in best["rows"] if summed(row))


def test_a_crossover_is_where_the_faster_mode_changes() -> None:
    # Against a linear server: it hides the latencies, the ring pays them all; it carries all bytes, the ring a share.
    data = record()
    data["fits"] = [entry for entry in data["fits"] if (entry["mode"], entry["algorithm"]) in [LINEAR, RING]]
    question = Question(rows=1_000_000, features=500, last=64)
    answer = plan(data, question)
    planner = Planner(Model.from_record(data), question)
    by_ranks, by_features = answer["crossovers"]
    for sentence, unit in ((by_ranks, "ranks"), (by_features, "features")):
        turn = int(sentence.split(" up to ")[1].split()[0].replace(",", ""))
        before, after = sentence.split(" is faster up to ")[0], sentence.split(", ")[1].split(" from ")[0]
        assert {before, after} == {"client-server (linear)", "peer-to-peer (ring)"}
        for place in (turn, turn + 1):
            ranks, features = (place, 500) if unit == "ranks" else (answer["recommended"]["ranks"], place)
            linear, ring = (planner.predict(*way, MODES[way[0]].workers(ranks), features).total for way in planner.ways)
            assert (linear < ring) == ((before if place == turn else after) == "client-server (linear)")
    assert {(row["in"], row["from"]) for row in answer["crossings"]} >= {("ranks", 2), ("features", 1)}
    assert any("not measured" in note for note in answer["notes"])


def test_peers_with_neighbours_are_held_against_the_others_but_not_recommended() -> None:
    answer = found()
    assert all(row["times"] == 1.0 for row in answer["rows"] if summed(row))
    assert summed(answer["best"])
    assert summed(answer["recommended"])
    plain, among = answer["crossovers"][:2], answer["crossovers"][2:]
    assert all(sentence.startswith("with gradient descent, ") for sentence in among)
    assert len(among) == 2
    assert not any("gossip" in sentence for sentence in plain)
    assert sum("spectral gap" in note for note in answer["notes"]) == 1
    assert not any("no round of peers" in note for note in answer["notes"])
    old = record()
    old["fits"] = [entry for entry in old["fits"] if entry["mode"] != "gossip"]
    assert sum("no round of peers" in note for note in plan(old, ASKED)["notes"]) == 1
    alone = found(ASKED._replace(mode="gossip", algorithm="ring", first=4, last=4096))
    assert not summed(alone["best"])
    times = {row["ranks"]: row["times"] for row in alone["rows"]}
    assert times[4] == 1.0 < times[64] < times[4096]
    assert "max(1, 2 / (kappa gap))" in explain(record(), ASKED._replace(mode="gossip", algorithm="ring"))


@pytest.mark.parametrize("name", ["ring", "torus", "hypercube", "complete"])
def test_the_rounds_of_exact_diffusion_are_those_of_its_slowest_error(name: str) -> None:
    """Of its iteration, w and psi, one eigenvector of the graph and of the Hessians at a time."""
    for rounds, ranks in ((50, 16), (500, 64)):
        given, kappa = graph(name, ranks), condition(rounds)
        mixing = np.zeros((ranks, ranks))
        for rank in range(ranks):
            mixing[rank, [rank, *given.neighbours[rank]]] = given.weights(rank)
        slowest = 1 - 1 / kappa
        for value, bend in product(np.linalg.eigvalsh(mixing)[:-1], np.linspace(1 / kappa, 1, 50)):
            half = (1 + value) / 2  # w' = half (2 w - bend w - psi), psi' = (1 - bend) w
            slowest = max(slowest, *np.abs(np.linalg.eigvals([[half * (2 - bend), -half], [1 - bend, 0.0]])))
        assert times("gossip", name, ranks, rounds) == pytest.approx(math.log(1 - 1 / kappa) / math.log(slowest), rel=0.15)


def test_what_is_recommended_is_worth_its_cost() -> None:
    answer = found(ASKED._replace(last=200))
    best, worth = answer["best"], answer["recommended"]
    planner = Planner(Model.from_record(record()), ASKED._replace(last=200))
    assert worth["efficiency"] >= 0.5 > best["efficiency"]
    assert worth["efficiency"] == pytest.approx(planner.seconds(*RING, 1) / worth["seconds_per_round"] / worth["ranks"])
    more = planner.row(worth["mode"], worth["algorithm"], worth["workers"] + 1)
    assert more["efficiency"] < 0.5
    assert "at an efficiency of at least 50 %" in Plan().sentence(answer)


def test_a_round_lies_in_its_interval_which_is_wider_the_further_it_is_extrapolated() -> None:
    widths = []
    for workers in (4, 32, 1024):
        row = next(row for row in found()["rows"] if row["workers"] == workers and row["algorithm"] == "ring")
        assert row["low"] < row["seconds_per_round"] < row["high"]
        assert row["extrapolated"] == (workers > 4)
        widths.append(row["high"] / row["low"])
    assert widths == sorted(set(widths))


def test_a_plan_says_when_it_goes_beyond_what_was_measured() -> None:
    assert any("extrapolated" in note for note in found()["notes"])
    assert not any("extrapolated" in note for note in found(ASKED._replace(last=3))["notes"])
    assert any("extrapolated in proportion" in note for note in found(ASKED._replace(features=10_000_000))["notes"])
    assert any("within a node only" in note for note in found(link="node")["notes"])
    assert any("share one link" in note for note in found(ASKED._replace(ranks_per_node=8))["notes"])


def test_one_mode_and_one_algorithm_can_be_asked_for() -> None:
    answer = found(ASKED._replace(mode="peer-to-peer", algorithm="ring"))
    assert {(row["mode"], row["algorithm"]) for row in answer["rows"]} == {("peer-to-peer", "ring")}
    assert answer["crossovers"] == []


def test_the_explanation_has_the_numbers_of_the_plan() -> None:
    text = explain(record(), ASKED)
    best = found()["best"]
    assert f"The fastest: {best['mode']} ({best['algorithm']})" in text
    assert "alpha * 0.001 s" in text
    assert "beta 8.7e-08 s" in text
    assert "predicted" in text


def test_a_file_of_one_rank_is_enough_for_one_worker() -> None:
    bare = record(counts=())
    answer = plan(bare, ASKED._replace(last=1))
    assert {row["workers"] for row in answer["rows"]} == {1}
    assert answer["crossovers"] == []
    assert "1 worker, 1 rank" in explain(bare, ASKED._replace(last=1))
    with pytest.raises(InputError, match="no messages"):
        plan(bare, ASKED)


@pytest.mark.parametrize(("text", "ends"), [("1..4096", (1, 4096)), ("7", (7, 7)), (" 2..3 ", (2, 3))])
def test_ranges_of_workers(text: str, ends: tuple[int, int]) -> None:
    assert workers_range(text) == ends


@pytest.mark.parametrize("text", ["", "0..4", "5..4", "1-4", "1..", "a", "1..99999999999", "-1"])
def test_what_is_no_range_of_workers(text: str) -> None:
    with pytest.raises(InputError, match="--workers"):
        workers_range(text)


@pytest.mark.parametrize(
    "change",
    [
        {"rows": 0},
        {"features": -1},
        {"rounds": 0},
        {"ranks_per_node": 0},
        {"wait": -1.0},
        {"wait": float("nan")},
        {"mode": "client-server", "algorithm": "ring"},
        {"algorithm": "gossip"},
    ],
)
def test_questions_that_make_no_sense(change: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="expected"):
        found(ASKED._replace(**change))


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in record().items() if key != name}


def with_row(**change: Any) -> dict[str, Any]:
    data = record()
    data["rows"][0] |= change
    return data


def with_fit(**change: Any) -> dict[str, Any]:
    data = record()
    data["fits"][0] |= change
    return data


def with_paces(*some: tuple[int, int]) -> dict[str, Any]:
    """Of so many ranks, with rows of so many bytes."""
    data, times = record(), dict.fromkeys(("seconds", "wait_seconds", "update_seconds"), 1.0)
    data["compute"]["paces"] = [{"ranks": ranks, "features": 30, "bytes": size, **times} for ranks, size in some]
    return data


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("{", "not JSON"),
        ("[1, 2]", "the file is not an object"),
        ('{"rounds": 3}', 'no "format"'),
        (record() | {"study": "compare"}, 'another study ("compare")'),
        (record() | {"format": 2}, '"format" 2'),
        (without("rows"), "rows is not a list"),
        (without("fits"), "fits is not a list"),
        (without("compute"), "compute is not an object"),
        (without("nodes"), "nodes is not an object"),
        (record() | {"nodes": {"a": 0}}, "nodes.a is not a number above 0"),
        (record() | {"rows": 3}, "rows is not a list"),
        (record() | {"rows": ["x"]}, "rows[0] is not an object"),
        (record() | {"sums": 3}, "sums is not a list"),
        (record() | {"compute": {"bytes_per_second": 0}}, "compute.bytes_per_second is not a number above 0"),
        (with_paces((1, 64), (2, 32)), "compute is not of the same sizes"),
        (with_paces((2, 64)), "compute is not of the same sizes"),
        (with_paces((1, 0)), "compute.paces[0].bytes is not a whole number from 1"),
        (with_row(seconds=-1.0), "rows[0].seconds is not a number above 0"),
        (with_row(seconds=None), "rows[0].seconds is not a number above 0"),
        (with_row(seconds=float("nan")), "not JSON"),
        (with_row(ranks=2.5), "rows[0].ranks is not a whole number"),
        (with_row(ranks=1), "rows[0].ranks is not a whole number from 2"),
        (with_row(link="moon"), "rows[0] is not of a link"),
        (with_row(algorithm="gossip"), "rows[0] is not of a link"),
        (with_fit(form="guess"), "fits[0] is not of a link"),
        (with_row(mode="gossip", algorithm="hypercube", ranks=3), "rows[0] is not of a graph that so many ranks have"),
    ],
)
def test_files_that_are_no_network_file(tmp_path: Path, content: Any, word: str) -> None:
    path = tmp_path / "network.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(InputError) as error:
        read(str(path))
    assert word in str(error.value)
    assert "expected a network.json" in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_no_file_and_a_folder_without_it(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "no"):
        with pytest.raises(InputError, match="can't be read"):
            read(str(path))


def test_a_network_file_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "network.json"
    path.write_text(json.dumps(record()))
    assert read(str(path)) == read(str(tmp_path)) == json.loads(json.dumps(record()))
