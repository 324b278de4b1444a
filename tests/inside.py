"""Tests that take ``comm``: they run inside one mpirun a library, each on its first ranks, and are reported as any other test.

Outside, ``Outside`` starts the mpirun when the first of them is due, and hands on what its ranks report of each. Inside, ``Inside``
runs them: those ranks that a test does not need sleep until it has ended, and all learn how it ended on any of them.
"""

import json
import os
import tempfile
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from mpi_pgd.system.log import RANK_VARIABLES
from tests.launch import Library, Result, Running, launch, libraries, named

WORLD = 7  # ranks of the mpirun
SIZES = (1, 2, 3, 5)  # ranks of a test that does not say: odd ones give uneven shards, five are more than there are cores
TESTS, REPORTS = "MPI_PGD_TESTS", "MPI_PGD_REPORTS"  # variables: files with what to run, and with what came of it
LIMIT = 60  # seconds of one test, after which its ranks say where they stand, and end
ALONE = 10  # seconds that a rank which has failed waits for the others, who may wait for it in a collective
PAUSE = 1e-3  # seconds between two looks of a rank that sleeps


def inside() -> bool:
    """Whether this process is a rank."""
    return any(name in os.environ for name in RANK_VARIABLES)


def sizes(metafunc: pytest.Metafunc) -> Sequence[int]:
    """The numbers of ranks that a test runs on: ``@pytest.mark.ranks(1, 7)``."""
    marker = metafunc.definition.get_closest_marker("ranks")
    return marker.args if marker else SIZES


def parallel(item: pytest.Item) -> bool:
    return "comm" in getattr(item, "fixturenames", ())


def place(item: pytest.Item) -> tuple[str, int]:
    """The library and the number of ranks of a test."""
    name, ranks = item.callspec.params["comm"]  # type: ignore[attr-defined]
    return name, ranks


class Outside:
    """pytest's own process: starts the jobs, one after the other, and reports their tests in its own order."""

    def __init__(self, config: pytest.Config) -> None:
        self.config, self.jobs, self.items = config, dict[str, Job](), list[pytest.Item]()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Those of one library come together, and first."""
        self.items = sorted(filter(parallel, items), key=lambda item: place(item)[0])
        items[:] = [*self.items, *(item for item in items if not parallel(item))]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        if not parallel(item) or place(item)[0] not in libraries():
            return None  # the fixture skips it
        job = self._job(place(item)[0])
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in job.reports(item):
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def pytest_unconfigure(self) -> None:
        for job in self.jobs.values():
            job.close()

    def _job(self, name: str) -> "Job":
        if name not in self.jobs:
            self.jobs[name] = Job(self.config, libraries()[name], [item for item in self.items if place(item)[0] == name])
        return self.jobs[name]


class Job:
    """The mpirun of one library; where a test ends it, another one for those after it."""

    def __init__(self, config: pytest.Config, library: Library, items: Sequence[pytest.Item]) -> None:
        self._config, self._library = config, library
        self._left = [item.nodeid for item in items]
        self._found: dict[str, list[pytest.TestReport]] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="mpi_pgd-inside-")
        self._thread: threading.Thread | None = None
        self._running: Running | None = None
        self._end: Result | BaseException | None = None
        self._read_until, self._over = 0, False

    def reports(self, item: pytest.Item) -> list[pytest.TestReport]:
        """What the ranks say of a test, as soon as they have."""
        if self._thread is None:
            self._start(self._left)
        while item.nodeid not in self._found:
            ended = not self._thread.is_alive()  # before the look: what it wrote at last is then seen
            self._read()
            if ended and item.nodeid not in self._found:
                if not self._over:  # else it was the one before that ended the job
                    self._found[item.nodeid] = [_lost(item, self._end)]
                self._start(self._left)
            time.sleep(PAUSE)
        return self._found[item.nodeid]

    def close(self) -> None:
        if self._running and self._thread.is_alive():
            self._running.kill(self._running.processes())
        if self._thread:
            self._thread.join()
        self._folder.cleanup()

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
        words += ["-o", f"faulthandler_timeout={LIMIT}", *files]
        # Ranks outnumber cores: see mpi_pgd/__main__.py.
        env = {TESTS: folder / "tests", REPORTS: folder / "reports", "MPIR_CVAR_DEVICE_COLLECTIVES": "none"}
        timeout = 60.0 + LIMIT * len(self._left)
        try:
            self._end = launch(
                self._library,
                WORLD,
                *words,
                module="pytest",
                timeout=timeout,
                env=env,
                during=self._started,
                cwd=self._config.rootpath,
            )
        except BaseException as error:  # also pytest's own, which are none of Exception
            self._end = error

    def _started(self, running: Running) -> None:
        self._running = running

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
        report = self._config.hook.pytest_report_from_serializable(config=self._config, data=told)
        if report.skipped:
            report.longrepr = tuple(report.longrepr)  # JSON has lists alone
        return report


def _lost(item: pytest.Item, end: Result | BaseException | None) -> pytest.TestReport:
    text = f"the ranks ended in this test: {getattr(end, 'msg', end)}"
    return pytest.TestReport(item.nodeid, item.location, {}, "failed", text, "call")


class Inside:
    """A rank: runs what it is asked for, together with the others."""

    def __init__(self) -> None:
        from mpi4py import MPI

        self.world, self.items = MPI.COMM_WORLD, list[pytest.Item]()
        self.library = named(MPI.get_vendor()[0])
        self.teams = {ranks: self.world.Split(0 if self.world.rank < ranks else MPI.UNDEFINED) for ranks in range(1, WORLD + 1)}
        self.comm: Any = None

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        found = {item.nodeid: item for item in items if parallel(item) and place(item)[1] <= self.world.size}
        wanted = Path(os.environ[TESTS]).read_text().splitlines() if TESTS in os.environ else list(found)
        items[:] = self.items = [found[test] for test in wanted]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool:
        reports = []
        if self._takes_part(item):
            self.comm = self.teams[place(item)[1]].Dup()  # of its own: a test that fails may leave messages behind
            after = self.items[self.items.index(item) + 1 :]
            reports = runtestprotocol(item, log=False, nextitem=next(filter(self._takes_part, after), None))
        told = [item.config.hook.pytest_report_to_serializable(config=item.config, report=report) for report in reports]
        self._meet(item, told)
        if self._takes_part(item):
            self.comm.Free()
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        return True

    def _takes_part(self, item: pytest.Item) -> bool:
        return self.world.rank < place(item)[1]

    def _meet(self, item: pytest.Item, told: list[Any]) -> None:
        """All wait asleep until the test has ended everywhere. If it failed on any rank, it failed."""
        failed, request = bad(told), self.world.Ibarrier()
        limit = time.monotonic() + ALONE
        while not request.Test():
            time.sleep(PAUSE)
            if failed and time.monotonic() > limit:
                write(item, told, over=True)
                self.world.Abort(1)
        everyone = self.world.gather(told)
        if self.world.rank == 0:
            write(item, next(filter(bad, everyone), everyone[0]))


def bad(told: Iterable[Any]) -> bool:
    return any(report["outcome"] == "failed" for report in told)


def write(item: pytest.Item, told: list[Any], over: bool = False) -> None:
    """Hand a test's reports out; ``over``: the ranks end with it."""
    if REPORTS in os.environ:
        with Path(os.environ[REPORTS]).open("a") as stream:
            stream.write(json.dumps([item.nodeid, told, over], default=str) + "\n")
