"""The words of the studies' commands, read in process: defaults, values, and mistakes in one sentence."""

import json
from typing import Any

import pytest

from mpi_pgd import InputError
from mpi_pgd.cli import commands, help, study
from mpi_pgd.cli.arguments import shipped
from mpi_pgd.study import STUDIES, load

PLAN = ("plan", "--network", "net", "--rows", "9", "--features", "3")


def read(*words: str) -> dict[str, Any]:
    given = study.read(words)
    assert json.loads(json.dumps(given)) == json.loads(json.dumps(given | {"study": words[0]}))  # all ranks get it as JSON
    return given


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["compare"], {"repeats": 5, "out": "", "force": False, "quiet": False}),
        (
            ["compare", "--repeats", "2", "--out", "r", "--force", "--quiet"],
            {"repeats": 2, "out": "r", "force": True, "quiet": True},
        ),
        (["scaling"], {"repeats": 3, "algorithms": ["library"], "ranks": [], "largest": 0}),
        (
            ["scaling", "--algorithms", "ring, linear", "--ranks", "1,4", "--largest", "8"],
            {"algorithms": ["ring", "linear"], "ranks": [1, 4], "largest": 8},
        ),
        (["straggler"], {"mean": 0.002}),
        (["solvers", "--seconds", "3"], {"seconds": 3.0, "repeats": 1}),
        (["network"], {"largest": 64 << 20, "quiet": False}),
        (["network", "--largest", "64", "--quiet"], {"largest": 64, "quiet": True}),
        (list(PLAN), {"rows": 9, "features": 3, "workers": "1..4096", "rounds": 100, "ranks_per_node": None, "wait": None}),
        ([*PLAN, "--ranks-per-node", "2", "--wait", "0", "--explain"], {"ranks_per_node": 2, "wait": 0.0, "explain": True}),
        (["doctor", "--out", "r"], {"out": "r", "quiet": False}),
    ],
)
def test_what_is_typed_is_what_is_given(words: list[str], expected: dict[str, Any]) -> None:
    assert read(*words).items() >= expected.items()


@pytest.mark.parametrize(("name", "rounds"), [("compare", 100), ("scaling", 100), ("straggler", 400), ("solvers", 10_000)])
def test_settings_of_a_fit(name: str, rounds: int) -> None:
    assert read(name)["settings"].items() >= {"rounds": rounds, "data": (shipped(),), "solver": "auto"}.items()
    chosen = read(name, "a.h5", "b.h5", "--rounds", "7", "--sums", "plain", "--no-intercept")["settings"]
    assert chosen.items() >= {"rounds": 7, "data": ("a.h5", "b.h5"), "sums": "plain", "intercept": False}.items()


def test_delays_are_a_setting_of_compare() -> None:
    assert read("compare", "--delay", "1:3")["settings"]["delay"] == "1:3"
    with pytest.raises(InputError, match="unknown flag --delay"):
        read("scaling", "--delay", "1:3")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["compare", "--repeats", "0"], "--repeats was given '0': expected a whole number of at least 1"),
        (["compare", "--repeat", "2"], "unknown flag --repeat (did you mean --repeats?)"),
        (["compare", "--rounds", "x"], "--rounds was given 'x'"),
        (["scaling", "--algorithms", "rings"], "--algorithms was given 'rings' (did you mean ring?): expected some of library, "),
        (["scaling", "--ranks", "1,two"], "--ranks was given 'two': expected whole numbers with commas between them"),
        (["scaling", "--largest", "-1"], "--largest was given '-1': expected a whole number of at least 0"),
        (["straggler", "--mean", "0"], "--mean was given 0.0: expected a number of seconds above 0"),
        (["straggler", "--mean", "inf"], "--mean was given inf"),
        (["straggler", "--mean", "soon"], "--mean was given 'soon': expected a number of at least 0"),
        (["solvers", "--seconds", "0"], "--seconds was given 0.0: expected a number of seconds above 0"),
        (["solvers", "--solver", "gd"], "unknown flag --solver"),
        (["network", "--largest", "63"], "--largest was given '63': expected a whole number of at least 64"),
        (["network", "rows.h5"], "unknown flag rows.h5"),
        (["doctor", "--solver", "gd"], "unknown flag --solver"),
        (["plan"], "plan was given no --network: expected the file"),
        (["plan", "--network", "net"], "plan was given no --rows: expected the number of the data's rows"),
        ([*PLAN, "--wait", "-1"], "--wait was given '-1': expected a number of at least 0"),
        ([*PLAN, "--sums", "exact"], "--sums was given 'exact' (did you mean order-free?): expected one of order-free, plain"),
        ([], f"study was given nothing: expected one of {', '.join(name for name, each in STUDIES.items() if each.under)}"),
        (["stragler"], "study was given stragler (did you mean straggler?): expected one of straggler"),
    ],
)
def test_mistakes(words: list[str], told: str) -> None:
    with pytest.raises(InputError) as caught:
        study.read(words)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_study_without_ranks_is_not_run_on_ranks() -> None:
    with pytest.raises(InputError, match="study was given plan: expected one of straggler"):
        study.read([*PLAN], ["compare", "straggler"])


@pytest.mark.ranks(1, 2, others=())
def test_a_plan_typed_after_study_is_refused(comm: Any) -> None:
    with pytest.raises(InputError, match="study was given plan: expected one of straggler"):
        study.main(comm, [*PLAN], 0.0)


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_has_a_command_with_a_page_of_help(name: str) -> None:
    command = STUDIES[name].under or name
    assert commands.COMMANDS[command]._replace(text="") == STUDIES[name]._replace(text="")
    told = f"help {command} says what each is of" if STUDIES[name].under else STUDIES[name].text
    assert f"  {command:<10}{told}" in help.first_page()
    page = commands.parser(name).format_help()
    assert load(name).usage in page
    assert all(f"--{flag.name}" in page and flag.text[:30] in page for flag in load(name).flags)
    assert name == command or f"  {name:<12}{STUDIES[name].text}" in commands.parser(command).format_help()
