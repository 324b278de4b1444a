"""Signals to a process whose main thread waits in MPI, where Python's own handlers never run; and to one that does not."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mpi_pgd.recovery.signals import ECHO, SIGNALS, SignalFlag
from tests.launch import LEFT_OUT, ROOT, Library
from tests.thorough import plainly, thorough

pytestmark = pytest.mark.beside("jobs")

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


@pytest.mark.parametrize(
    ("first", "second", "when"), [("USR1", "USR1", "first"), thorough("TERM", "INT", "first"), ("INT", "TERM", "late")]
)
def test_in_a_blocked_collective_one_saves_echoes_do_nothing_and_a_later_one_ends(
    library: Library, first: str, second: str, when: str, tmp_path: Path
) -> None:
    saved = tmp_path / "saved"
    with waiting(library, saved, when) as process:
        for name in (first, "USR1", "TERM"):  # as a batch system and a launcher send them, both of the same request
            process.send_signal(signal.Signals[f"SIG{name}"])
        limit = time.monotonic() + LIMIT
        while not saved.exists() or not saved.read_text():
            assert time.monotonic() < limit, "nothing was saved"
            assert process.poll() is None
            time.sleep(0.01)
        assert saved.read_text() == "came: True"
        time.sleep(ECHO)
        assert process.poll() is None
        process.send_signal(signal.Signals[f"SIG{second}"])
        assert process.wait(LIMIT) == -signal.Signals[f"SIG{second}"]


@pytest.mark.parametrize("number", SIGNALS)
def test_the_watcher_hears_what_the_main_thread_heard(number: signal.Signals) -> None:
    before = {each: signal.getsignal(each) for each in SIGNALS}
    with SignalFlag() as flag:
        assert not flag.hear()
        os.kill(os.getpid(), number)
        assert flag.came
        assert flag.hear()
        assert not flag.hear()
    assert {each: signal.getsignal(each) for each in SIGNALS} == before


def test_what_was_heard_long_ago_is_not_taken_for_another() -> None:
    with SignalFlag() as flag:
        os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(1.2 * ECHO)
        assert flag.hear()  # by a watcher that starts late
        time.sleep(1.2 * ECHO)
        flag._note(signal.SIGUSR1, None)  # the main thread was in a collective for so long, and a signal was pending


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


def caught(pid: int) -> int:
    """The signals that a process has handlers for, as bits; all once it has ended."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1], 16) for line in lines if line.startswith("SigCgt")), -1)


@pytest.mark.parametrize("number", plainly([signal.SIGUSR1], SIGNALS))
def test_a_signal_before_anything_is_imported_ends_a_fit_in_good_order(number: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mpi_pgd", "--quiet", "--out", str(tmp_path / "out")]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(LEFT_OUT)}
    all_of_them = sum(1 << (each - 1) for each in SIGNALS)
    for _ in range(10):  # on a busy machine this process may look too late
        with subprocess.Popen(command, stderr=subprocess.PIPE, env=environment, cwd=ROOT, start_new_session=True) as process:
            try:
                while caught(process.pid) & all_of_them != all_of_them:  # Python alone has one for INT
                    time.sleep(1e-4)
                process.send_signal(signal.SIGSTOP)
                early = "numpy" not in Path(f"/proc/{process.pid}/maps").read_text()
                process.send_signal(number)
                process.send_signal(signal.SIGCONT)
                said = process.communicate(timeout=LIMIT)[1]
                assert (process.returncode, said) == (75, b"")
                if early:
                    return
            finally:
                process.kill()
    raise AssertionError("signals are heard after numpy is imported")


def test_a_flag_takes_over_what_the_one_around_it_has_heard() -> None:
    with SignalFlag() as early:
        os.kill(os.getpid(), signal.SIGTERM)
        assert early.came
        with SignalFlag() as flag:
            assert flag.came
            assert flag.hear()  # the watcher, too
    with SignalFlag() as early, SignalFlag() as flag:
        assert not flag.came
