"""Tests that take ``comm``: they run inside one mpirun a library, each on its first ranks, and are reported as any other test.

Outside, ``Outside`` starts the mpirun when the first of them is due, and hands on what its ranks report of each. Inside, ``Inside``
runs them: ranks that a test does not need sleep until one does, and those that it ran on learn how it ended on any of them.
"""

import math
import os
import re
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from mpi_pgd.comm.components import silence
from mpi_pgd.system.log import RANK_VARIABLES
from tests.elsewhere import Job, There, told
from tests.launch import Library, Result, Running, launch, libraries, named
from tests.meeting import meet

WORLD = 8  # ranks of the mpirun
SIZES = (1, 2, 3)  # ranks of a test that does not say: odd ones give uneven shards
OTHERS = (5,)  # of such a test with all libraries but the first, as numbers know nothing of the library: more than there are cores
RARELY = (2,)  # those of them that the plain command leaves out
ALONE = 10  # seconds that a rank which has failed waits for the others, who may wait for it in a collective


def inside() -> bool:
    """Whether this process is a rank."""
    return any(name in os.environ for name in RANK_VARIABLES)


def places(metafunc: pytest.Metafunc, names: Sequence[str], there: Sequence[str]) -> list[Any]:
    """The libraries with which a test runs, and on how many ranks: ``@pytest.mark.ranks(1, 7)``.

    With all but the first that is ``there`` it may be others, ``@pytest.mark.ranks(1, 7, others=(5,))``, or none, ``others=()``:
    where the library changes nothing. One that is there alone has all. ``@pytest.mark.ranks(1, libraries=["mpich"])`` is for what
    only one has. With ``rarely=(7,)`` the plain command leaves these out.
    """
    marker = metafunc.definition.get_closest_marker("ranks")
    kinds, more = (marker.args, marker.kwargs) if marker else (SIZES, {"others": OTHERS, "rarely": RARELY})
    others = more.get("others", kinds)
    every = dict.fromkeys([*kinds, *others])  # a rank does not know which library is the first, and is told what to run
    first = kinds if len(there) > 1 else every
    asked = {name: every if inside() else first if name == there[0] else others for name in more.get("libraries", names)}
    rarely = more.get("rarely", ())
    cases = [(name, ranks) for name in names for ranks in asked.get(name, ())]
    marks: dict[bool, Any] = {True: pytest.mark.thorough, False: ()}
    return [pytest.param(case, id=f"{case[0]}-{case[1]}", marks=marks[case[1] in rarely]) for case in cases]


def parallel(item: pytest.Item) -> bool:
    """Whether it takes `comm`; on ranks of a library that it is not for, it has none."""
    return "comm" in getattr(item, "fixturenames", ()) and isinstance(item.callspec.params.get("comm"), tuple)  # type: ignore[attr-defined]


def place(item: pytest.Item) -> tuple[str, int]:
    """The library and the number of ranks of a test."""
    name, ranks = item.callspec.params["comm"]  # type: ignore[attr-defined]
    return name, ranks


