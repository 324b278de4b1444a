"""The command line as a person meets it: help without MPI, data, signals, the live line, and Python without mpirun."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from mpi_pgd.cli import main
from mpi_pgd.cli.commands import COMMANDS
from tests.launch import ROOT, Library, any_library, launch
from tests.thorough import thorough

pytestmark = pytest.mark.beside("commands")


def python(*args: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT, env={**os.environ, **environment})


def test_importing_the_package_starts_nothing() -> None:
    code = "import sys, mpi_pgd; print([name for name in ('numpy', 'h5py', 'mpi4py') if name in sys.modules], *dir(mpi_pgd))"
    assert python("-c", code).stdout == "[] InputError Model Result Rows __version__ fit load mapreduce shaped\n"


HELP = """
import sys
from mpi_pgd.cli import main
for words in {words}:
    assert main(words) == 0
assert not {names} & sys.modules.keys()
"""
PAGES = [["data", "info", "--help"], *(["help", name] for name in COMMANDS)]


LITTLE = [
    ([["--help"], ["help"], ["--version"]], {"numpy", "h5py", "mpi4py"}),
    ([["fit", "--help"]], {"h5py", "mpi4py", "shutil"}),
    (PAGES, {"h5py", "mpi4py"}),
]


@pytest.mark.parametrize(("words", "names"), LITTLE)
def test_help_loads_little(words: list[list[str]], names: set[str]) -> None:
    result = python("-c", HELP.format(words=words, names=names))
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.count("mpi_pgd") >= len(words)


def test_data_make_and_info(tmp_path: Path) -> None:
    path = tmp_path / "made.h5"
    words = ["--rows", 1000, "--features", 3, "--condition", 10, "--noise", 0.5, "--seed", 4]
    assert python("-m", "mpi_pgd", "data", "make", path, *words).returncode == 0
    result = python("-m", "mpi_pgd", "data", "info", path, "--ranks", 3)
    assert result.returncode == 0
    for words in ("1,000 rows, contiguous", "(1,000, 3) float64", "16 blocks of 64 rows", "rank 0: 0 rows", "rank 2: 360 rows"):
        assert words in result.stdout


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["make", "a.h5", "--rows", "x", "--features", "1"], "--rows was given 'x'"),
        (["make", "a.h5", "--rows", "1"], "--features was given None"),
        (["make", "a.h5", "b.h5"], "expected one"),
        (["info", "none.h5"], "there is no file none.h5"),
        (["info", "none.h5", "--ranks", "0"], "--ranks was given '0'"),
        (["mkae", "a.h5"], "data was given mkae (did you mean make?)"),
        (["info", "a.h5", "--rnaks", "3"], "did you mean --ranks?"),
    ],
)
def test_data_with_bad_words(words: list[str], answer: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", *words]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert answer in said.err


LOGGED = """
import os, runpy, signal
from mpi_pgd.report import line, progress

show, progress.LOGGED = line.Line.show, 0.2

def once(*words):
    line.Line.show = show
    show(*words)
    os.kill(os.getpid(), signal.SIGUSR1)

line.Line.show = once
runpy.run_module("mpi_pgd", run_name="__main__", alter_sys=True)
"""


def test_a_table_and_a_log_line_without_a_terminal(tmp_path: Path) -> None:
    script = tmp_path / "logged.py"
    script.write_text(LOGGED)
    result = launch(any_library(0), 2, "--tol", 0, "--rounds", 10**9, script=script)
    assert result.returncode == 75, result
    assert "stopped by signal" in result.stdout.lower()
    assert "rounds/s" in result.stderr
    assert "\r" not in result.stderr


def on_a_terminal(command: Sequence[str]) -> tuple[int, bytes]:
    """The exit code, and what standard error showed on a terminal of 60 columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    environment = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_btl": "^ofi"}
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        cwd=ROOT,
        env=environment,
        start_new_session=True,
    )
    limit = threading.Timer(60, os.killpg, (process.pid, signal.SIGKILL))
    limit.start()
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
    except OSError:  # Linux's way of saying that the other end of a terminal has closed
        pass
    finally:
        os.close(ours)
        code = process.wait()
        limit.cancel()
    assert max(len(line.removeprefix(b"\x1b[K")) for line in shown.split(b"\r")) < 60, shown  # it is never wrapped
    return code, shown


def test_one_live_line_on_a_terminal() -> None:
    library = any_library(1)
    command = f"{library.mpirun} -n 2 {library.python} -m mpi_pgd --tol 0 --rounds 1000000 --max-seconds 4"
    code, shown = on_a_terminal(command.split())
    assert code == 0, shown
    assert shown.count(b"\r\x1b[Kround") > 3, shown


def test_a_study_says_how_far_it_is() -> None:
    code, shown = on_a_terminal([sys.executable, "-m", "mpi_pgd", "compare", "--rounds", "300"])
    assert code == 0, shown
    assert re.search(rb"\r\x1b\[Kturn \d+ of 10, about \d+ s left", shown), shown
    assert shown.endswith(b"\r\x1b[K"), shown


