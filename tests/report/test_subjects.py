"""What a page says its figures are about, and what it says of a run beyond its speed."""

from pathlib import Path
from typing import Any

import pytest

from mpi_pgd.model.coefficients import Coefficients
from mpi_pgd.report import html, units
from mpi_pgd.report.kinds import Kind
from mpi_pgd.report.run import Run
from mpi_pgd.report.shapes import PARTS, Record
from mpi_pgd.report.subjects import Problem, problems
from mpi_pgd.report.theme import PALETTE, Picture, drawn
from mpi_pgd.study import every
from tests.report import samples
from tests.report.test_records import fitted

pytestmark = pytest.mark.beside("pages")

LOSS = {"ranks": [3, 4], "nodes": ["n1", "n1"], "seconds": 12.3, "round": 120, "cost": 0.21, "rows_read": 120000}


KINDS: dict[str, Kind] = {"run": Run(), **every()}


def about(files: list[str], rows: int = 1000, features: int = 5) -> dict[str, Any]:
    return {"data": {"files": files, "rows": rows, "features": features}}


def run(files: list[str], ranks: int = 4, **more: Any) -> dict[str, Any]:
    return {**samples.run(ranks), "rows": 1000, "features": 5, "config": {"data": files}, **more}


@pytest.mark.parametrize("name", ["run", "compare", "scaling", "straggler", "doctor"])
def test_the_data_are_in_the_headline(name: str) -> None:
    record = run(["/a/rows.h5"]) if name == "run" else {**samples.everything()[name], **about(["/a/rows.h5"])}
    assert KINDS[name].headline(record).startswith("On rows.h5: ")
    assert KINDS[name].headline(record) not in KINDS[name].remarks(record)
    several = {**record, **about(["/a/rows.h5", "b.h5"]), "config": {"data": ["/a/rows.h5", "b.h5"]}}
    assert KINDS[name].headline(several).startswith("On rows.h5 and 1 other file: ")


def test_records_are_about_the_same_problem_if_what_they_know_is_equal() -> None:
    records: dict[str, Record] = {
        "run": run(["a.h5"]),
        "compare": about(["b.h5"]),
        "scaling": about(["a.h5"]),
        "straggler": about([], 7, 7),
        "network": {},
        "plan": {"inputs": {"rows": 7, "features": 7}},
        "doctor": {"data": {"files": ["b.h5"]}},
    }
    assert [one.names for one in grouped(records)] == [["run", "scaling"], ["compare", "doctor"], ["straggler", "network", "plan"]]
    assert [one.title() for one in grouped(records)][1:] == ["b.h5: 1,000 rows, 5 features", "Other records"]
    del records["compare"], records["doctor"]
    assert [one.names for one in grouped(records)] == [list(records)]


def grouped(records: dict[str, Record]) -> list[Problem]:
    return problems([KINDS[name].problem(record) for name, record in records.items()])


def test_a_plan_says_for_what() -> None:
    assert KINDS["plan"].headline(samples.plan()).startswith("For ")


@pytest.mark.usefixtures("undrawn")
def test_two_problems_are_two_sections(tmp_path: Path) -> None:
    compare = {**samples.compare(4), **about(["other.h5"], 9, 9)}
    samples.folder(tmp_path, run=run(["mine.h5"]), compare=compare)
    page = html.write(str(tmp_path), every())[0].read_text()
    first, second = ('<p class="problem">mine.h5: 1,000 rows', '<p class="problem">other.h5: 9 rows')
    places = [page.index(words) for words in (first, 'id="run"', second, 'id="compare"')]
    assert places == sorted(places)
    assert page.count('class="lead"') == 2
    samples.folder(tmp_path, compare={**compare, **about(["mine.h5"])})
    page = html.write(str(tmp_path), every())[0].read_text()
    assert (page.count('class="lead"'), page.count('class="problem"')) == (1, 0)


