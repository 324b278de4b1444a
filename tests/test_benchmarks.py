"""The scripts that docs/benchmarks.md names still run, on problems so small that their figures tell nothing."""

from importlib import import_module
from pathlib import Path

import pytest

from tests.launch import ROOT, any_library, launch

BENCHMARKS = ROOT / "benchmarks"


@pytest.mark.parametrize(
    ("script", "words", "told"),
    [
        ("round", ("--rows", 2000, "--features", 5, "--repeats", 1), "c  our round, order-free"),
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
