"""Pictures are drawn from any record that can be read, also from those at the edges."""

import math
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from mpi_pgd.report import evaluation_pictures, run_pictures, theme
from mpi_pgd.report.records import read
from mpi_pgd.report.shapes import PARTS
from mpi_pgd.report.theme import PALETTE, Drawn, Picture
from mpi_pgd.study import every
from mpi_pgd.study.plan.pictures import crossings
from tests.report import samples

pytest.importorskip("matplotlib", reason="no matplotlib here: pip install 'mpi_pgd[report]'")
pytestmark = pytest.mark.beside("pages")  # which draws the same


def drawn(folder: Path, **files: Any) -> dict[str, Drawn]:
    found = pictures(samples.folder(folder, **files))
    return {picture.name: theme.drawn(picture) for some in found.values() for picture in some}


def pictures(folder: Path) -> dict[str, list[Picture]]:
    records = read(str(folder), every())
    return {name: kind.pictures(records.found[name]) for name, kind in records.kinds.items()}


def test_the_pictures_that_are_expected(all_drawn: dict[str, Drawn]) -> None:
    assert list(all_drawn) == [
        "convergence",
        "ranks",
        "timeline",
        "stragglers",
        "compare-cost",
        "scaling-speedup",
        "scaling-cost",
        "scaling-predicted",
        "straggler",
        "solvers-seconds",
        "solvers-round",
        "topology-seconds",
        "topology-round",
        "topology-bytes",
        "topology-slow",
        "cache",
        "network-ping-pong",
        "network-collective",
        "plan",
        "plan-speedup",
        *(f"diagram-{row['mode']}-{row['algorithm']}" for row in samples.diagram(8)["rows"]),
        "diagram-ranks",
        "evaluate-truth-1",
        "evaluate-residuals-1",
        "evaluate-calibration-1",
        "evaluate-confusion-2",
        "evaluate-calibration-2",
    ]


def test_inline_svg_has_no_colours_fonts_or_styles_of_its_own(all_drawn: dict[str, Drawn]) -> None:
    for each in all_drawn.values():
        for svg in (each.wide, each.narrow):
            assert not re.search(r"#[0-9a-f]{6}|font-family|<style|xmlns|xlink|<script|<image", svg)
            assert set(re.findall(r"var\(--(\w+)\)", svg)) <= set(PALETTE)


def test_inline_names_are_unique_and_resolve(all_drawn: dict[str, Drawn]) -> None:
    page = "".join(svg for each in all_drawn.values() for svg in (each.wide, each.narrow))
    names = re.findall(r' id="([^"]*)"', page)
    assert len(names) == len(set(names))
    used = re.findall(r'(?:href="#|url\(#)([^")]*)', page)
    assert used
    assert set(used) <= set(names)


def test_every_picture_is_described(all_drawn: dict[str, Drawn]) -> None:
    for each in all_drawn.values():
        root = ElementTree.fromstring(each.wide)
        assert root.attrib["role"] == "img"
        assert len(root.attrib["aria-label"]) > 40
        assert [root[0].text, root[1].text] == [each.picture.title, each.picture.alt]


def test_files_are_png_and_svg(all_drawn: dict[str, Drawn]) -> None:
    for each in all_drawn.values():
        assert each.png.startswith(b"\x89PNG")
        assert ElementTree.fromstring(each.svg).tag.endswith("svg")


def test_predicted_figures_say_so(all_drawn: dict[str, Drawn]) -> None:
    marks = {name: each.picture.mark for name, each in all_drawn.items() if each.picture.mark}
    assert marks == {
        "compare-cost": "measured and predicted",
        "scaling-speedup": "measured and predicted",
        "scaling-predicted": "measured and predicted",
        "straggler": "measured and predicted",
        "cache": "measured and predicted",
        "plan": "predicted",
        "plan-speedup": "predicted",
        **{name: "simulated" for name in all_drawn if name.startswith("diagram-")},
    }


def test_a_simulated_study_says_so(tmp_path: Path) -> None:
    found = pictures(samples.folder(tmp_path, scaling=samples.scaling([1, 2]) | {"simulated": True}))
    assert {picture.mark for picture in found["scaling"][:2]} == {"simulated"}


