"""Tests that wait for programs: those marked ``beside(NAME)`` run in a pytest of that name, and are reported last.

They start real jobs and share nothing with the others but the machine: hosts and a SLURM are namespaces of their own. Others
compute in one process: in the end one core would be idle. Those that mostly sleep begin at once; so do those that compute and have
no time to keep, which give way to all others: the tests inside an mpirun wait for each other half of the time. Others begin when
those inside the first library's are over, and those that measure when all such are. Where all that are asked for are of this kind,
they run as usual.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence

import pytest
from _pytest.runner import runtestprotocol

from tests.elsewhere import TESTS, Job, There, told
from tests.inside import parallel, place
from tests.launch import GRACE

ASLEEP = ("chaos", "jobs", "slurm")  # those that mostly sleep
COMPUTE = ("numbers", "pages")  # those that compute, and start no job
NICE = 5  # so much they give way: a third of what others have, so no browser is kept waiting for its limit
MEASURES = ("hosts",)  # so it waits until there are fewer ranks


def there() -> bool:
    """Whether this process is such a pytest."""
    return TESTS in os.environ


def lane(item: pytest.Item) -> str:
    """The name of the pytest in which it runs; "": of this one."""
    marker = item.get_closest_marker("beside")
    return marker.args[0] if marker and not parallel(item) else ""


class Beside:
    """pytest's own process: starts the others, and reports their tests behind its own."""

    def __init__(self, config: pytest.Config) -> None:
        self.config, self.lanes, self.first = config, dict[str, Lane](), ""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        names = dict.fromkeys(lane(item) for item in items)
        items.sort(key=lambda item: [*sorted(names)].index(lane(item)))
        if "" in names and not self.config.option.collectonly:
            self.lanes = {name: Lane(self.config, name, [item for item in items if lane(item) == name]) for name in names if name}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> None:
        for name in {*self.lanes} & {*ASLEEP, *COMPUTE}:
            self.lanes[name].begin()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        among = place(item)[0] if parallel(item) else ""
        self.first = self.first or among
        for name, each in self.lanes.items():
            if not among or (among != self.first and name not in MEASURES):
                each.begin()
        if lane(item) not in self.lanes:
            return None
        self.lanes[lane(item)].hand_on(item)
        return True

    def pytest_unconfigure(self) -> None:
        for each in self.lanes.values():
            each.close()


class Lane(Job):
    """The pytest of one name."""

    limit = 300

    def __init__(self, config: pytest.Config, name: str, items: Iterable[pytest.Item]) -> None:
        super().__init__(config, items)
        self._before = ["nice", "-n", str(NICE)] if name in COMPUTE else []
        self._processes = list[subprocess.Popen[bytes]]()

    def run(self, words: Sequence[str], env: Mapping[str, object], timeout: float) -> str:
        command = [*self._before, sys.executable, "-m", "pytest", *words]
        variables = {**os.environ, **{key: str(value) for key, value in env.items()}}
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(
                command, env=variables, cwd=self.config.rootpath, stdout=said, stderr=said, start_new_session=True
            )
            self._processes.append(process)
            try:
                process.wait(timeout)
            finally:
                self.kill()
            said.seek(0)
            return f"exit code {process.returncode}\n{said.read().decode(errors='replace')}"

    def kill(self) -> None:
        """Asked first, it ends the jobs of its test."""
        for process in self._processes[-1:]:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.terminate()
                process.wait(2 * GRACE)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


class Alone:
    """Such a pytest: runs what it is asked for, as long as there is somebody who asked."""

    def __init__(self) -> None:
        self.there, self.parent = There(), os.getppid()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = self.there.asked(items)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        if os.getppid() != self.parent:
            pytest.exit("nobody is left to report to")
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        self.there.write(item, told(item, reports))
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        return True
