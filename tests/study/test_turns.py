"""Turns: what a row takes from them, and teams that are the first ranks of a world."""

from types import SimpleNamespace
from typing import Any

import pytest

from mpi_pgd.errors import InputError
from mpi_pgd.report.shapes import PARTS
from mpi_pgd.study import turns
from mpi_pgd.study.turns import Contestant, Teams, Turn, baseline, row

ONE = Contestant("peer-to-peer", "ring", 2, 1000)


def turn(compute: float, wire: float) -> Turn:
    return Turn(dict.fromkeys(PARTS, 0.0) | {"compute": compute, "wire": wire}, None, {}, 2, 64, "ab", None)


def test_a_row_is_a_turn_that_was_and_not_the_medians_of_its_parts() -> None:
    found = row(ONE, [turn(5.0, 1.0), turn(1.0, 1.0), turn(1.0, 3.0), turn(0.5, 2.0)])  # 6, 2, 4, 2.5
    assert (found["compute"], found["wire"], found["seconds_per_round"]) == (0.5, 2.0, 2.5)
    assert (found["low"], found["high"]) == (2.0, 6.0)


@pytest.mark.parametrize(("count", "expected"), [(1, (0, 0, 0)), (2, (0, 0, 1)), (3, (0, 1, 2)), (5, (1, 2, 3)), (9, (2, 4, 6))])
def test_the_turn_in_the_middle_lies_between_its_own_quartiles(count: int, expected: tuple[int, int, int]) -> None:
    found = row(ONE, [turn(float(place), 0.0) for place in range(count)])
    assert (found["low"], found["seconds_per_round"], found["high"]) == expected


def test_one_rank_that_held_a_part_is_carried_on_to_all_rows() -> None:
    some = [turn(2.0, 1.0)]
    assert baseline(ONE, some, 1000) == {
        **{"name": "one rank", "threads": 1, "rows": 1000, "extrapolated": False},
        **{"seconds_per_round": 3.0, "low": 3.0, "high": 3.0},
        **{"compute": 2.0, "wait": 0.0, "wire": 1.0, "update": 0.0, "input": 0.0},
    }
    carried = baseline(ONE, some, 4000)
    assert (carried["rows"], carried["extrapolated"], carried["seconds_per_round"], carried["compute"]) == (1000, True, 12.0, 8.0)


@pytest.mark.ranks(1, 3, others=(3,))
def test_teams_are_the_first_ranks_and_made_once(comm: Any) -> None:
    with Teams(comm) as teams:
        seen = [teams.do(size, lambda team: team) for size in (1, comm.size, 1)]
        assert [team and (team.rank, team.size) for team in seen] == [
            (comm.rank, size) if comm.rank < size else None for size in (1, comm.size, 1)
        ]
        assert seen[0] is seen[2]


@pytest.mark.ranks(3)
def test_what_a_team_refuses_all_ranks_do_and_then_go_on(comm: Any) -> None:
    def refuse(_: Any) -> None:
        raise InputError("no room")

    with Teams(comm) as teams:
        with pytest.raises(InputError, match="no room"):
            teams.do(2, refuse)
        assert teams.do(2, lambda team: team.size) == (2 if comm.rank < 2 else None)


@pytest.mark.ranks(2)
def test_one_rank_alone_takes_what_half_of_its_memory_holds(comm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "available_bytes", lambda: 1600 + 10_000 * comm.rank)  # that of the first rank counts
    problem: Any = SimpleNamespace(comm=comm, rows=1000, table=SimpleNamespace(bytes=lambda rows: 8 * rows))
    assert turns.alone(problem) == Contestant("peer-to-peer", "library", 1, 100)
