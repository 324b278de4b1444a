"""The scripts that docs/benchmarks.md names still run, on problems so small that their figures tell nothing."""

import shutil
import subprocess
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.launch import ROOT, any_library, launch

BENCHMARKS = ROOT / "benchmarks"


@pytest.mark.parametrize(
    ("script", "words", "told"),
    [
        ("clock", ("--rounds", 5, "--repeats", 1), "the clock costs"),
        ("nodewise", (20,), "by nodes"),
    ],
)
def test_on_ranks(script: str, words: tuple[object, ...], told: str) -> None:
    result = launch(any_library(0), 2, BENCHMARKS / f"{script}.py", *words, module="mpi4py")
    assert result.returncode == 0, result
    assert told in result.stdout, result


def test_what_a_snapshot_takes(tmp_path: Path) -> None:
    result = launch(any_library(0), 2, "keep", tmp_path, 3, script=BENCHMARKS / "survival_ranks.py")
    assert result.returncode == 0, result
    assert float((tmp_path / "kept").read_text()) > 0


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def test_what_a_checkpoint_takes(scripts: None, tmp_path: Path) -> None:
    survival = import_module("survival")
    assert survival.writing(survival.Bench(tmp_path, 100, 3, 1)) > 0


def test_the_learnt_step(scripts: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert import_module("steps").main(2, 1) == 0
    assert capsys.readouterr().out.count("2 spectra, ") == 3


@pytest.mark.ranks(2, others=())
@pytest.mark.skipif(not shutil.which("gcc"), reason="gcc makes the floor")
def test_the_lines_of_the_speed(comm: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import speed, speed_ranks

    monkeypatch.setattr(speed_ranks, "ROUNDS", 3)
    if comm.rank == 0:
        subprocess.run([*speed.GCC, folder / "floor.so"], check=True)
        for name in speed_ranks.LINES:
            speed.LINES[name].make(speed.Asked(folder, 0.005, 1, ""))
    comm.Barrier()
    for name in speed_ranks.LINES:
        rows = [row for row in speed_ranks.LINES[name](speed_ranks.Here(comm, folder, 1, 1000)) if "case" in row]
        assert rows, name
        assert all(row["value"] is not None or "can't be had here" in row["why"] for row in rows), rows


def test_what_the_speed_is_told_as(tmp_path: Path) -> None:
    from benchmarks import speed_page

    span = {"value": 3.25, "low": 3.0, "high": 3.5, "unit": "times", "word": "at least", "goal": 2.5}
    row = span | {"case": speed_page.FASTER["numpy"], "beside": "numpy 6 ms"}
    rows = [row, {"case": "else", "value": None, "why": "can't be had"}]
    known = {"date": "2026-11-26", "processor": "P", "cores": 2, "kernel": "native avx2", "blas": "B"}
    lines = {"dense": known | {"others": {"load": 0.1, "others": 0.05, "stolen": 0.0}, "rows": rows}}
    table = speed_page.table(lines)
    assert "| 3.25 | 3.00 to 3.50 | at least 2.5 | numpy 6 ms |" in table
    assert "| else | | | | can't be had |" in table
    assert "not to be trusted" not in table
    assert "missed" in speed_page.table({"dense": lines["dense"] | {"rows": [row | {"value": 2.4}]}})
    busy = {"load": 3.0, "others": 1.5, "stolen": 0.0}
    assert "not to be trusted" in speed_page.table({"dense": lines["dense"] | {"others": busy}})
    assert speed_page.told("is <!-- speed: numpy -->1.0<!-- --> times", lines) == "is <!-- speed: numpy -->3.2<!-- --> times"
    if find_spec("matplotlib"):
        speed_page.draw([row, row | {"word": "at most", "value": -1.0}], tmp_path / "speed.png")
        assert (tmp_path / "speed.png").stat().st_size > 0
