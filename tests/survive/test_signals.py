"""Signals to a process whose main thread waits in MPI, where Python's own handlers never run; and to one that does not."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mpi_pgd.survive.signals import SIGNALS, SignalFlag
from tests.launch import LEFT_OUT, ROOT, Library

SCRIPT = Path(__file__).with_name("signals_script.py")
LIMIT = 30.0


@contextmanager
def waiting(library: Library, saved: Path, when: str) -> Iterator[subprocess.Popen[bytes]]:
    """A world of one that waits for a message that never comes."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(LEFT_OUT)}
    environment["PYTHONPATH"] = str(ROOT)
    command = [library.python, str(SCRIPT), str(saved), when]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, start_new_session=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == b"waiting\n"
            time.sleep(0.2)  # into the call
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(("first", "second"), [("USR1", "USR1"), ("TERM", "INT"), ("INT", "TERM"), ("USR1", "TERM")])
def test_in_a_blocked_collective_the_first_saves_and_the_second_ends(
    library: Library, first: str, second: str, tmp_path: Path
) -> None:
    saved = tmp_path / "saved"
    with waiting(library, saved, "first") as process:
        process.send_signal(signal.Signals[f"SIG{first}"])
        limit = time.monotonic() + LIMIT
        while not saved.exists() or not saved.read_text():
            assert time.monotonic() < limit, "nothing was saved"
            assert process.poll() is None
            time.sleep(0.01)
        assert saved.read_text() == "came: True"
        process.send_signal(signal.Signals[f"SIG{second}"])
        assert process.wait(LIMIT) == -signal.Signals[f"SIG{second}"]


def test_two_signals_before_the_watcher_looks_end_it_too(library: Library, tmp_path: Path) -> None:
    with waiting(library, tmp_path / "saved", "late") as process:
        assert process.wait(LIMIT) in (-signal.SIGTERM, -signal.SIGUSR1)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_watcher_hears_what_the_main_thread_heard(number: signal.Signals) -> None:
    before = {each: signal.getsignal(each) for each in SIGNALS}
    with SignalFlag() as flag:
        assert not flag.hear()
        os.kill(os.getpid(), number)
        assert flag.came
        assert flag.hear()
        assert not flag.hear()
        assert {signal.getsignal(each) for each in SIGNALS} == {signal.SIG_DFL}
    assert {each: signal.getsignal(each) for each in SIGNALS} == before


def test_other_signals_are_not_ours() -> None:
    heard = []
    before = signal.signal(signal.SIGUSR2, lambda number, _: heard.append(number))
    try:
        with SignalFlag() as flag:
            os.kill(os.getpid(), signal.SIGUSR2)
            assert not flag.hear()
            assert not flag.came
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert heard == [signal.SIGUSR2]


def test_the_callers_wakeup_pipe_is_restored() -> None:
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    before = signal.set_wakeup_fd(theirs)
    try:
        with SignalFlag():
            pass
        assert signal.set_wakeup_fd(before) == theirs
    finally:
        signal.set_wakeup_fd(before)
        os.close(ours)
        os.close(theirs)
