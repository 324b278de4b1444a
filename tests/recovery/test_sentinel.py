"""The process that speaks for a job that was killed: real processes, really killed."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.launch import ROOT, Library, launch
from tests.thorough import thorough

pytestmark = pytest.mark.beside("jobs")

HEAD = "mpi_pgd: the job ended before it was done (a rank died, or was killed); "
START = """
import os, signal, sys
from mpi_pgd.errors import InputError
from mpi_pgd.recovery.sentinel import Sentinel
with Sentinel(sys.argv[1]) as sentinel:
    print(sentinel._shell.pid, flush=True)
"""


def run(body: str, path: str = "fit.ckpt") -> tuple[subprocess.CompletedProcess[str], int]:
    """What a process with a sentinel leaves; and the sentinel's number. Its end is waited for, as it holds stderr."""
    indented = "".join(f"    {line}\n" for line in body.splitlines())
    command = [sys.executable, "-c", START + indented, path]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)
    return result, int(result.stdout.split()[0])


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").exists()


def test_killed_before_any_checkpoint() -> None:
    result, _ = run("os.kill(os.getpid(), signal.SIGKILL)")
    assert result.stderr == HEAD + "no checkpoint had been written yet\n"


@pytest.mark.parametrize("path", ["fit.ckpt", "a folder/it's %s %d.ckpt", 'back\\slash "quoted" $HOME `id`', "two\nlines"])
def test_killed_after_two_checkpoints_names_the_last(path: str) -> None:
    result, _ = run("sentinel.note(20); sentinel.note(1234)\nos.kill(os.getpid(), signal.SIGKILL)", path)
    quoted = shlex.quote(path)
    assert result.stderr == HEAD + f"the checkpoint {quoted}, of round 1234, goes on with --resume {quoted}\n"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("sentinel.note(3)", 0),
        ("sentinel.dismiss()\nsentinel.dismiss()\nsentinel.note(3)\nos._exit(75)", 75),
        ("sys.exit(4)", 4),
        ("os.kill(sentinel._shell.pid, signal.SIGTERM)\nos.kill(sentinel._shell.pid, signal.SIGINT)", 0),
        ("os.kill(sentinel._shell.pid, signal.SIGKILL)\nsentinel._shell.wait()\nsentinel.note(3)", 0),
        ("os.kill(sentinel._shell.pid, signal.SIGSTOP)", 0),
    ],
)
def test_silent_and_gone_after_an_end_of_our_own(body: str, code: int) -> None:
    result, pid = run(body)
    assert (result.returncode, result.stderr) == (code, "")
    assert not alive(pid)


def test_an_input_error_has_its_own_sentence() -> None:
    result, pid = run("raise InputError('the disk is full')")
    assert HEAD not in result.stderr
    assert "the disk is full" in result.stderr
    assert not alive(pid)


def test_after_a_bug_it_says_how_to_go_on() -> None:
    result, pid = run("sentinel.note(3)\n1 / 0")
    assert HEAD + "the checkpoint fit.ckpt, of round 3, goes on with --resume fit.ckpt\n" in result.stderr
    assert "ZeroDivisionError" in result.stderr
    assert not alive(pid)


@pytest.mark.parametrize("rank", [0, thorough(1)])
def test_under_mpirun_it_outlives_the_job(library: Library, rank: int, tmp_path: Path) -> None:
    script = tmp_path / "killed.py"
    script.write_text(
        "import os, signal\n"
        "from mpi4py import MPI\n"
        "from mpi_pgd.recovery.sentinel import Sentinel\n"
        "world = MPI.COMM_WORLD\n"
        "if world.rank == 0:\n"
        "    sentinel = Sentinel('fit.ckpt')\n"
        "    sentinel.note(7)\n"
        "world.Barrier()\n"
        f"if world.rank == {rank}:\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "world.Barrier()\n"
    )
    result = launch(library, 3, script=script)
    assert result.returncode != 0
    assert HEAD + "the checkpoint fit.ckpt, of round 7, goes on with --resume fit.ckpt\n" in result.stderr, result


def test_it_inherits_no_files() -> None:
    result, _ = run(
        "os.set_inheritable(os.open('/dev/null', os.O_RDONLY), True)\n"
        "with Sentinel('other') as other:\n"
        "    print(len(os.listdir(f'/proc/{other._shell.pid}/fd')))"
    )
    assert result.stdout.split()[1] == "3", result
