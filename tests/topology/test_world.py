"""How a rank ends the job, as the launchers pass it on. What runs inside one world is in tests/mpi/test_world.py."""

import os
from pathlib import Path

from tests.launch import Library, launch

SOON = 10.0  # seconds for a whole job, MPI's start-up on a busy machine included

LAST_WORDS = """
import os, signal, subprocess
from mpi4py import MPI
from mpi_pgd.topology.world import end

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
    for _ in range(4):
        result = launch(library, 3, script=script)
        assert result.returncode == 75, result
        assert "last words\n" in result.stderr, result


def test_a_disk_that_hangs_does_not_keep_a_job_that_ends(library: Library, tmp_path: Path) -> None:
    exit_code = tmp_path / "code"
    os.mkfifo(exit_code)  # nobody reads it, so to open it waits for ever
    result = launch(library, 3, script=saved(tmp_path), env={"MPI_PGD_EXIT": exit_code}, timeout=20)
    assert result.returncode != 0, result
    assert "last words\n" in result.stderr, result
    assert result.seconds < SOON, result
