"""Tests that another pytest runs, and that are reported as any other: a job is told which, and says of each how it ended."""

import json
import os
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

TESTS, REPORTS = "MPI_PGD_TESTS", "MPI_PGD_REPORTS"  # variables: files with what to run, and with what came of it
LOOK = 0.02  # seconds between two looks at what came of a test


class Job(ABC):
    """The other pytest, seen from the one that was typed; where a test ends it, there is another one for those after it."""

    limit: int  # seconds of one test, after which the other pytest ends it

    def __init__(self, config: pytest.Config, items: Iterable[pytest.Item]) -> None:
        self.config = config
        self._left = [item.nodeid for item in items]
        self._found: dict[str, list[pytest.TestReport]] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="mpi_pgd-elsewhere-")
        self._thread: threading.Thread | None = None
        self._end: object = None
        self._read_until, self._over = 0, False

    @abstractmethod
    def run(self, words: Sequence[str], env: Mapping[str, object], timeout: float) -> object:
        """Run a pytest with these words and variables to its end; what it said."""

    @abstractmethod
    def kill(self) -> None:
        """End it, and all that it started."""

    def begin(self) -> None:
        """Start it, if it has not been."""
        if self._thread is None:
            self._start(self._left)

    def hand_on(self, item: pytest.Item) -> None:
        """Report a test, as soon as it has ended there."""
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in self._reports(item):
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)

    def close(self) -> None:
        if self._thread and self._thread.is_alive():
            self.kill()
        if self._thread:
            self._thread.join()
        self._folder.cleanup()

    def _reports(self, item: pytest.Item) -> list[pytest.TestReport]:
        self.begin()
        while item.nodeid not in self._found:
            ended = not (self._thread and self._thread.is_alive())  # before the look: what it wrote at last is then seen
            self._read()
            if ended and item.nodeid not in self._found:
                if not self._over:  # else it was the one before that ended the job
                    self._found[item.nodeid] = [_lost(item, self._end)]
                self._start(self._left)
            time.sleep(LOOK)
        return self._found[item.nodeid]

    def _start(self, tests: Sequence[str]) -> None:
        self._left = [test for test in tests if test not in self._found]
        if not self._left:
            return
        folder = Path(self._folder.name)
        (folder / "tests").write_text("\n".join(self._left))
        (folder / "reports").write_text("")
        self._read_until, self._over, self._end = 0, False, None
        self._thread = threading.Thread(target=self._run, args=(folder,))
        self._thread.start()

    def _run(self, folder: Path) -> None:
        files = dict.fromkeys(test.partition("::")[0] for test in self._left)
        words = [*("-p", "no:cacheprovider", "-p", "no:terminal", "-o", "addopts=--import-mode=importlib -p no:pytest_mpi")]
        words += ["-o", f"faulthandler_timeout={self.limit}", *files]
        env = {TESTS: folder / "tests", REPORTS: folder / "reports"}
        try:
            self._end = self.run(words, env, 60.0 + self.limit * len(self._left))
        except BaseException as error:  # also pytest's own, which are none of Exception
            self._end = error

    def _read(self) -> None:
        with (Path(self._folder.name) / "reports").open() as stream:
            stream.seek(self._read_until)
            for line in iter(stream.readline, ""):
                if not line.endswith("\n"):
                    return  # it is still being written
                self._read_until = stream.tell()
                test, reports, self._over = json.loads(line)
                self._found.setdefault(test, [self._loaded(report) for report in reports])

    def _loaded(self, told: Any) -> pytest.TestReport:
        report = self.config.hook.pytest_report_from_serializable(config=self.config, data=told)
        if report.skipped:
            report.longrepr = tuple(report.longrepr)  # JSON has lists alone
        return report


def _lost(item: pytest.Item, end: object) -> pytest.TestReport:
    text = f"what ran this test ended in it: {getattr(end, 'msg', end)}"
    return pytest.TestReport(item.nodeid, item.location, {}, "failed", text, "call")


class There:
    """The other pytest's side."""

    def __init__(self) -> None:
        tests, self._reports = (os.environ.pop(name, "") for name in (TESTS, REPORTS))  # not for what starts from here
        self.tests = Path(tests).read_text().splitlines() if tests else []

    def asked(self, items: Iterable[pytest.Item]) -> list[pytest.Item]:
        """Those that it was told to run, in that order; all, where it was told nothing."""
        found = {item.nodeid: item for item in items}
        return [found[test] for test in self.tests] if self.tests else [*found.values()]

    def write(self, item: pytest.Item, reports: list[Any], over: bool = False) -> None:
        """Hand a test's reports out; ``over``: the job ends with it."""
        if self._reports:
            with Path(self._reports).open("a") as stream:
                stream.write(json.dumps([item.nodeid, reports, over], default=str) + "\n")


def told(item: pytest.Item, reports: Iterable[pytest.TestReport]) -> list[Any]:
    """What becomes of reports, to be written."""
    return [item.config.hook.pytest_report_to_serializable(config=item.config, report=report) for report in reports]
