"""How a rank ends the job, as the launchers pass it on. What runs inside one world is in tests/mpi/test_world.py."""

import os
from pathlib import Path

import pytest

from tests.launch import Library, Running, launch

pytestmark = pytest.mark.beside("jobs")

SOON = 10.0  # seconds for a whole job, MPI's start-up on a busy machine included

LAST_WORDS = """
import os, signal, subprocess
from mpi4py import MPI
from mpi_pgd.comm.world import end

world = MPI.COMM_WORLD
world.Barrier()
if world.rank == 0:
    launcher = os.getppid()
    os.kill(launcher, signal.SIGSTOP)
    subprocess.Popen(["sh", "-c", f"sleep 0.1; kill -CONT {launcher}"], stderr=subprocess.DEVNULL)
    os.write(2, b"last words\\n")
    end(75)
world.Barrier()
"""


def saved(folder: Path) -> Path:
    script = folder / "last_words.py"
    script.write_text(LAST_WORDS)
    return script


def test_last_words_are_passed_on_by_a_launcher_that_is_slow(library: Library, tmp_path: Path) -> None:
    # MPICH's drops them, every third time or so, if it finds them together with the end.
    script = saved(tmp_path)
    for _ in range(4 if library.name == "mpich" else 1):
        result = launch(library, 3, script=script)
        assert result.returncode == 75, result
        assert "last words\n" in result.stderr, result


@pytest.mark.either
def test_a_disk_that_hangs_does_not_keep_a_job_that_ends(library: Library, tmp_path: Path) -> None:
    exit_code = tmp_path / "code"
    os.mkfifo(exit_code)  # nobody reads it, so to open it waits for ever
    result = launch(library, 3, script=saved(tmp_path), env={"MPI_PGD_EXIT": exit_code}, timeout=20)
    assert result.returncode != 0, result
    assert "last words\n" in result.stderr, result
    assert result.seconds < SOON, result


@pytest.mark.either
def test_the_code_of_an_earlier_run_is_not_that_of_one_which_was_cut_off(library: Library, tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.write_text("0\n")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "kept")
    (tmp_path / "kept").write_text("kept")

    def cut_off(job: Running) -> None:
        job.until(lambda: bool(job.ranks()))
        job.kill(job.ranks())

    words = ("--rounds", 10**9, "--tol", 0, "--quiet", "--out", tmp_path / "out")
    result = launch(library, 1, *words, env={"MPI_PGD_EXIT": code}, during=cut_off)
    assert (result.returncode != 0, code.read_text()) == (True, ""), result
    launch(library, 1, "nosuch.h5", env={"MPI_PGD_EXIT": link})
    assert (tmp_path / "kept").read_text() == "2\n"


def test_a_script_that_mpi4py_runs_ends_all_ranks_with_a_bug_on_one(library: Library, tmp_path: Path) -> None:
    script = tmp_path / "script.py"  # as the README says
    script.write_text("from mpi4py import MPI\nassert MPI.COMM_WORLD.rank != 1, 'a bug'\nMPI.COMM_WORLD.Barrier()\n")
    result = launch(library, 3, script, module="mpi4py", timeout=30)
    assert result.returncode != 0, result
    assert "AssertionError: a bug" in result.stderr, result
