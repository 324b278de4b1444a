"""The harness itself: what hangs is killed and told, what ends is reported as it ended, nothing is left."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import launch as harness
from tests.launch import Library, launch

pytestmark = pytest.mark.beside("jobs")

Script = Callable[[str], Path]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    def write(body: str) -> Path:
        path = tmp_path / "script.py"
        path.write_text(f"import subprocess, sys, time\nfrom mpi4py import MPI\nworld = MPI.COMM_WORLD\n{body}\n")
        return path

    return write


@pytest.mark.either
def test_hung_job_is_killed_and_tells_where_it_stood(library: Library, script: Script) -> None:
    body = "print('before', flush=True)\nif world.rank == 1:\n    time.sleep(600)\nworld.Barrier()"
    start = time.monotonic()
    with pytest.raises(pytest.fail.Exception, match="hung, killed after 4 s") as failure:
        launch(library, 3, script=script(body), timeout=4)
    assert time.monotonic() - start < 20
    text = str(failure.value)
    assert text.count("before") >= 3
    assert "line 6" in text, "the rank that slept does not say so"
    assert "line 7" in text, "the ranks that waited do not say so"


@pytest.mark.thorough
def test_failure_of_one_rank_that_hangs_the_others_is_killed_too(library: Library, script: Script) -> None:
    # Without mpi4py.run, an exception waits in MPI_Finalize for the ranks that are still in the collective.
    with pytest.raises(pytest.fail.Exception, match="hung") as failure:
        launch(library, 2, script=script("if world.rank == 1:\n    1 / 0\nworld.Barrier()"), timeout=4)
    assert "ZeroDivisionError" in str(failure.value)


@pytest.mark.thorough  # as many a test would see
def test_exit_code_comes_through(library: Library, script: Script) -> None:
    assert launch(library, 3, script=script("sys.exit(2)")).returncode == 2
    assert launch(library, 3, script=script("")).returncode == 0


@pytest.mark.thorough
def test_stdout_and_stderr_are_kept_apart(library: Library, script: Script) -> None:
    result = launch(library, 2, script=script("print('to out')\nprint('to err', file=sys.stderr)"))
    assert (result.stdout.count("to out"), result.stderr.count("to err")) == (2, 2), result
    assert "to err" not in result.stdout
    assert "to out" not in result.stderr


@pytest.mark.either
def test_process_left_behind_is_found_and_killed(library: Library, script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "GRACE", 1.0)
    body = """
if world.rank == 0:
    quiet = dict.fromkeys(["stdin", "stdout", "stderr"], subprocess.DEVNULL)
    subprocess.Popen(["sleep", "600"], start_new_session=True, **quiet)
"""
    with pytest.raises(pytest.fail.Exception, match="left processes behind: sleep 600"):
        launch(library, 2, script=script(body))


@pytest.mark.thorough
def test_launcher_around_pytest_is_not_seen(library: Library, script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PMI_SIZE", "PMI_RANK", "OMPI_COMM_WORLD_SIZE", "SLURM_NTASKS", "SLURM_JOB_ID"):
        monkeypatch.setenv(name, "7")
    body = "import os\nprint(world.size, [name for name in os.environ if name.startswith('SLURM_')])"
    result = launch(library, 2, script=script(body))
    assert result.stdout.split("\n").count("2 []") == 2, result


def test_abort_and_kill_leave_no_shared_memory(library: Library, script: Script) -> None:
    before = set(Path("/dev/shm").iterdir())
    assert launch(library, 2, script=script("if world.rank == 1:\n    world.Abort(4)\nworld.Barrier()")).returncode == 4
    with pytest.raises(pytest.fail.Exception, match="hung"):
        launch(library, 2, script=script("time.sleep(600)"), timeout=3)
    assert harness._until(harness._sweep, harness.GRACE)

    def nothing_left() -> bool:
        """But what other jobs use, or leave until they are swept up after."""
        left, used = set(Path("/dev/shm").iterdir()) - before, harness._mapped()
        return all(str(path) in used for path in left)

    assert harness._until(nothing_left, harness.GRACE)
