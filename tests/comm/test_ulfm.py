"""Going on after losses, without any: what counts as one, and when those that are left make their communicator."""

from types import SimpleNamespace
from typing import Any

import pytest
from mpi4py import MPI

from mpi_pgd.comm import ulfm


class Failure(MPI.Exception):
    """Of a class of errors; MPI, which is not started here, would be asked for it."""

    def __init__(self, kind: int) -> None:
        super().__init__(kind)
        self.kind = kind

    def Get_error_class(self) -> int:
        return self.kind


class Ranks:
    """A communicator of which so many are known to be gone, look by look; ``answers`` are those of Agree and Shrink."""

    def __init__(self, gone: list[int], **answers: list[Any]) -> None:
        self.gone, self.answers = gone, {name: iter(found) for name, found in answers.items()}
        self.called: list[str] = []

    def Get_failed(self) -> Any:
        return SimpleNamespace(size=self.gone.pop(0) if len(self.gone) > 1 else self.gone[0])

    def Ack_failed(self) -> None:
        self.called.append("Ack_failed")

    def Agree(self, well: int) -> Any:
        return self._answer("Agree") and well

    def Shrink(self) -> Any:
        return self._answer("Shrink")

    def Is_revoked(self) -> bool:
        return False

    def _answer(self, name: str) -> Any:
        self.called.append(name)
        found = next(self.answers[name])
        if isinstance(found, Exception):
            raise found
        return found


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Each pause takes a second, and five make a quiet moment; the pauses."""
    pauses: list[float] = []
    monkeypatch.setattr(ulfm, "perf_counter", lambda: 100 + len(pauses))
    monkeypatch.setattr(ulfm, "QUIET", 5)
    monkeypatch.setattr(ulfm, "NEWS", 5)
    monkeypatch.setattr(ulfm, "sleep", pauses.append)
    monkeypatch.setattr(MPI, "COMM_SELF", SimpleNamespace(Iprobe=lambda: None))
    return pauses


LOSSES = {"ERR_PROC_FAILED": 201, "ERR_PROC_FAILED_PENDING": 202, "ERR_REVOKED": 203}


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_no_agreement(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for each, kind in LOSSES.items():  # a library without ULFM has one number for all
        monkeypatch.setattr(MPI, each, kind)
    ranks: Any = Ranks([0], Agree=[Failure(LOSSES[name])])
    assert not ulfm.agree(ranks)


def test_another_failure_of_mpi_is_a_bug() -> None:
    ranks: Any = Ranks([0], Agree=[Failure(MPI.ERR_TRUNCATE)])
    with pytest.raises(Failure):
        ulfm.agree(ranks)


@pytest.mark.parametrize(("gone", "found"), [([0, 0, 1], True), ([0], False)])
def test_the_news_of_a_loss_may_come_after_what_came_of_it(gone: list[int], found: bool, clock: list[float]) -> None:
    ranks: Any = Ranks(gone)
    assert ulfm.missed(ranks) is found
    assert len(clock) == (2 if found else ulfm.NEWS)


def test_all_come_to_shrink_after_a_moment_without_another_loss(clock: list[float]) -> None:
    ranks: Any = Ranks([1, 1, 2, 2, 3], Agree=[1, 1], Shrink=["smaller"])
    assert ulfm.shrunk(ranks) == "smaller"
    assert ranks.called == ["Ack_failed", "Agree", "Shrink", "Agree"]
    assert len(clock) == 4 + 5  # the last loss is seen after four


def test_nobody_shrinks_before_all_know_of_every_loss(clock: list[float]) -> None:
    ranks: Any = Ranks([1], Agree=[Failure(MPI.ERR_PROC_FAILED), 1, 1], Shrink=["smaller"])
    assert ulfm.shrunk(ranks) == "smaller"
    assert ranks.called == ["Ack_failed", "Agree", "Ack_failed", "Agree", "Shrink", "Agree"]


@pytest.mark.parametrize("answers", [[Failure(MPI.ERR_PROC_FAILED), "smaller"], ["of some", "smaller"]])
def test_what_is_shrunk_on_some_ranks_alone_is_shrunk_again(clock: list[float], answers: list[Any]) -> None:
    ranks: Any = Ranks([1], Agree=[1, 0, 1, 1], Shrink=answers)
    assert ulfm.shrunk(ranks) == "smaller"


@pytest.mark.ranks(1, others=())
def test_what_is_kept_is_freed_with_the_communicator_or_let_go(comm: Any) -> None:
    """The first thing that is kept, too."""

    class Part:
        freed = False

        def Free(self) -> None:
            self.freed = True

    whole, first, second = comm.Dup(), Part(), Part()
    ulfm.keep(whole, first)
    ulfm.keep(whole, second)
    ulfm.let_go(whole, first)
    assert (first.freed, second.freed) == (True, False)
    whole.Free()
    assert second.freed
