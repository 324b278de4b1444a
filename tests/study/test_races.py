"""compare, scaling and study straggler: the same bits everywhere, rows that add up, bad input refused."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mpi_pgd.modes import ALIKE, MODES, differing
from mpi_pgd.report import records
from mpi_pgd.study import every
from tests.commands import command, refused
from tests.launch import Library, any_library, launch
from tests.thorough import plainly, thorough

pytestmark = pytest.mark.beside("commands")

KEYS = {
    *("mode", "algorithm", "ranks", "workers", "seconds_per_round", "compute", "wait", "wire", "update", "input"),
    *("bytes_per_round", "speedup", "efficiency", "predicted_seconds_per_round", "weights_sha256"),
}
STUDIES = [["compare"], ["scaling"], ["study", "straggler"]]
PARTS = ("compute", "wait", "wire", "update", "input")


def study(comm: Any, folder: Path, *words: object) -> dict[str, Any]:
    assert command(comm, *words, "--rounds", 12, "--out", folder) == 0
    return written(folder, *words)


def written(folder: Path, *words: object) -> dict[str, Any]:
    name = words[1] if words[0] == "study" else words[0]
    record = json.loads((folder / f"{name}.json").read_text())
    assert {"study", "rows", "machine", "command", "versions"} <= set(record)
    assert record["study"] == name
    assert isinstance(record, dict)
    return record


def alike(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        assert set(row) >= KEYS
        assert sum(row[part] for part in PARTS) == pytest.approx(row["seconds_per_round"], rel=0.02)
        assert row["low"] <= row["high"]
        assert row["predicted_seconds_per_round"] > 0


@pytest.mark.ranks(1, 3, others=(5,))
def test_compare(comm: Any, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ranks = comm.size
    record = study(comm, folder, "compare", "--repeats", 2)
    told = comm.bcast(capsys.readouterr().out)
    rows = record["rows"]
    alike(rows)
    every = differing(ALIKE, [""] * ranks)
    assert [(row["mode"], row["algorithm"]) for row in rows] == (every if ranks > 1 else every[:1])
    assert len({row["weights_sha256"] for row in rows}) == 1
    assert f"On diamonds.h5: {record['verdict'][0].upper()}{record['verdict'][1:]}" in told
    for row in rows:
        assert row["speedup"] == pytest.approx(record["baseline"]["seconds_per_round"] / row["seconds_per_round"])
    if ranks > 1:
        partial, order = 8 * (2 * 25 + 6), 8 * (6 + 24)  # the diamonds have 23 features
        sent = {row["algorithm"]: row["bytes_per_round"] for row in rows if not MODES[row["mode"]].nodewise}
        assert sent["linear"] == (ranks - 1) * (partial + order)
        assert sent["ring"] == 2 * (ranks - 1) * partial
        best = min(rows, key=lambda row: row["seconds_per_round"])
        assert record["winner"] is None or record["winner"]["algorithm"] == best["algorithm"]
        assert [one["ranks"] for one in record["machines"]] == [ranks]


@pytest.mark.ranks(3, others=())
def test_scaling(comm: Any, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = study(comm, folder, "scaling", "--repeats", 1, "--algorithms", "library,ring")
    told = comm.bcast(capsys.readouterr().out)
    alike(record["rows"])
    strong = [row for row in record["rows"] if row["scaling"] == "strong"]
    weak = [row for row in record["rows"] if row["scaling"] == "weak"]
    assert [row["ranks"] for row in strong] == [1, 2, 3] * 4  # client-server library, peer-to-peer library and ring, hierarchical
    assert len({row["weights_sha256"] for row in strong}) == 1
    assert [row["rows"] for row in weak] == [26970, 26970, 53940, *[17980, 35960, 53940] * 3]
    for row in strong:
        assert row["efficiency"] == pytest.approx(row["speedup"] / row["ranks"])
        assert row["speedup_low"] <= row["speedup"] <= row["speedup_high"]
        assert row["ranks"] > 1 or row["speedup"] == 1.0  # all that one rank did is one baseline
    assert {one["name"] for one in record["baselines"]} == {"one rank", "one rank, all threads", "closed form"}
    assert f"On diamonds.h5: {record['findings'][0][0].upper()}" in told
    assert all(sentence[1:] in told for sentence in record["findings"])


@pytest.mark.ranks(3, others=())
def test_scaling_on_chosen_ranks_as_a_part_of_more(comm: Any, folder: Path) -> None:
    record = study(comm, folder, "scaling", "--repeats", 1, "--ranks", "3,1", "--largest", 5)
    assert [row["ranks"] for row in record["rows"]] == [1, 3] * 6
    assert [row["rows"] for row in record["rows"]] == [53940] * 6 + [13485, 26970, 10788, 32364, 10788, 32364]


@pytest.mark.ranks(3, others=())
def test_stragglers(comm: Any, folder: Path) -> None:
    record = study(comm, folder, "study", "straggler", "--mean", "0.004")
    assert [row["workers"] for row in record["rows"]] == [1, 2, 3]
    assert [row["theory"] for row in record["rows"]] == pytest.approx([0.004, 0.006, 0.004 * 11 / 6])
    for row in record["rows"]:
        assert row["rounds"] >= 13
        assert row["theory_low"] < row["theory"] < row["theory_high"]
        assert row["measured_maximum"] > 0.9 * row["drawn"] > 0.001  # a rank can only be later than was drawn


@pytest.mark.parametrize("words", plainly(STUDIES[2:], STUDIES))
def test_a_study_as_a_person_types_it(words: list[str], tmp_path: Path) -> None:
    library = any_library(STUDIES.index(words))
    result = launch(library, 3, *words, "--rounds", 3, "--out", tmp_path)
    assert result.returncode == 0, result
    assert f"-m mpi_pgd {words[0]}" in written(tmp_path, *words)["command"]
    assert "On diamonds.h5: " in result.stdout or words[0] == "study"


@pytest.mark.ranks(2, others=())
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["scaling", "--ranks", "1,4"], "scaling was asked for 4 ranks: expected 1 to 2"),
        (["scaling", "--largest", "1"], "scaling was given --largest 1: expected at least 2"),
        (["scaling", "--ranks", "two"], "--ranks was given 'two': expected whole numbers"),
        (["scaling", "--algorithms", "rng"], "--algorithms was given 'rng' (did you mean ring?)"),
        (["compare", "--repeats", "0"], "--repeats was given '0': expected a whole number of at least 1"),
        (["compare", "--mode", "peer-to-peer"], "unknown flag --mode"),
        (["compare", "nothing.h5"], "there is no file nothing.h5"),
        (["compare", "--step", "1000"], "the fit diverged with --step 1000"),
        (["compare", "--delay", "9:2"], "rank 9 can't be delayed"),
        (["study"], "study was given nothing: expected one of straggler"),
        (["study", "stragler"], "study was given stragler (did you mean straggler?)"),
        (["study", "straggler", "--mean", "0"], "--mean was given 0"),
    ],
)
def test_bad_input(comm: Any, words: list[str], told: str, capfd: pytest.CaptureFixture[str]) -> None:
    refused(comm, words, [told], capfd)


@pytest.mark.ranks(2, others=())
def test_what_cannot_be_written_is_told_before_the_work(comm: Any, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "file").touch()
    refused(comm, ["compare", "--out", folder / "file"], ["can't be written"], capfd)


@pytest.mark.either
def test_bad_input_ends_the_job(library: Library) -> None:
    result = launch(library, 2, "compare", "--step", 1000, timeout=30)
    assert result.returncode == 2, result
    assert result.stderr.count("mpi_pgd: ") == 1, result
    assert "the fit diverged with --step 1000" in result.stderr, result


SIGNAL = """
import os, runpy, signal, threading
# Launchers hand it to all ranks. It is sent when the work has begun: before, nobody is there to take it.
from mpi_pgd.session import passes
rounds = passes.rounds
def signalled(*words):
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGUSR1)).start()
    passes.rounds = rounds
    return rounds(*words)
