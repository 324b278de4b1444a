"""The tests inside mpirun: whatever happens on one rank is reported of that test alone, and holds nobody up."""

import os
import re
import subprocess
import sys

import pytest

from tests.launch import ROOT, libraries

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


IMPATIENT = """
import tests.inside
tests.inside.ALONE = 1
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


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a pytest tells of all of them, by library: each has its turn."""
    if not libraries():
        pytest.skip("no MPI library here")
    told = {}
    for turn, name in enumerate(libraries()):
        folder = tmp_path_factory.mktemp(name)
        (folder / "conftest.py").write_text((ROOT / "tests/conftest.py").read_text() + IMPATIENT)
        (folder / "setup.cfg").write_text("[tool:pytest]\n")
        pairs = [PAIR.format(name=word(body), code=BODIES[body][0]) for body in [*BODIES][turn :: len(libraries())]]
        (folder / "test_it.py").write_text(HEAD + "".join(pairs))
        command = [sys.executable, "-m", "pytest", "-rA", "-k", name, "-p", "no:pytest_mpi", "-p", "no:cacheprovider", str(folder)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False)
        told[name] = done.stdout
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