def test_the_same_record_gives_the_same_picture(tmp_path: Path) -> None:
    first, second = (drawn(tmp_path, plan=samples.plan())["plan"] for _ in range(2))
    assert first.svg == second.svg


def test_everything_zero_or_unknown(tmp_path: Path) -> None:
    compare, run, straggler = samples.compare(2), samples.run(2), samples.straggler([1, 2])
    for row in [*compare["rows"], *run["costs"]["ranks"], *run["costs"]["timeline"]]:
        row.update(dict.fromkeys(PARTS, 0.0))
    for row in compare["rows"]:
        row.update(seconds_per_round=0.0, low=None, high=None, predicted_seconds_per_round=None, speedup=None, efficiency=None)
    for row in straggler["rows"]:
        row.update(mean=0.0, measured_maximum=0.0, theory=0.0)
    run["costs"].update(rounds=0, slowdowns={"edges": [1.0], "counts": [3]})
    names = drawn(tmp_path, compare=compare, run=run, straggler=straggler)
    assert set(names) == {"compare-cost", "ranks", "timeline", "straggler"}  # of one worker nobody is the slowest


@pytest.mark.parametrize("rounds", [0, 1, 2, 20_000])
def test_histories_of_any_length(rounds: int) -> None:
    first = run_pictures.run(samples.run(2), samples.history(rounds))[0]
    assert (first.name == "convergence") == (rounds > 1)
    assert theme.drawn(first).png


def test_a_fit_that_diverged() -> None:
    history = {"round": [1, 2, 3, 4], "objective": [1.0, 1e200, math.inf, math.nan], "gradient_norm": [1.0, 1e100, 1e300, math.inf]}
    first = run_pictures.run(samples.run(2), history)[0]
    assert first.name == "convergence"
    assert theme.drawn(first).png


def test_a_fit_that_ran_through_all_numbers() -> None:
    sizes = [10.0**place for place in range(-300, 301, 10)]
    first = run_pictures.run(samples.run(2), {"round": [*range(len(sizes))], "objective": sizes, "gradient_norm": sizes[::-1]})[0]
    assert theme.drawn(first).png


def test_a_long_curve_keeps_its_spikes() -> None:
    points = [(float(turn), 5.0 if turn == 7777 else 1.0 + turn % 2) for turn in range(20_000)]
    thin = run_pictures._thinned(points)
    assert len(thin) < 2 * run_pictures.POINTS
    assert (7777.0, 5.0) in thin
    assert thin == sorted(thin)


def test_modes_cross_where_the_faster_one_changes_and_not_where_they_tie() -> None:
    times = {"client-server": [1.0, 1.0, 2.0, 9.0], "peer-to-peer": [1.0, 2.0, 3.0, 4.0]}
    rows = [
        {"mode": mode, "workers": 4**place, "seconds_per_round": time}
        for mode, series in times.items()
        for place, time in enumerate(series)
    ]
    assert crossings(rows) == [32.0]


def test_a_run_shows_how_good_it_is_where_it_was_judged(tmp_path: Path) -> None:
    judged = [samples.evaluated_numbers(), samples.evaluated_classes(["0", "1"])]
    run = read(str(samples.folder(tmp_path, run={**samples.run(2), "evaluations": judged})), every())
    found = [picture.name for picture in run.kinds["run"].pictures(run.found["run"])]
    assert [name for name in found if name.startswith("run-")] == [
        *(f"run-{name}-1" for name in ("truth", "residuals", "calibration")),
        *(f"run-{name}-2" for name in ("confusion", "calibration")),
    ]
    tables = [table.name for table in run.kinds["run"].tables(run.found["run"])]
    assert {"run-metrics", "run-classes-2", "run-confusion-2", "run-calibration-1"} <= set(tables)


def test_cells_of_any_counts() -> None:
    """None, one row alone, all in one cell: what a model of one row, or one that is exact, has."""
    for counts in ([[0] * 40] * 40, [[1] + [0] * 39] + [[0] * 40] * 39, [[10**9] * 40] * 40):
        one = samples.evaluated_numbers() | {"spread": {"counts": counts}}
        one["truth"] = {"low": 0.0, "high": 1.0, "counts": counts}
        for picture in evaluation_pictures.pictures("run", [one]):
            assert theme.drawn(picture).png