@pytest.mark.usefixtures("undrawn")
def test_coefficients_and_r2(tmp_path: Path) -> None:
    fitted(tmp_path, run(["a.h5"], r2=0.5), [0.0, *range(40)], 2.5)
    page = html.write(str(tmp_path), every())[0].read_text()
    for words in ("0.500000", ">2.5<", "The 20 largest of 41", "the 32 largest of 41", ">x40<"):
        assert words in page
    lines = (tmp_path / "tables/run-coefficients.csv").read_text().splitlines()
    assert (len(lines), lines[-1]) == (42, "x40,40,39.0")


def test_how_it_was_solved_and_how_near_the_optimum_is() -> None:
    facts = dict(Run().facts(run([])))
    assert facts["solver"] == "nesterov (a step was given)"
    assert "within 4e-13 of the optimum" in facts["certificate"]
    assert not {"solver", "certificate"} & set(dict(Run().facts(run([], solver=None, certificate=None))))


def test_an_r2_that_is_not_defined_or_not_known() -> None:
    assert ("R²", "not defined") in Run().facts(run([], r2=None))
    assert "R²" not in dict(Run().facts(run([])))


def test_lost_ranks_are_shown() -> None:
    lost = run(["a.h5"], losses=[LOSS])
    assert Run().remarks(lost)[0] == "2 ranks were lost on the way, which cost 210 ms"
    tables = {table.name: table for table in Run().tables(lost)}
    assert tables["run-losses"].rows[0]["ranks"] == "3, 4"
    made = Run(history=samples.history()).pictures(lost)
    assert "after ranks were lost" in next(one for one in made if one.name == "convergence").caption
    assert "lost" not in " ".join(Run().remarks(run(["a.h5"], losses=[])))


def test_what_a_lost_rank_cost_is_drawn() -> None:
    seconds = [0.01 * turn + 0.21 * (turn >= 120) for turn in range(400)]
    history = {**samples.history(400), "seconds": seconds}
    (found,) = [one for one in Run(history=history).pictures(run(["a.h5"], losses=[LOSS])) if one.name == "lost"]
    assert found.finding == "2 ranks were lost on the way, which cost 210 ms, as long as 21 rounds"
    assert "Lost: 3, 4 in round 120" in found.caption


def test_one_worker_is_not_held_against_itself() -> None:
    record = run(["a.h5"], 2, workers=1)
    names = {one.name: one for one in Run(history=samples.history()).pictures(record)}
    assert "stragglers" not in names
    assert "longest" not in names["ranks"].title
    assert b"longest" not in drawn(names["ranks"]).svg
    alone = {**samples.straggler([1]), **about(["a.h5"])}
    assert KINDS["straggler"].pictures(alone) == []


def test_shares_end_at_the_whole() -> None:
    picture = next(one for one in Run().pictures(run(["a.h5"])) if one.name == "ranks")
    svg = drawn(picture).svg.decode()
    assert all(f">{share} %<" in svg for share in (0, 25, 50, 75, 100))


def test_no_mode_has_the_colour_of_a_part() -> None:
    from mpi_pgd.report.axes import _STYLES

    modes = {colour for colour, _ in _STYLES.values()}
    assert len(modes) == len(_STYLES)
    assert not modes & {*PARTS, "text", "muted", "link", "ok", "warning"}
    assert len(set(PALETTE.values())) == len({light for light, _ in PALETTE.values()}) == len(PALETTE)
    for name in ("convergence", "straggler", "network-ping-pong"):
        made = [one for one in everything() if one.name == name]
        assert made
        used = drawn(made[0]).wide
        assert not [mode for mode in modes if f"var(--{mode})" in used], name


def everything() -> list[Picture]:
    found = samples.everything()
    run = Run(history=found["history"], model=Coefficients([1.0], [0.0], []))
    return [*run.pictures(found["run"]), *(one for name in ("straggler", "network") for one in KINDS[name].pictures(found[name]))]


@pytest.mark.parametrize(("value", "text"), [(1e-3, "10⁻³"), (3e-3, "3·10⁻³"), (0.2, "2·10⁻¹"), (1.0, "10⁰"), (5e7, "5·10⁷")])
def test_one_kind_of_label_on_an_axis_over_many_sizes(value: float, text: str) -> None:
    assert units.power_of_ten(value) == text
