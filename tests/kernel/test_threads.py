"""Threads of a rank: the same bits as of one, whatever takes the blocks, and also of sums that depend on their order."""

import pytest
from mpi4py import MPI

from mpi_pgd import Result, fit, kernel
from mpi_pgd.kernel import NAME, NUMPY
from tests.launch import ROOT, any_library, launch
from tests.thorough import thorough

DATA = str(ROOT / "data" / "diamonds.h5")
if NAME == NUMPY:
    pytest.skip("no compiled kernel here", allow_module_level=True)


@pytest.mark.ranks(2, others=())
@pytest.mark.parametrize("options", [{}, thorough({"sums": "plain"}), {"loss": "huber"}, thorough({"memory": "4MiB"})], ids=str)
def test_threads_change_no_bit(comm: MPI.Intracomm, options: dict[str, object]) -> None:
    options = {"solver": "nesterov", "rounds": 12, "quiet": True} | options
    found: list[Result] = [fit(DATA, comm=comm, threads=threads, **options) for threads in (1, 2, 3, 7)]
    assert kernel.threads() == 7
    assert len({one.record["weights_sha256"] for one in found}) == 1
    assert all(one.history["objective"] == found[0].history["objective"] for one in found)
    fit(DATA, comm=comm, rounds=1, quiet=True)


def test_what_is_said_of_threads() -> None:
    crowded = launch(any_library(0), 2, "--threads", 100, "--rounds", 2)
    assert crowded.returncode == 0, crowded
    assert crowded.stderr.count("--threads 100 makes 200 threads on a node of") == 1, crowded
    assert "2 ranks of 100 threads each" in crowded.stdout, crowded
    refused = launch(any_library(1), 2, "--threads", 2, env={"MPI_PGD_KERNEL": NUMPY})
    assert refused.returncode == 2, refused
    assert refused.stderr.count("2 threads are asked for, but numpy computes") == 1, refused
