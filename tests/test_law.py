"""The law: the answer never depends on who computed it. One fingerprint over ranks, modes, and MPI libraries."""

import json
from pathlib import Path

import pytest

from mpi_pgd.config import ALGORITHMS
from tests.launch import Library, launch

MODES = ("client-server", "peer-to-peer")
# Seen on one kind of processor only, so not a golden value: the first run of the session is what the others are held to.
SEEN: dict[str, str] = {}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 5, 7])
def test_one_fingerprint(library: Library, ranks: int, mode: str, tmp_path: Path) -> None:
    result = launch(library, ranks, "--mode", mode, "--rounds", 60, "--quiet", "--out", tmp_path, timeout=120)
    assert (result.returncode, result.stdout) == (0, ""), result
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["ranks"] == ranks
    assert record["workers"] == (max(1, ranks - 1) if mode == "client-server" else ranks)
    assert record["weights_sha256"] == SEEN.setdefault("diamonds", record["weights_sha256"])


@pytest.mark.parametrize("ranks", [2, 3, 5])
@pytest.mark.parametrize(("mode", "algorithm"), [(mode, name) for mode, names in ALGORITHMS.items() for name in names[1:]])
def test_one_fingerprint_for_every_algorithm(library: Library, ranks: int, mode: str, algorithm: str, tmp_path: Path) -> None:
    words = ("--mode", mode, "--algorithm", algorithm, "--rounds", 60, "--quiet", "--out", tmp_path)
    result = launch(library, ranks, *words, timeout=120)
    assert (result.returncode, result.stdout) == (0, ""), result
    record = json.loads((tmp_path / "run.json").read_text())
    assert (record["mode"], record["algorithm"]) == (mode, algorithm)
    assert record["weights_sha256"] == SEEN.setdefault("diamonds", record["weights_sha256"])


def test_the_table_and_the_bundle(library: Library, tmp_path: Path) -> None:
    result = launch(library, 2, "--out", tmp_path, timeout=120)
    assert result.returncode == 0, result
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["status"] == "converged"
    assert record["weights_sha256"] in result.stdout
    assert "53,940 rows, 23 features" in result.stdout
    assert set(record["per_round"]) == {"compute", "wait", "wire", "update", "input"}
    assert set(record["seconds"]) == {"total", "load", "solve"}
    lines = (tmp_path / "history.csv").read_text().splitlines()
    assert len(lines) == record["rounds"] + 1
    assert float(lines[-1].split(",")[1]) == record["objective"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["history.csv", "model.h5", "run.json"]
