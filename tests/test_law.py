"""The law: the answer never depends on who computed it. One fingerprint over ranks, modes, MPI libraries, losses and restarts."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from mpi_pgd import fit
from mpi_pgd.modes import ALGORITHMS
from tests.chaos.common import ULFM, started
from tests.launch import LEFT_OUT, ROOT, Library, Running, any_library, launch, libraries
from tests.thorough import plainly, thorough

pytestmark = pytest.mark.beside("jobs")

DIAMONDS = str(ROOT / "data/diamonds.h5")
MODES = tuple(ALGORITHMS)
CUT = ("--ranks-per-node", 2)  # where nodes are told apart
RANKS = 4
SOLVER = {"solver": "nesterov"}
SHORT, LONG = 25, 60  # so many rounds are made, and each has to give the same bits; longer where something happens meanwhile
FLAGS = ("--solver", "nesterov", "--rounds", LONG)
SLOW = ("--delay", "exponential:0.02")  # seconds: the rounds last until something has happened to them


@cache
def alone(rounds: int = LONG) -> str:
    """The fingerprint of one process without any launcher. Seen on one kind of processor only, so not a golden value."""
    options = {"mode": "peer-to-peer", "rounds": rounds, **SOLVER}
    code = f"import mpi_pgd; print(mpi_pgd.fit({DIAMONDS!r}, **{options!r}).record['weights_sha256'])"
    environment = {key: value for key, value in os.environ.items() if not key.startswith(LEFT_OUT)}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout.strip()


@pytest.mark.ranks(1, 2, 3, 5, others=(4, 7), rarely=(2, 4))
@pytest.mark.parametrize("mode", MODES)
def test_one_fingerprint(comm: Any, mode: str) -> None:
    record = fit(DIAMONDS, mode=mode, comm=comm, rounds=SHORT, **SOLVER).record
    assert record["ranks"] == comm.size
    assert record["workers"] == (max(1, comm.size - 1) if mode == "client-server" else comm.size)
    assert record["weights_sha256"] == comm.bcast(alone(SHORT) if comm.rank == 0 else None)


@pytest.mark.ranks(2, 3, others=(5,), rarely=(2,))
@pytest.mark.parametrize(("mode", "algorithm"), [(mode, name) for mode, names in ALGORITHMS.items() for name in names[1:]])
def test_one_fingerprint_for_every_algorithm(comm: Any, mode: str, algorithm: str) -> None:
    record = fit(DIAMONDS, mode=mode, algorithm=algorithm, comm=comm, rounds=SHORT, **SOLVER).record
    assert (record["mode"], record["algorithm"]) == (mode, algorithm)
    assert record["weights_sha256"] == comm.bcast(alone(SHORT) if comm.rank == 0 else None)


@pytest.mark.parametrize("mode", plainly(MODES[1:2], MODES[:2]))
def test_one_fingerprint_for_a_job_of_its_own(mode: str, tmp_path: Path) -> None:
    result = launch(any_library(MODES.index(mode)), 3, "--mode", mode, *FLAGS, "--quiet", "--out", tmp_path, timeout=120)
    assert (result.returncode, result.stdout) == (0, ""), result
    assert json.loads((tmp_path / "run.json").read_text())["weights_sha256"] == alone()


@pytest.mark.parametrize(
    ("mode", "victims"),
    [
        thorough(MODES[0], [2]),
        (MODES[0], [0, 1]),
        thorough(MODES[1], [1]),
        thorough(MODES[1], [3, 0]),
        (MODES[2], [0, 3]),
    ],
)
def test_one_fingerprint_for_who_is_left(library: Library, mode: str, victims: list[int], tmp_path: Path) -> None:
    """A worker, the server with another, a peer, two of them, and a node's leader with another node's other rank are killed."""
    if library.name != "openmpi":
        pytest.skip("only Open MPI survives a loss")

    def kill(job: Running) -> None:
        ranks = started(job, RANKS)
        assert job.until((tmp_path / "checkpoint").exists)
        job.kill(ranks[victim] for victim in victims)

    sharing = mode == MODES[2]
    words = (
        "--mode",
        mode,
        *CUT,
        *["--share-rows"] * sharing,
        *FLAGS,
        *SLOW,
        "--checkpoint",
        tmp_path / "checkpoint",
        "--every",
        "20rounds",
    )
    result = launch(library, RANKS, *words, "--quiet", "--out", tmp_path, timeout=120, flags=ULFM, during=kill)
    assert result.returncode == 0, result
    record = json.loads((tmp_path / "run.json").read_text())
    assert sorted(rank for loss in record["losses"] for rank in loss["ranks"]) == sorted(victims)
    assert all(20 <= loss["round"] < 60 for loss in record["losses"]), record["losses"]
    assert record["ranks"] == RANKS - len(victims)
    assert not sharing or sum(loss["rows_read"] for loss in record["losses"]) < record["rows"] / 8  # who is left sees nearly all
    assert record["weights_sha256"] == alone()


@pytest.mark.parametrize(("ranks", "mode"), [thorough(1, MODES[0]), (2, MODES[1]), thorough(5, MODES[0])])
def test_one_fingerprint_for_who_goes_on(ranks: int, mode: str, tmp_path: Path) -> None:
    """The whole job is killed in the middle of the rounds; another library goes on."""
    library = any_library(ranks)
    checkpoint = tmp_path / "checkpoint"

    def kill(job: Running) -> None:
        assert started(job, RANKS)
        assert job.until(checkpoint.exists)
        job.kill(job.processes())

    saved = launch(library, RANKS, *FLAGS, *SLOW, "--checkpoint", checkpoint, "--every", "20rounds", during=kill)
    assert saved.returncode != 0, saved
    other = next((other for other in libraries().values() if other != library), library)
    words = ("--resume", checkpoint, "--mode", mode, "--quiet", "--out", tmp_path)
    result = launch(other, ranks, *words, timeout=120)
    assert (result.returncode, result.stdout) == (0, ""), result
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["rounds"] == 60
    assert record["weights_sha256"] == alone()


def test_the_table_and_the_bundle(tmp_path: Path) -> None:
    result = launch(any_library(1), 2, "--out", tmp_path, timeout=120)
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
