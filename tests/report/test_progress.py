"""What the live line says of the time that is left, and that it is one line."""

import fcntl
import logging
import math
import os
import pty
import struct
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import TextIO

import pytest

from mpi_pgd.report import line as module
from mpi_pgd.report.line import columns
from mpi_pgd.report.progress import Progress, Steps, rounds_to, steps


@pytest.mark.parametrize(
    ("aim", "begin", "now", "rounds"),
    [
        (1e-6, (0, 1.0), (300, 1e-3), 300),
        (1e-6, (100, 1e-2), (200, 1e-4), 100),
        (1e-6, (0, 1.0), (5, 1e-7), 0),
        (0.0, (0, 1.0), (300, 1e-3), math.inf),
        (1e-6, (0, 1.0), (300, 1.0), math.inf),
        (1e-6, (0, 1.0), (300, 2.0), math.inf),
        (1e-6, (0, 1.0), (300, math.nan), math.inf),
        (1e-6, (0, math.inf), (300, 1.0), math.inf),
    ],
)
def test_rounds_to(aim: float, begin: tuple[int, float], now: tuple[int, float], rounds: float) -> None:
    assert rounds_to(aim, begin, now) == pytest.approx(rounds)


@pytest.mark.parametrize(
    ("limit", "tol", "until", "said"),
    [
        (10**12, 1e-3, math.inf, "60 min of the job left: enough\n"),  # as far again as it got
        (10**12, 0.0, math.inf, "60 min of the job left: too few at this rate\n"),
        (20, 0.0, math.inf, "60 min of the job left: enough\n"),
        (10**12, 0.0, 100, "60 min of the job left: enough\n"),  # --max-seconds ends it sooner
    ],
)
def test_whether_the_job_will_do(
    limit: int, tol: float, until: float, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mpi_pgd.report.progress.LOGGED", 0.0)
    now = perf_counter()
    progress = Progress(limit, tol, now + until, now + 3600 * 1.001, 0.0)
    progress.begun = progress.last = now - 10
    progress(0, 1.0, 1.0)
    progress.last = now - 10
    progress(10, 0.5, 0.5)
    assert capsys.readouterr().err.splitlines(keepends=True)[-1].endswith(said)


def test_without_a_limit_of_the_job(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpi_pgd.report.progress.LOGGED", 0.0)
    progress = Progress(100, 0.0, math.inf, math.inf, 0.0)
    progress(0, 1.0, 1.0)
    progress(10, 1.0, 1.0)
    assert capsys.readouterr().err.rstrip().endswith("left")


def said(progress: Progress, capsys: pytest.CaptureFixture[str], *call: float) -> str:
    progress.last = 0.0
    progress(int(call[0]), *call[1:])
    return capsys.readouterr().err.splitlines()[-1]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpi_pgd.report.progress.LOGGED", 0.0)


@pytest.mark.usefixtures("log")
def test_the_slope_tells_how_long(capsys: pytest.CaptureFixture[str]) -> None:
    """Not the limit of the rounds, which nobody expects it to reach."""
    progress = Progress(10**9, 1e-6, math.inf, math.inf, 0.0)
    assert said(progress, capsys, 0, 1.0, 1.0).endswith("rounds/s")  # nothing is known yet
    progress.begun -= 9
    assert said(progress, capsys, 300, 0.5, 1e-3).endswith("about 9 s left")
    assert said(progress, capsys, 310, 0.5, 2.0).endswith("rounds/s")  # it rises: that can't be known


@pytest.mark.usefixtures("log")
def test_the_slope_is_that_of_late(capsys: pytest.CaptureFixture[str]) -> None:
    """A fit that begins fast and goes on slowly: from 1e-3 on a power of ten takes 1,000 rounds."""
    progress = Progress(10**9, 1e-6, math.inf, math.inf, 0.0)
    said(progress, capsys, 0, 1.0, 1.0)
    for done in range(10, 2010, 10):
        progress.begun = perf_counter() - done / 100
        line = said(progress, capsys, done, 0.5, 10 ** -(done / 10 if done < 30 else 3 + (done - 30) / 1000))
    assert line.endswith("about 10 s left")


@pytest.mark.usefixtures("log")
def test_the_user_s_limit_is_the_most(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(10**9, 1e-6, perf_counter() + 30.4, math.inf, 0.0)
    assert said(progress, capsys, 0, 1.0, 1.0).endswith("at most 30 s left")
    progress.until = perf_counter() - 1
    assert said(progress, capsys, 1, 1.0, 1.0).endswith("at most 0 s left")


@pytest.fixture
def screen() -> Iterator[tuple[int, TextIO]]:
    """A terminal: the end that reads what is shown, and the program's."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as stream:
        yield ours, stream
    os.close(ours)


def resize(terminal: TextIO, width: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))


@pytest.mark.parametrize(
    ("width", "there", "gone"),
    [
        (120, ("round 12345  objective 0.123456789  gradient 1.00e-03", "rounds/s", "left"), ()),
        (75, ("round 12345  objective 0.123456789  gradient 1.00e-03", "left"), ("rounds/s",)),
        (50, ("round 12345  gradient 1.00e-03", "left"), ("objective",)),
        (32, ("round 12345", "left"), ("gradient",)),
        (8, ("round 1",), ("2345",)),
        (0, ("round 12345", "left"), ()),  # the terminal does not know
    ],
)
def test_one_line_whatever_the_width(
    width: int,
    there: tuple[str, ...],
    gone: tuple[str, ...],
    screen: tuple[int, TextIO],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, theirs = screen
    resize(theirs, width)
    monkeypatch.setattr(sys, "stderr", theirs)
    progress = Progress(10**6, 0.0, math.inf, math.inf, 0.0)
    assert module.LINE.terminal
    progress(0, 1.0, 1.0)
    progress.begun, progress.last = perf_counter() - 10, 0.0
    progress(12345, 0.123456789, 1e-3)
    shown = os.read(ours, 4096).decode()
    assert shown.startswith("\r\x1b[K")
    line = shown.removeprefix("\r\x1b[K")
    assert len(line) < (width or 80)
    assert all(words in line for words in there), line
    assert not any(words in line for words in gone), line


def test_a_sentence_takes_the_place_of_the_live_line(screen: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = screen
    monkeypatch.setattr(sys, "stderr", theirs)
    line = module.Line()
    assert line.begin()
    line.show([("round 1", 0)])
    for sentence in ("100% of it", "more"):
        line.handle(logging.makeLogRecord({"msg": sentence}))
    line.show([("round 2", 0)])
    clear = "\r\x1b[K"
    shown = ""
    while "round 2" not in shown:  # a terminal gives what it has, not all that was written
        shown += os.read(ours, 4096).decode()
    assert shown == f"{clear}round 1{clear}mpi_pgd: 100% of it\r\nmpi_pgd: more\r\n{clear}round 2"


def test_a_thread_that_hangs_in_writing_keeps_no_other_waiting(capsys: pytest.CaptureFixture[str]) -> None:
    line = module.Line()
    thread = threading.Thread(target=line.handle, args=(logging.makeLogRecord({"msg": "said"}),), daemon=True)
    with line.lock:  # as the one that hangs would hold
        thread.start()
        thread.join(30)
        assert not thread.is_alive()
    assert capsys.readouterr().err == "mpi_pgd: said\n"


def test_a_terminal_that_can_not_be_asked(tmp_path: Path) -> None:
    assert columns(tmp_path / "none") == columns(Path("/dev/null")) == 80


def test_what_can_not_be_written_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    full = Path("/dev/full").open("w")  # noqa: SIM115  (closing it fails, too)
    monkeypatch.setattr(sys, "stderr", full)
    module.Line().show([("round 1", 0)])
    monkeypatch.undo()
    with pytest.raises(OSError, match="No space"):
        full.close()


def test_steps_say_which_and_how_long() -> None:
    line = Steps("turn", ["a", "b", "a", "b"], shown=False)
    line.next()
    assert line.text(line.began + 99) == "turn 1 of 4"  # nothing is known yet
    line.began -= 10
    line.next()
    assert line.text(line.began) == "turn 2 of 4, about 30 s left"  # one of a, and two of b, which may take as long
    line.began -= 30
    line.next()
    assert line.text(line.began + 5) == "turn 3 of 4, about 35 s left"
    assert line.text(line.began + 99) == "turn 3 of 4, about 30 s left"  # longer than it should
    assert Steps("turn", "aa", False, until=perf_counter() + 7.2).text(perf_counter()).endswith("at most 7 s left")


def test_a_line_comes_however_long_a_step_takes(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpi_pgd.report.progress.LOGGED", 0.02)
    for number in steps("turn", [1, 2], True):
        time.sleep(0.1 if number == 1 else 0.0)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) > 1
    assert set(lines) == {"turn 1 of 2"}
    assert list(steps("turn", [1, 2], False)) == [1, 2]
    assert capsys.readouterr().err == ""


def test_steps_that_are_left_end_their_thread() -> None:
    before = threading.active_count()
    for _ in steps("turn", [1, 2, 3], True):
        break
    assert threading.active_count() == before
