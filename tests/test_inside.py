"""The tests inside mpirun: whatever happens on one rank is reported of that test alone, and holds nobody up."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.launch import ROOT, libraries

BODIES = {  # what a test does, and what is told of it
    "fails everywhere": ("assert comm.size == 3, 'not three'", "FAILED", "AssertionError: not three"),
    "fails on the last": ("assert comm.rank < 1, f'rank {comm.rank}'", "FAILED", "AssertionError: rank 1"),
    "fails before the others meet": (
        "assert comm.rank < 1, f'rank {comm.rank}'; comm.Barrier()",
        "FAILED",
        "AssertionError: rank 1",
    ),
    "ends its rank": ("comm.rank < 1 or os.kill(os.getpid(), signal.SIGKILL); comm.Barrier()", "FAILED", "the ranks ended"),
    "is skipped": ("pytest.skip('not today')", "SKIPPED", "not today"),
    "passes": ("assert comm.allreduce(1) == comm.size", "PASSED", ""),
}


@pytest.mark.parametrize("body", BODIES)
def test_a_test_that(body: str, tmp_path: Path) -> None:
    """Another one follows, whose ranks are not those that were lost."""
    if not libraries():
        pytest.skip("no MPI library here")
    code, outcome, told = BODIES[body]
    name = list(libraries())[list(BODIES).index(body) % len(libraries())]
    (tmp_path / "conftest.py").write_text((ROOT / "tests/conftest.py").read_text())
    (tmp_path / "setup.cfg").write_text("[tool:pytest]\n")
    head = "import os, signal\nimport pytest\n@pytest.mark.ranks(2)\n"
    (tmp_path / "test_it.py").write_text(f"{head}def test_one(comm):\n    {code}\n{head}def test_two(comm, folder):\n    pass\n")
    command = [sys.executable, "-m", "pytest", "-rA", "-k", name, "-p", "no:pytest_mpi", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120, check=False
    )
    assert f"{outcome} test_it.py::test_one[{name}-2]" in done.stdout or "1 skipped" in done.stdout, done.stdout
    assert told in done.stdout, done.stdout
    assert f"PASSED test_it.py::test_two[{name}-2]" in done.stdout, done.stdout
