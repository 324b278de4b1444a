"""Standard output and error that are closed, full, or without the letters of a name, cost nothing."""

import io
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from mpi_pgd.system.streams import Stream
from tests.launch import ROOT

pytestmark = pytest.mark.beside("commands")


def test_a_reader_that_has_gone(capsys: pytest.CaptureFixture[str]) -> None:
    read, write = os.pipe()
    stream = Stream(io.BufferedWriter(io.FileIO(write, "w")), "utf-8", "backslashreplace")
    print("seen", file=stream, flush=True)
    os.close(read)
    for _ in range(3):
        print("not seen" * 10_000, file=stream, flush=True)
    stream.close()
    assert stream.failure is None
    assert capsys.readouterr().err == ""


def test_a_full_disk_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    stream = Stream(io.BufferedWriter(io.FileIO("/dev/full", "w")), "utf-8", "backslashreplace")
    for _ in range(3):
        print("lost", file=stream, flush=True)
    stream.close()
    assert stream.failure is not None
    assert caplog.messages == ["standard output can't be written (No space left on device): the rest of it is lost"]


def rows(path: Path) -> Path:
    x = np.random.default_rng(7).normal(size=(300, 3))
    with h5py.File(path, "w") as file:
        file["X"], file["y"] = x, x @ [1.0, 2.0, 3.0]
        file["feature_names"] = ["größe", "长", "b"]
    return path


RUNS = {
    "full": "{fit} >/dev/full 2>&1",
    "closed": "{fit} >&- 2>&-",
    "gone": "{fit} 2>&1 | true; exit ${{PIPESTATUS[0]}}",
    "ascii": "PYTHONIOENCODING=ascii PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 LC_ALL=C {fit}",
}


@pytest.mark.parametrize("case", RUNS)
def test_a_fit_whose_words_are_lost_is_not(case: str, tmp_path: Path) -> None:
    out = tmp_path / "ö"
    command = RUNS[case].format(fit=f"{sys.executable} -m mpi_pgd {rows(tmp_path / 'ä.h5')} --out {out}")
    result = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, timeout=60)
    assert result.returncode == 0, result
    assert b"Traceback" not in result.stderr + result.stdout
    assert sorted(path.name for path in out.iterdir()) == ["history.csv", "model.h5", "run.json"]
    if case == "ascii":
        assert rb"gr\xf6\xdfe" in result.stdout


def test_words_that_are_all_that_there_is(tmp_path: Path) -> None:
    """A script that is cut off must not look like one that is whole."""
    command = f"{sys.executable} -m mpi_pgd data info {rows(tmp_path / 'a.h5')} >/dev/full"
    result = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, timeout=60)
    assert result.returncode == 2, result
    assert result.stderr.count(b"mpi_pgd: ") == 1, result
