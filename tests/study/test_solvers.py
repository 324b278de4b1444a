"""study solvers: what its rows say of turns that are made up, and real ones, held against fits."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpi_pgd import fit
from mpi_pgd.config import Settings
from mpi_pgd.data.make import make
from mpi_pgd.drivers.certificate import Kind
from mpi_pgd.drivers.status import Status
from mpi_pgd.errors import InputError
from mpi_pgd.report import theme
from mpi_pgd.session.inspect import inspect_files
from mpi_pgd.solvers import SOLVERS
from mpi_pgd.solvers.gd import GradientDescent
from mpi_pgd.solvers.suit import Choice
from mpi_pgd.study.solvers import LEVELS, Solvers
from mpi_pgd.study.solvers.measure import POINTS, Entrant, Turn, judged, solvers
from mpi_pgd.study.solvers.pictures import FLOOR, points
from tests.commands import command, refused
from tests.report import samples


def entrant(name: str, by: str = "") -> Entrant:
    return Entrant(name, by or name, Choice(GradientDescent(), name if by else "", "it is good" if by else ""))


def turn(objectives: list[float], pace: float = 1.0) -> Turn:
    seconds = pace * (1.0 + np.arange(len(objectives)))
    return Turn(seconds, np.array(objectives), len(objectives) - 1, Status.CONVERGED, Kind.GAP, 1e-9)


def test_when_each_was_near_the_best_of_all() -> None:
    found = judged([(entrant("a"), [turn([3.0, 2.0, 1.0005, 1.0])]), (entrant("b"), [turn([3.0, 1.002, 1.001], 0.5)])], LEVELS)
    assert (found["first"], found["best"]) == (3.0, 1.0)
    one, other = found["rows"]
    assert [one[f"rounds_to_{level}"] for level in LEVELS] == [2, 3, 3]
    assert [one[f"seconds_to_{level}"] for level in LEVELS] == [3.0, 4.0, 4.0]
    assert [other[f"rounds_to_{level}"] for level in LEVELS] == [2, None, None]
    assert [other[f"seconds_to_{level}"] for level in LEVELS] == [1.5, None, None]
    assert (one["relative"], other["relative"]) == (0.0, pytest.approx(0.0005))


def test_trials_that_rise_are_rounds_but_no_progress() -> None:
    (row,) = judged([(entrant("a"), [turn([3.0, math.inf, 2.0, 5.0, math.nan, 1.0, 1.5])])], LEVELS)["rows"]
    assert row["curve"] == {"round": [0, 2, 5, 6], "seconds": [1.0, 3.0, 6.0, 7.0], "objective": [3.0, 2.0, 1.0, 1.0]}
    assert (row["rounds"], row["objective"], row["rounds_to_1e-9"]) == (6, 1.0, 5)


def test_nothing_was_to_be_gained() -> None:
    (row,) = judged([(entrant("a"), [turn([3.0, 3.0])])], LEVELS)["rows"]
    assert (row["relative"], row["rounds_to_1e-9"], row["curve"]["round"]) == (0.0, 0, [0, 1])
    assert (
        Solvers().sentence({"first": 3.0, "best": 3.0, "rows": [row]}) == "of 1 solver, none got below the objective at the start"
    )
    assert points(row, {"first": 3.0, "best": 3.0}, "round") == [(0, FLOOR), (1, FLOOR)]


def test_of_several_turns_the_one_in_the_middle() -> None:
    (row,) = judged([(entrant("a"), [turn([3.0, 1.0], pace) for pace in (5.0, 1.0, 2.0)])], LEVELS)["rows"]
    assert (row["seconds"], row["low"], row["high"]) == (4.0, 3.0, 7.0)


def test_a_long_curve_keeps_its_ends() -> None:
    (row,) = judged([(entrant("a"), [turn(np.geomspace(1e9, 1.0, 20_000).tolist())])], LEVELS)["rows"]
    rounds = row["curve"]["round"]
    assert len(rounds) <= POINTS + 1
    assert rounds == sorted(set(rounds))
    assert (rounds[:3], rounds[-1]) == ([0, 1, 2], 19_999)


@pytest.mark.parametrize(
    ("chosen", "objectives", "said"),
    [
        ("", [3.0, 1.0], "of 2 solvers, b was the first within 10⁻⁶ of the best objective, in 1.00 s and 1 round"),
        ("b", [3.0, 1.0], "1 round; auto chose it (it is good)"),
        ("a", [3.0, 1.0], "1 round; auto chose a, which took 2.00 s and 1 round"),
        ("a", [3.0, 2.0], "1 round; auto chose a, which did not get there in 2.00 s and 1 round"),
    ],
)
def test_the_sentence(chosen: str, objectives: list[float], said: str) -> None:
    turns = {"a": turn(objectives), "b": turn([3.0, 1.0], 0.5)}
    record = judged([(entrant(name, "auto" * (name == chosen)), [one]) for name, one in turns.items()], LEVELS)
    assert Solvers().sentence(record).endswith(said)


@pytest.mark.parametrize(
    ("status", "gap", "told"),
    [
        (Status.TIME, 0.0, False),
        (Status.TIME, 1e-9, False),
        (Status.TIME, 1e-3, True),
        (Status.TIME, None, True),
        (Status.CONVERGED, None, False),
    ],
)
def test_a_best_objective_that_may_be_far_from_the_optimum_is_said(status: str, gap: float | None, told: bool) -> None:
    record = samples.solvers()
    record["rows"][0] |= {"status": str(status), "gap": gap}
    found = Solvers().remarks(record)
    assert found[0] == record["notes"][0]
    assert [line.startswith("who found the best objective had not converged") for line in found[1:]] == [True] * told


def test_the_pictures_name_every_line() -> None:
    pytest.importorskip("matplotlib", reason="no matplotlib here: pip install 'mpi_pgd[report]'")
    record = samples.solvers()
    for picture in Solvers().pictures(record):
        drawn = theme.drawn(picture)
        for svg in (drawn.wide, drawn.narrow):
            assert all(f">{row['solver']}</text>" in svg for row in record["rows"])


@pytest.fixture
def rows(comm: Any, folder: Path) -> Path:
    """A logistic problem, small and ill-conditioned."""
    if comm.rank == 0:
        make(folder / "rows.h5", 600, 30, condition=100.0, loss="logistic")
    comm.Barrier()
    return folder / "rows.h5"


@pytest.mark.ranks(1, 3, others=())
def test_each_solver_does_what_it_does_in_a_fit(comm: Any, folder: Path, rows: Path) -> None:
    words = ("--loss", "logistic", "--l2", 0.01, "--rounds", 15, "--tol", 1e-9)
    assert command(comm, "study", "solvers", rows, *words, "--repeats", 2, "--out", folder / "out", "--quiet") == 0
    record = json.loads((folder / "out" / "solvers.json").read_text())
    usual = fit(str(rows), comm=comm, loss="logistic", l2=0.01, rounds=15, tol=1e-9).record
    first, *others = record["rows"]
    assert {row["solver"] for row in others} | {first["solver"]} == {*SOLVERS} - {first["chosen_by"]}
    assert (first["solver"], first["reason"]) == (usual["solver"], usual["solver_reason"])
    for row in record["rows"]:
        solver = row.get("chosen_by", row["solver"])
        found = fit(str(rows), comm=comm, loss="logistic", l2=0.01, rounds=15, tol=1e-9, solver=solver)
        assert (row["status"], row["rounds"]) == (found.status, found.record["rounds"])
        assert row["objective"] == min([record["first"], *found.history["objective"]])
        assert row["certificate"] == found.record["certificate"]["kind"]
    assert record["best"] == min(row["objective"] for row in record["rows"])
    assert first["rounds_to_1e-6"] is not None
    assert (record["rounds"], record["repeats"], record["loss"]) == (15, 2, "logistic")


@pytest.mark.ranks(2, others=())
def test_who_does_not_take_the_problem_says_why(comm: Any, folder: Path, rows: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(comm, "study", "solvers", rows, "--l1", 0.1, "--rounds", 9, "--out", folder / "out") == 0
    told = comm.bcast(capsys.readouterr().out)
    record = json.loads((folder / "out" / "solvers.json").read_text())
    refusals = [line for line in record["notes"] if "takes smooth objectives alone" in line]
    assert refusals
    assert all(line in told for line in refusals)
    taken = {row["solver"] for row in record["rows"]}
    assert len(taken) + len(refusals) + 1 == len(SOLVERS)  # one has but chosen
    assert not any(f"--solver {name} " in line for line in refusals for name in taken)


@pytest.mark.ranks(2, others=())
def test_a_signal_leaves_the_turns_that_were_done(comm: Any, rows: Path) -> None:
    problem = inspect_files(comm, Settings(data=(str(rows),), rounds=2, quiet=True))
    asked = 0

    def flags() -> tuple[bool, bool]:
        nonlocal asked
        asked += 1
        return False, asked > last

    last = 0
    assert solvers(problem, 1, 10.0, LEVELS, flags) is None
    last, asked = 16, 0
    record = comm.bcast(solvers(problem, 1, 10.0, LEVELS, flags))
    assert record["stopped"] == f"stopped by a signal after {len(record['rows'])} of {len(SOLVERS) - 1} turns"
    assert record["stopped"] in record["notes"]


@pytest.mark.ranks(2, others=())
def test_a_turn_ends_when_its_time_is_up(comm: Any, rows: Path) -> None:
    problem = inspect_files(comm, Settings(data=(str(rows),), loss="logistic", rounds=10**6, quiet=True))
    record = comm.bcast(solvers(problem, 1, 1e-9, LEVELS, lambda: (False, False)))
    assert {row["status"] for row in record["rows"]} == {"time exhausted"}


@pytest.mark.ranks(2, others=())
def test_what_no_solver_takes_is_refused(comm: Any, rows: Path, capfd: pytest.CaptureFixture[str]) -> None:
    refused(comm, ["study", "solvers", rows, "--model", "nothing.py:f"], ["nothing.py"], capfd)


def test_a_limit_that_is_none() -> None:
    with pytest.raises(InputError, match="--seconds was given 0"):
        Solvers().given({"seconds": 0.0})
