"""The tests inside mpirun: whatever happens on one rank is reported of that test alone, and holds nobody up."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests import launch as harness
from tests.launch import LOOK, ROOT, any_library, libraries

pytestmark = pytest.mark.beside("jobs")

BODIES = {  # what a test does, and what is told of it
    "fails everywhere": ("assert comm.size == 3, 'not three'", "FAILED", "AssertionError: not three"),
    "fails on the last": ("assert comm.rank < 1, f'rank {comm.rank}'", "FAILED", "AssertionError: rank 1"),
    "fails before the others meet": (
        "assert comm.rank < 1, f'rank {comm.rank}'; comm.Barrier()",
        "FAILED",
        "AssertionError: rank 1",
    ),
    "ends its rank": (
        "comm.rank < 1 or os.kill(os.getpid(), signal.SIGKILL); comm.Barrier()",
        "FAILED",
        "what ran this test ended in it",
    ),
    "is skipped": ("pytest.skip('not today')", "SKIPPED", "not today"),
    "passes": ("assert comm.allreduce(1) == comm.size", "PASSED", ""),
}


QUICK = """
import tests.inside
tests.inside.ALONE, tests.inside.WORLD = 1, 2
"""
HEAD = """
import os, signal
import pytest
"""
PAIR = """
@pytest.mark.ranks(2)
def test_one_that_{name}(comm):
    {code}

@pytest.mark.ranks(2)
def test_after_one_that_{name}(comm, folder):
    pass
"""
LASTING = """
@pytest.mark.ranks(2)
def test_that_lasts(comm):
    with open(f"pid{comm.rank}", "w") as file:
        file.write(str(os.getpid()))
    signal.pause()
"""
LIMIT = 240.0  # seconds


def started(folder: Path, library: str, body: str) -> subprocess.Popen[str]:
    """A pytest of its own, with two ranks."""
    (folder / "conftest.py").write_text((ROOT / "tests/conftest.py").read_text() + QUICK)
    (folder / "setup.cfg").write_text("[tool:pytest]\n")
    (folder / "test_it.py").write_text(HEAD + body)
    command = [sys.executable, "-m", "pytest", "-rA", "-k", library, "-p", "no:pytest_mpi", "-p", "no:cacheprovider", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=folder, env=environment, **pipes)


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a pytest tells of all of them, by library: each has its turn."""
    if not libraries():
        pytest.skip("no MPI library here")
    told = {}
    for turn, name in enumerate(libraries()):
        pairs = [PAIR.format(name=word(body), code=BODIES[body][0]) for body in [*BODIES][turn :: len(libraries())]]
        told[name] = started(tmp_path_factory.mktemp(name), name, "".join(pairs)).communicate(timeout=LIMIT)[0]
    return told


@pytest.mark.parametrize("body", BODIES)
def test_a_test_that(body: str, said: dict[str, str]) -> None:
    """Another one follows, whose ranks are not those that were lost."""
    _, outcome, told = BODIES[body]
    name = [*said][[*BODIES].index(body) % len(said)]
    text = said[name]
    test = f"test_one_that_{word(body)}"
    assert f"{outcome} test_it.py::{test}[{name}-2]{told and ' - '}{told}" in text or outcome == "SKIPPED", text
    assert outcome != "SKIPPED" or re.search(rf"SKIPPED \[1\] \S*test_it.py:\d+: {told}\n", text), text
    assert f"PASSED test_it.py::test_after_one_that_{word(body)}[{name}-2]" in text, text


def word(body: str) -> str:
    return body.replace(" ", "_")


def test_a_pytest_that_is_told_to_end_ends_its_ranks(tmp_path: Path) -> None:
    process = started(tmp_path, any_library(0).name, LASTING)
    pids, end = [tmp_path / f"pid{rank}" for rank in range(2)], time.monotonic() + LIMIT
    while not all(path.exists() and path.read_text() for path in pids):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(LOOK)
    process.send_signal(signal.SIGTERM)
    assert "KeyboardInterrupt" in process.communicate(timeout=LIMIT)[0]
    # None maps a file any more: what has ended may be listed until init, whose child it is now, looks for it.
    assert [path for path in pids if harness._maps(int(path.read_text()))] == []
