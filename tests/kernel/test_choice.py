"""Which kernel computes, as a person sees it: the README's fingerprint, and what is said where nothing was compiled."""

import re
from pathlib import Path

import pytest

from mpi_pgd.kernel import NAME, NUMPY
from tests.launch import ROOT, any_library, launch
from tests.thorough import plainly

if NAME == NUMPY:
    pytest.skip("no compiled kernel here", allow_module_level=True)
from mpi_pgd.kernel import native

pytestmark = pytest.mark.beside("programs")

BLOCKED = """
import runpy, sys
sys.modules["mpi_pgd.kernel.native"] = None  # as where there was no compiler
runpy.run_module("mpi_pgd", run_name="__main__", alter_sys=True)
"""
OLD = """
import os, runpy, sys
os.environ["MPI_PGD_KERNEL"] = "numpy"
from mpi_pgd.kernel import native
del os.environ["MPI_PGD_KERNEL"], sys.modules["mpi_pgd.kernel"]
native.Handle = type("Handle", (), {})  # as after the sources alone were brought up to date, and the class got methods
runpy.run_module("mpi_pgd", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("name", plainly(native.names()[:1], native.names()))
def test_the_shipped_rows_have_the_fingerprint_of_the_readme(name: str) -> None:
    weights = re.search(r"^weights .*$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert weights
    result = launch(any_library(len(name)), 2, env={"MPI_PGD_KERNEL": name})
    assert weights[0] in result.stdout.splitlines(), result


def test_without_a_compiled_kernel(tmp_path: Path) -> None:
    script = tmp_path / "blocked.py"
    script.write_text(BLOCKED)
    result = launch(any_library(0), 2, "--rounds", 2, script=script)
    assert result.returncode == 0, result
    assert result.stderr.count("the compiled kernel is missing") == 1, result
    assert "missing" not in launch(any_library(1), 2, "--rounds", 2, env={"MPI_PGD_KERNEL": NUMPY}).stderr


def test_a_kernel_of_another_version(tmp_path: Path) -> None:
    script = tmp_path / "old.py"
    script.write_text(OLD)
    result = launch(any_library(1), 2, script=script)
    assert result.returncode == 2, result
    assert result.stderr.count("is not of this mpi_pgd: install it again") == 1, result
