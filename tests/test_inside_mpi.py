"""Run tests/mpi inside MPI: odd sizes give uneven shards, five ranks give more of them than there are cores."""

import re

import pytest

from tests.launch import ROOT, Library, launch


@pytest.mark.parametrize("ranks", [1, 2, 3, 5])
def test_inside_mpi(library: Library, ranks: int) -> None:
    # One rank that fails before a collective leaves the others in it: the first limit ends them with a traceback of
    # where they are, the second is for what the first can't reach. The ranks share no cache folder.
    quiet = ["-q", "-p", "no:cacheprovider", "-o", "faulthandler_timeout=60", "--color=no"]
    env = {"MPI_PGD_RANKS": ranks}
    result = launch(library, ranks, "--with-mpi", *quiet, ROOT / "tests/mpi", module="pytest", timeout=120, env=env)
    assert result.returncode == 0, result
    passed = [int(count) for count in re.findall(r"(\d+) passed", result.stdout)]
    assert passed, result
    assert min(passed) > 0, result