class Outside:
    """pytest's own process: starts the jobs, one after the other, and reports their tests in its own order."""

    def __init__(self, config: pytest.Config) -> None:
        self.config, self.jobs, self.items = config, dict[str, Ranks](), list[pytest.Item]()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Those of one library come together, and first."""
        self.items = sorted(filter(parallel, items), key=lambda item: place(item)[0])
        items[:] = [*self.items, *(item for item in items if not parallel(item))]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        if not parallel(item) or place(item)[0] not in libraries():
            return None  # the fixture skips it
        self._job(place(item)[0]).hand_on(item)
        return True

    def pytest_unconfigure(self) -> None:
        for job in self.jobs.values():
            job.close()

    def _job(self, name: str) -> "Ranks":
        if name not in self.jobs:
            self.jobs[name] = Ranks(self.config, (item for item in self.items if place(item)[0] == name), libraries()[name])
        return self.jobs[name]


class Ranks(Job):
    """The mpirun of one library."""

    limit = 60  # then the ranks say where they stand, and end

    def __init__(self, config: pytest.Config, items: Iterable[pytest.Item], library: Library) -> None:
        super().__init__(config, items)
        self._library, self._running = library, list[Running]()

    def run(self, words: Sequence[str], env: Mapping[str, object], timeout: float) -> Result:
        # Ranks outnumber cores: see mpi_pgd/__main__.py.
        more = {**env, "MPIR_CVAR_DEVICE_COLLECTIVES": "none"}
        more["MKL_NUM_THREADS"] = 1  # with OpenBLAS's, as of the program: else each fit looks through the libraries of its process
        silence(more)  # as of the program, which starts MPI itself
        where = {"module": "pytest", "cwd": self.config.rootpath}
        return launch(self._library, WORLD, *words, timeout=timeout, env=more, during=self._running.append, **where)

    def kill(self) -> None:
        for running in self._running[-1:]:
            running.kill(running.processes())


class Inside:
    """A rank: runs what it is asked for, together with the others. It loads no file in which it has nothing to do."""

    def __init__(self, config: pytest.Config) -> None:
        from mpi4py import MPI

        self.world, self.there = MPI.COMM_WORLD, There()
        self.library = named(MPI.get_vendor()[0])
        self.teams = {ranks: self.world.Split(0 if self.world.rank < ranks else MPI.UNDEFINED) for ranks in range(1, WORLD + 1)}
        self.comm: Any = None
        self.before: dict[str, int] = {}  # by test: so many of the first ranks ran the one before it
        self.order = self.there.tests
        if self.order:
            self.there.tests = [test for test in self.order if self.world.rank < self._size(test)]
            config.args[:] = dict.fromkeys(test.partition("::")[0] for test in self.there.tests)
        self.mine = {test.partition("[")[0] for test in self.there.tests}

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makeitem(self, collector: pytest.Collector, name: str) -> list[pytest.Item] | None:
        """Cases of tests in which it has nothing to do are not made: most take no `comm`."""
        return [] if self.mine and name.startswith("test") and f"{collector.nodeid}::{name}" not in self.mine else None

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        there = [item for item in items if parallel(item) and place(item)[1] <= self.world.size]
        order = self.order or [item.nodeid for item in there]
        self.before = dict(zip(order, [WORLD, *map(self._size, order)], strict=False))
        items[:] = self.there.asked(item for item in there if self.world.rank < place(item)[1])

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        self.comm = self.teams[place(item)[1]].Dup()  # of its own: a test that fails may leave messages behind
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        self._meet(item, told(item, reports))
        self.comm.Free()
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        return True

    def gather(self, item: pytest.Item) -> None:
        """Those that a test needs come together, if they are not: some may have slept for many tests."""
        if self.before[item.nodeid] < place(item)[1]:
            meet(self.teams[place(item)[1]])

    def pytest_sessionfinish(self) -> None:
        """Those that have done all sleep, too: MPI would have them wait awake."""
        meet(self.world)

    def _size(self, test: str) -> int:
        """The ranks of a test, from its name alone."""
        found = re.search(rf"[\[-]{re.escape(self.library)}-(\d+)[\]-]", test)
        assert found, test
        return int(found[1])

    def _meet(self, item: pytest.Item, mine: list[Any]) -> None:
        """All of it wait asleep until the test has ended everywhere. If it failed on any rank, it failed."""
        team, limit = self.teams[place(item)[1]], time.monotonic() + ALONE if bad(mine) else math.inf

        def give_up() -> None:
            if time.monotonic() > limit:
                self.there.write(item, mine, over=True)
                self.world.Abort(1)

        meet(team, give_up)
        everyone = team.gather(mine)
        if team.rank == 0:
            self.there.write(item, next(filter(bad, everyone), everyone[0]))


class Gathering:
    """Has a rank wait for the others outside the time that a test may take: before, it may sleep for longer than that."""

    def __init__(self, inside: Inside) -> None:
        self.inside = inside

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self.inside.gather(item)
        return (yield)


def bad(reports: Iterable[Any]) -> bool:
    return any(report["outcome"] == "failed" for report in reports)