passes.rounds = signalled
runpy.run_module("mpi_pgd", run_name="__main__", alter_sys=True)
"""
MEASURED = """
import os, runpy, signal, threading
from mpi4py import MPI
from mpi_pgd.study.turns import Race
turn = Race._turn
def signalled(race, one, warm, team):
    if not warm and MPI.COMM_WORLD.rank == 0:  # all have had a turn; others may be signalled behind the end
        Race._turn = turn
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1)).start()
    return turn(race, one, warm, team)
Race._turn = signalled
runpy.run_module("mpi_pgd", run_name="__main__", alter_sys=True)
"""
BUG = """
import runpy
from mpi4py import MPI
from mpi_pgd.modes.peer_to_peer import PeerToPeer

step, calls = PeerToPeer.step, 0

def broken(*words):
    global calls
    calls += 1
    if calls == 9 and MPI.COMM_WORLD.rank == 1:
        raise RuntimeError("injected")
    step(*words)

PeerToPeer.step = broken
runpy.run_module("mpi_pgd", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("command", plainly(STUDIES[1:2], STUDIES))
def test_a_signal_ends_a_study(command: list[str], tmp_path: Path) -> None:
    library = any_library(STUDIES.index(command) + 1)
    script = tmp_path / "usr1.py"  # not signal.py: that would be in the way of the module
    script.write_text(SIGNAL)
    result = launch(library, 3, *command, "--rounds", 10**6, "--out", tmp_path / "out", script=script, timeout=60)
    assert result.returncode == 75, result
    assert not (tmp_path / "out").exists(), "half a study was written"


@pytest.mark.parametrize("command", ["compare", thorough("scaling")])
def test_a_signal_leaves_what_is_measured(command: str, tmp_path: Path) -> None:
    library = any_library(command == "compare")
    script = tmp_path / "usr1.py"
    script.write_text(MEASURED)
    words = (command, "--rounds", 2, "--repeats", 10**5, "--out", tmp_path / "out")
    result = launch(library, 3, *words, script=script, timeout=60)
    assert result.returncode == 75, result
    record = json.loads((tmp_path / "out" / f"{command}.json").read_text())
    alike(record["rows"])
    assert re.fullmatch(r"stopped by a signal after [1-9]\d* of \d+00000 turns", record["stopped"])
    assert record["stopped"] in record["notes"]
    assert record["stopped"] in result.stdout
    assert records.read(str(tmp_path / "out"), every()).found[command]["rows"] == record["rows"]


@pytest.mark.parametrize("command", plainly(STUDIES[:1], STUDIES))
def test_a_bug_on_one_rank_ends_a_study(command: list[str], tmp_path: Path) -> None:
    library = any_library(STUDIES.index(command))
    script = tmp_path / "bug.py"
    script.write_text(BUG)
    result = launch(library, 3, *command, script=script, timeout=60)
    assert result.returncode not in (0, 2), result
    assert "RuntimeError: injected" in result.stderr, result