@pytest.mark.parametrize(
    "words",
    [
        thorough(["compare", "--rounds", "9"]),
        ["study", "straggler", "--rounds", "9"],
        thorough(["study", "solvers", "--rounds", "9"]),
        thorough(["network"]),
        ["doctor"],
    ],
)
def test_quiet_studies_say_nothing(words: list[str], tmp_path: Path) -> None:
    result = python("-m", "mpi_pgd", *words, "--quiet", "--out", tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert (tmp_path / f"{words[1 if words[0] == 'study' else 0]}.json").exists()


@pytest.mark.parametrize(("mode", "rank"), [thorough("client-server", 0), ("peer-to-peer", 1)])
def test_a_signal_to_one_rank_stops_all_in_the_same_round(mode: str, rank: int, tmp_path: Path) -> None:
    library = any_library(rank)
    script = tmp_path / "signalled.py"
    script.write_text(
        "import os, runpy, signal, sys, threading, time\n"
        "from mpi4py import MPI\n"
        "def strike():\n"
        "    time.sleep(2)\n"
        "    os.kill(os.getpid(), signal.SIGUSR1)\n"
        f"if MPI.COMM_WORLD.rank == {rank}:\n"
        "    threading.Thread(target=strike, daemon=True).start()\n"
        "sys.argv[0] = 'mpi_pgd'\n"
        "runpy.run_module('mpi_pgd', run_name='__main__', alter_sys=True)\n"
    )
    words = ["--mode", mode, "--tol", 0, "--rounds", 10**9, "--quiet", "--out", tmp_path / "out", ROOT / "data/diamonds.h5"]
    result = launch(library, 3, *words, script=script)
    assert result.returncode == 75, result
    assert json.loads((tmp_path / "out/run.json").read_text())["status"] == "stopped by signal"


def test_fit_alone_with_blas_threads(tmp_path: Path) -> None:
    code = (
        "import numpy\nfrom mpi_pgd import fit\n"
        "result = fit('data/diamonds.h5', rounds=30, mode='peer-to-peer')\nprint(result.record['weights_sha256'])"
    )
    many = python("-c", code, OPENBLAS_NUM_THREADS="2")
    one = python("-c", code, OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
    assert len(many.stdout) == 65, many.stderr
    assert many.stdout == one.stdout


def test_model_holds_the_weights(tmp_path: Path) -> None:
    import h5py

    assert launch(any_library(0), 2, "--rounds", 5, "--quiet", "--out", tmp_path).returncode == 0
    with h5py.File(tmp_path / "model.h5") as file:
        assert file["coef"].shape == (23,)
        assert np.isfinite(file["intercept"][()])
        assert file["feature_names"][0] == b"carat"
        assert file.attrs["mode"] == "client-server"
        assert file.attrs["rounds"] == 5


@pytest.mark.parametrize(("words", "code"), [thorough((), 0), (("--step", 1e6), 4), (("--stepp", 1), 2)])
@pytest.mark.either
def test_the_exit_code_is_noted(library: Library, words: tuple[object, ...], code: int, tmp_path: Path) -> None:
    noted = tmp_path / "code"
    assert launch(library, 3, "--rounds", 5, "--quiet", *words, env={"MPI_PGD_EXIT": noted}).returncode == code
    assert noted.read_text() == f"{code}\n"


@pytest.mark.parametrize(("words", "code"), [((), 0), thorough(("--step", 1e6), 4)])
def test_an_exit_code_that_can_not_be_noted_is_said(words: tuple[object, ...], code: int, tmp_path: Path) -> None:
    result = launch(any_library(code > 0), 3, "--rounds", 5, "--quiet", *words, env={"MPI_PGD_EXIT": tmp_path})
    assert result.returncode == code, result
    assert f"MPI_PGD_EXIT={tmp_path} can't be written (Is a directory): the code is {code}" in result.stderr


def test_signals_are_restored() -> None:
    from mpi_pgd.recovery.signals import SignalFlag

    before = signal.getsignal(signal.SIGUSR1)
    with SignalFlag() as flag:
        os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(0.01)
        assert flag.came
    assert signal.getsignal(signal.SIGUSR1) == before


@pytest.mark.parametrize("command", [("fit",), ("compare",), ("data", "info", "x.h5"), ("slurm", "launcher"), ("plan",)])
def test_a_python_without_what_it_needs_says_so(command: tuple[str, ...]) -> None:
    """-S leaves out the packages of the environment."""
    bare = [sys.executable, "-S", "-m", "mpi_pgd", *command]
    found = subprocess.run(bare, capture_output=True, text=True, timeout=60, cwd=ROOT, env={"PATH": os.defpath})
    assert (found.returncode, found.stdout, found.stderr.count("\n")) == (2, "", 1), found
    assert f"mpi_pgd: this Python ({sys.executable}) can't load numpy (" in found.stderr


def test_a_broken_library_is_named_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "h5py.py").write_text("raise ImportError('libhdf5.so: cannot open shared object file\\nand much advice')\n")
    found = python("-m", "mpi_pgd", PYTHONPATH=str(tmp_path))
    assert (found.returncode, found.stderr.count("\n")) == (2, 1), found
    assert "can't load h5py (libhdf5.so: cannot open shared object file): " in found.stderr
