"""Saves one at a time, by the thread that asks for them; the watcher's tests have them in a run."""

from threading import Event, Thread

import pytest

from mpi_pgd.errors import InputError
from mpi_pgd.recovery.saver import Job, Saver

LONG = 10  # seconds after which a test gives up


def saver() -> tuple[Saver, list[str], list[BaseException]]:
    said: list[str] = []
    bugs: list[BaseException] = []
    return Saver(said.append, lambda: None, bugs.append), said, bugs


def test_what_is_asked_for_during_a_save_begins_after_it_and_once() -> None:
    found, said, bugs = saver()
    begun, go, order = Event(), Event(), list[str]()

    def slow() -> str:
        begun.set()
        go.wait(LONG)
        order.append("slow")
        return ""

    def quick() -> str:
        order.append("quick")
        return "saved"

    first = found.request(slow)
    assert begun.wait(LONG)
    second, third = found.request(quick), found.request(quick)
    assert second is third
    assert not second.ended
    go.set()
    found.finish()
    assert (order, first.saved, second.saved, second.sentence) == (["slow", "quick"], True, True, "saved")
    assert (said, bugs) == ([], [])


def test_a_failure_is_said_once_whatever_its_numbers_and_a_bug_is_told_every_time() -> None:
    found, said, bugs = saver()
    sentences = iter(["disk full at 3 bytes", "disk full at 12 bytes", "no such folder"])

    def fails() -> str:
        raise InputError(next(sentences))

    for _ in range(3):
        found.request(fails)
        found.finish()
    assert said == ["disk full at 3 bytes", "no such folder"]
    for _ in range(2):
        found.request(lambda: str(1 // 0))
        found.finish()
    assert [type(bug) for bug in bugs] == [ZeroDivisionError] * 2


def test_without_another_thread_it_saves_in_that_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(Thread, "start", none)
    woken: list[bool] = []
    job = Job(lambda: "saved", lambda: woken.append(True))
    job.start()
    job.join()
    assert (job.ended, job.saved, job.sentence, woken) == (True, True, "saved", [True])
