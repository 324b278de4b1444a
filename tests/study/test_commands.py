"""network, plan, doctor and report as a person types them: what they leave, and bad input refused in one sentence."""

import json
import math
import subprocess
from pathlib import Path

import pytest

from mpi_pgd.cli import main
from mpi_pgd.modes import MODES
from mpi_pgd.study.doctor import findings
from tests.launch import ROOT, Library, Result, any_library, launch
from tests.study import synthetic

pytestmark = pytest.mark.beside("commands")


def alone(library: Library, *words: object) -> Result:
    """A command without mpirun."""
    command = [library.python, "-m", "mpi_pgd", *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    return Result(" ".join(command), done.returncode, done.stdout, done.stderr, 0.0)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the network.json of two ranks."""
    folder = tmp_path_factory.mktemp("network")
    result = launch(any_library(1), 2, "network", "--largest", 1 << 12, "--out", folder, timeout=120)
    assert result.returncode == 0, result
    return folder


def test_network(network: Path) -> None:
    record = json.loads((network / "network.json").read_text())
    assert {"study", "rows", "machine", "command", "versions", "fits", "compute"} <= set(record)
    assert {row["kind"] for row in record["rows"]} == {"ping-pong", "collective", "exchange"}
    assert {row["bytes"] for row in record["rows"]} >= {8, 1 << 12}
    for row in record["rows"]:
        assert row["residual"] == pytest.approx(row["fitted_seconds"] / row["seconds"] - 1)
    for fit in record["fits"]:
        for term in ("alpha", "beta"):
            if fit[f"{term}_low"] is not None:  # not one that explains nothing, or is another's
                assert fit[f"{term}_low"] <= fit[term] <= fit[f"{term}_high"]


@pytest.mark.either
def test_one_rank_has_no_network(library: Library, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = alone(library, "network", "--out", tmp_path)
    assert result.returncode == 0, result
    assert "one rank sends nothing" in result.stdout
    assert main(["report", str(tmp_path)]) == 0
    assert main(["plan", "--network", str(tmp_path), "--rows", "1000", "--features", "10"]) == 2
    assert "run `network` with at least 2 ranks" in capsys.readouterr().err


def test_plan(network: Path, tmp_path: Path) -> None:
    words = ("--rows", 1_000_000, "--features", 200, "--workers", "1..64", "--explain", "--out", tmp_path)
    result = alone(any_library(0), "plan", "--network", network, *words)
    assert result.returncode == 0, result
    record = json.loads((tmp_path / "plan.json").read_text())
    assert {"study", "rows", "machine", "command", "versions", "best", "crossovers"} <= set(record)
    assert record["predicted"] is True
    assert "(predicted)" in result.stdout
    for row in record["rows"]:
        parts = sum(row[part] for part in ("compute", "wait", "latency", "bandwidth", "update"))
        assert row["seconds_per_round"] == pytest.approx(parts)
        assert row["fit_seconds"] == pytest.approx(math.ceil(100 * row["times"]) * parts)
        assert row["core_hours"] == pytest.approx(row["fit_seconds"] * row["ranks"] / 3600)
    summed = [row["seconds_per_round"] for row in record["rows"] if not MODES[row["mode"]].neighbours]
    assert record["best"]["seconds_per_round"] == min(summed)


def test_doctor_and_report(tmp_path: Path) -> None:
    library = any_library(0)
    result = launch(library, 2, "doctor", "--out", tmp_path)
    assert result.returncode == 0, result
    record = json.loads((tmp_path / "doctor.json").read_text())
    assert findings.text([findings.Finding(**row) for row in record["rows"]]) in result.stdout
    assert {"world", "data", "network", "memory"} <= {row["check"] for row in record["rows"]}
    assert all(row["advice"] for row in record["rows"] if row["level"] == "warning")
    result = launch(library, 2, "--rounds", 20, "--quiet", "--trace", "--out", tmp_path)
    assert result.returncode == 0, result
    result = alone(library, "report", tmp_path)
    assert result.returncode == 0, result
    assert str(tmp_path / "report.html") in result.stdout
    page = (tmp_path / "report.html").read_text()
    assert json.loads((tmp_path / "run.json").read_text())["weights_sha256"] in page
    assert "http://" not in page.replace("http://www.w3.org", "")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["report"], "report was given no folder"),
        (["report", "{empty}"], "no run"),
        (["report", "{empty}/nowhere"], "nowhere"),
        (["report", "{old}"], "another version"),
        (["plan"], "plan was given no --network"),
        (["plan", "--network", "{net}"], "plan was given no --rows"),
        (["plan", "--network", "{net}", "--rows", "9", "--features", "3", "--workers", "9..2"], "--workers 9..2: expected a"),
        (["plan", "--network", "{net}", "--rows", "0", "--features", "3"], "--rows was given '0'"),
        (["plan", "--network", "{net}", "--rows", "9", "--features", "3", "--mode", "p2p"], "--mode was given 'p2p'"),
        (["plan", "--network", "{net}", "--rows", "9", "--features", "3", "--algorithm", "tree"], "with tree"),
        (["plan", "--network", "{empty}", "--rows", "9", "--features", "3"], "can't be read"),
        (["plan", "--network", "{elsewhere}", "--rows", "9", "--features", "3"], "expected a network.json"),
    ],
)
def test_bad_input(tmp_path: Path, words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("empty", "old", "net"):
        (tmp_path / name).mkdir()
    (tmp_path / "net" / "network.json").write_text(json.dumps(synthetic.record()))
    (tmp_path / "old" / "run.json").write_text('{"status": "converged", "mode": "client-server"}')
    (tmp_path / "elsewhere.json").write_text('{"latency": 1.0}')
    places = {
        "empty": tmp_path / "empty",
        "old": tmp_path / "old",
        "elsewhere": tmp_path / "elsewhere.json",
        "net": tmp_path / "net",
    }
    assert main([word.format(**places) for word in words]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("mpi_pgd: "), said.err.count("\n")) == ("", 1, 1)
    assert told in said.err
