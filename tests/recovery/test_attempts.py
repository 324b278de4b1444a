"""Attempts, with losses that are made up: who attempts again, as whom, and what all leave with."""

import pickle
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from mpi4py import MPI

from mpi_pgd.errors import InputError
from mpi_pgd.recovery import attempts
from mpi_pgd.recovery.attempts import FINALIZING, Team, run_attempts
from tests.comm.test_ulfm import Failure


class Ranks:
    """A communicator of the ranks with these places in the world."""

    def __init__(self, *group: int) -> None:
        self.group, self.rank, self.size = group, 0, len(group)
        self.revoked = self.freed = 0

    def Revoke(self) -> None:
        self.revoked += 1

    def Dup(self) -> "Ranks":
        self.copy = Ranks(*self.group)
        return self.copy

    def Free(self) -> None:
        self.freed += 1


def translated(group: Sequence[int], ranks: Sequence[int], other: Sequence[int]) -> list[int]:
    return [other.index(group[rank]) for rank in ranks]


@pytest.fixture
def exits() -> list[Any]:
    """What is to be done at the exit."""
    return []


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, exits: list[Any]) -> Callable[..., Any]:
    """``run_attempts`` on a world of five; what becomes of the team, Shrink by Shrink, and the answers of Agree."""

    def run(attempt: Callable[[Team], Any], teams: list[Ranks], agreed: list[bool]) -> Any:
        left, answers = iter(teams), iter(agreed)
        monkeypatch.setattr(attempts, "shrunk", lambda _: next(left))
        monkeypatch.setattr(attempts, "agree", lambda _, well: next(answers) and well)
        world: Any = Ranks(*range(5))
        return run_attempts(world, attempt)

    group = SimpleNamespace(Translate_ranks=translated)
    monkeypatch.setattr(attempts, "MPI", SimpleNamespace(Group=group, Exception=MPI.Exception))
    monkeypatch.setattr(attempts, "atexit", SimpleNamespace(register=lambda *words: exits.append(words[1:])))
    monkeypatch.setattr(attempts, "tolerant", lambda: True)
    monkeypatch.setattr(attempts, "connect", lambda _: None)
    monkeypatch.setattr(attempts, "missed", lambda _: False)
    monkeypatch.setattr(attempts, "revoke", lambda comm: comm.Revoke())  # nothing was made of it
    monkeypatch.setattr(attempts, "nodes", lambda comm: [f"n{place}" for place in comm.group])
    return run


def test_those_that_are_left_attempt_again_under_the_numbers_of_the_start(run: Any, exits: list[Any]) -> None:
    teams, seen = [Ranks(*range(5)), Ranks(0, 2, 3, 4), Ranks(0, 3, 4)], []

    def attempt(team: Team) -> str:
        seen.append(team)
        if len(seen) < 3:
            raise Failure(MPI.ERR_PROC_FAILED)
        return "done"

    assert run(attempt, teams, [False, False, True]) == "done"
    assert [list(team.ids) for team in seen] == [[0, 1, 2, 3, 4], [0, 2, 3, 4], [0, 3, 4]]
    assert [(loss.ranks, loss.nodes) for loss in seen[-1].lost] == [([1], ["n1"]), ([2], ["n2"])]
    assert [team.revoked for team in teams] == [1, 1, 0]
    assert exits == [(FINALIZING,)]


def test_what_is_done_here_is_done_again_if_another_was_lost_meanwhile(run: Any) -> None:
    results = iter(["too early", "done"])
    assert run(lambda _: next(results), [Ranks(*range(5)), Ranks(0, 1)], [False, True]) == "done"


def test_where_nobody_was_lost_mpi_ends_as_ever(run: Any, exits: list[Any]) -> None:
    assert run(lambda _: "done", [Ranks(*range(5))], [True]) == "done"
    assert exits == []


def test_an_input_error_counts_once_all_that_are_left_agree(run: Any) -> None:
    outcomes = iter([InputError("of the lost rank"), InputError("of all")])

    def attempt(_: Team) -> None:
        raise next(outcomes)

    with pytest.raises(InputError, match="of all"):
        run(attempt, [Ranks(*range(5)), Ranks(0, 1)], [False, True])


def test_a_bug_is_attempted_once_and_nobody_is_made_to_notice(run: Any, exits: list[Any]) -> None:
    team = Ranks(*range(5))

    def attempt(_: Team) -> None:
        raise Failure(MPI.ERR_TRUNCATE)

    with pytest.raises(Failure):
        run(attempt, [team], [])
    assert (team.revoked, exits) == (0, [])


def test_what_nobody_sent_is_no_bug_where_somebody_was_lost(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "missed", lambda _: True)
    teams, outcomes = [Ranks(*range(5)), Ranks(0, 1)], iter([pickle.UnpicklingError("invalid load key"), None])

    def attempt(_: Team) -> str:
        if error := next(outcomes):
            raise error
        return "done"

    assert run(attempt, teams, [False, True]) == "done"
    assert [team.revoked for team in teams] == [1, 0]


def test_where_no_loss_is_survived_there_is_one_attempt_on_a_communicator_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "tolerant", lambda: False)
    world: Any = Ranks(0, 1)
    seen: list[Any] = []

    def attempt(team: Team) -> None:
        seen.append(team)
        raise InputError("refused")

    with pytest.raises(InputError, match="refused"):
        run_attempts(world, attempt)
    assert [(team.comm, team.survives) for team in seen] == [(world.copy, False)]
    assert (world.freed, world.copy.freed) == (0, 1)
