"""What a user sees of checkpoints, signals and lost ranks: the same fingerprint, or one sentence.

Things happen to a run at a call of one of its functions on one of its ranks, so they happen at the same moment each time.
"""

import csv
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest

from mpi_pgd.data.make import make
from mpi_pgd.recovery.checkpoint import Checkpoint, read
from tests.commands import command, refused
from tests.hosts import Hosts, unavailable
from tests.launch import Library, Result, any_library, launch, libraries
from tests.thorough import plainly, thorough

pytestmark = pytest.mark.beside("jobs")

ULFM = ("--with-ft", "ulfm")
ROWS, FEATURES = 6000, 8  # 32 blocks
SHORT, LONG = 50, 120  # rounds
TRY_AGAIN = 75
SLOW = ("--delay", "exponential:0.005")  # so that a checkpoint can be written before the next one is due

AT = """
import os, runpy, signal, time
from pathlib import Path
import mpi4py
mpi4py.rc.threads = False
from mpi4py import MPI
import mpi_pgd.cli.fit, mpi_pgd.session.run
import {module}

whole, calls = {module}.{name}, 0

def then(*args, **kwargs):
    global calls
    calls += 1
    if calls == {call}:
        {act}
    return whole(*args, **kwargs)

if MPI.COMM_WORLD.rank == {rank}:
    {module}.{name} = then
runpy.run_module("mpi_pgd", run_name="__main__", alter_sys=True)
"""
LOAD = ("mpi_pgd.data.memory", "MemoryShard.hold")
MOMENTS = ("mpi_pgd.drivers.moments", "MomentsDriver.update")
ROUND = ("mpi_pgd.engine.partial", "Partial.close")  # once a round, in the pass before the fit too
STOP = "os.kill(os.getpid(), signal.SIGUSR1)"
TWICE = f"{STOP}; time.sleep(0.6); {STOP}"
KILL = "os.kill(os.getpid(), signal.SIGKILL)"
Change = Callable[[Path, str], list[object]]  # makes what is wrong; the words that name it
SEEN: dict[tuple[object, ...], tuple[str, list[list[str]]]] = {}


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Rows without noise: the gradient goes down to nothing, and the bound of the sums has to follow it."""
    path = tmp_path_factory.mktemp("rows") / "exact.h5"
    make(path, ROWS, FEATURES, condition=30.0, noise=0.0, seed=3)
    return str(path)


@pytest.fixture(scope="module")
def stopped(exact: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint after the first rounds."""
    path = tmp_path_factory.mktemp("checkpoint") / "fit.ckpt"
    ended(launch(any_library(0), 2, exact, "--rounds", SHORT, "--tol", 0, "--quiet", "--checkpoint", path))
    return path


def at(folder: Path, place: tuple[str, str], call: int, rank: int, act: str) -> Path:
    """A script that is the program, to which something happens."""
    script = folder / "at.py"
    script.write_text(AT.format(module=place[0], name=place[1], call=call, rank=rank, act=act))
    return script


def ended(result: Result, code: int = 0) -> Result:
    assert result.returncode == code, result
    assert "Traceback" not in result.stderr, result
    return result


def record(out: Path) -> dict[str, Any]:
    found = json.loads((out / "run.json").read_text())
    assert isinstance(found, dict)
    return found


def history(out: Path) -> list[list[str]]:
    with (out / "history.csv").open(newline="") as stream:
        return list(csv.reader(stream))[1:]


def sentences(result: Result) -> list[str]:
    return [line for line in result.stderr.splitlines() if line.startswith("mpi_pgd: ")]


def undisturbed(library: Library, exact: str, folder: Path, *words: object, ranks: int = 1) -> tuple[str, list[list[str]]]:
    """The fingerprint and the history of a run to which nothing happens; found once."""
    key = (ranks, *words)
    if key not in SEEN:
        out = folder / "undisturbed"
        ended(launch(library, ranks, exact, "--rounds", LONG, "--tol", 0, "--quiet", "--out", out, *words))
        SEEN[key] = record(out)["weights_sha256"], history(out)
    return SEEN[key]


def resumed(library: Library, ranks: int, path: Path, out: Path, *words: object) -> dict[str, Any]:
    ended(launch(library, ranks, "--resume", path, "--rounds", LONG, "--quiet", "--out", out, *words))
    found = record(out)
    assert found["rounds"] == LONG
    return found


def other(library: Library) -> Library:
    """Another library, if there is one."""
    return next((each for name, each in libraries().items() if name != library.name), library)


# To the same bits


@pytest.mark.parametrize(
    ("solver", "before", "after"),
    [
        thorough("gd", (3, "peer-to-peer"), (2, "client-server")),
        thorough("momentum", (2, "client-server"), (5, "client-server")),
        ("nesterov", (4, "client-server"), (3, "peer-to-peer")),
    ],
)
def test_elsewhere_it_goes_on_as_if_it_had_never_stopped(
    solver: str, before: tuple[int, str], after: tuple[int, str], exact: str, tmp_path: Path
) -> None:
    library = any_library(before[0])
    words = ("--solver", solver, "--l2", "1e-6", "--sums", "order-free")
    fingerprint, lines = undisturbed(library, exact, tmp_path, *words)
    path, out = tmp_path / "fit.ckpt", tmp_path / "out"
    first = ("--rounds", SHORT, "--tol", 0, "--mode", before[1], "--checkpoint", path, "--out", out)
    result = ended(launch(library, before[0], exact, *words, *first))
    assert f"go on with --resume {path}" in result.stderr, result
    found = resumed(other(library), after[0], path, out, "--mode", after[1])
    assert found["weights_sha256"] == fingerprint
    assert (found["config"]["solver"], found["config"]["checkpoint"]) == (solver, str(path))
    assert [line[:-1] for line in history(out)] == [line[:-1] for line in lines]
    seconds = [float(line[-1]) for line in history(out)]
    assert seconds == sorted(seconds)
    assert read(path).rounds == LONG


@pytest.mark.thorough
def test_plain_sums_go_on_to_the_same_bits_on_as_many_ranks_only(exact: str, tmp_path: Path) -> None:
    library = any_library(1)
    words = ("--sums", "plain", "--mode", "peer-to-peer")
    fingerprint, _ = undisturbed(library, exact, tmp_path, *words, ranks=2)
    path = tmp_path / "fit.ckpt"
    ended(launch(library, 2, exact, *words, "--rounds", SHORT, "--tol", 0, "--checkpoint", path, "--quiet"))
    result = ended(launch(any_library(0), 3, "--resume", path, "--rounds", LONG), 2)
    assert "of another mode or number of ranks, which plain sums depend on" in result.stderr, result
    assert resumed(library, 2, path, tmp_path / "out")["weights_sha256"] == fingerprint


def test_what_is_done_is_done(stopped: Path, tmp_path: Path) -> None:
    path = shutil.copy(stopped, tmp_path)
    result = ended(launch(any_library(1), 2, "--resume", path, "--out", tmp_path / "out", "--quiet"))
    assert result.stderr == "", result
    found = record(tmp_path / "out")
    assert (found["status"], found["rounds"]) == ("rounds exhausted", SHORT)
    assert len(history(tmp_path / "out")) == SHORT


# Refused


def rows_fewer(folder: Path, exact: str) -> list[object]:
    make(folder / "fewer.h5", ROWS - 1, FEATURES, condition=30.0, noise=0.0, seed=3)
    return [folder / "fewer.h5"]


def two_targets_swapped(folder: Path, exact: str) -> list[object]:
    path = shutil.copy(exact, folder / "swapped.h5")
    with h5py.File(path, "r+") as file:
        file["y"][[17, 4000]] = file["y"][...][[4000, 17]]
    return [path]


def one_value_changed(folder: Path, exact: str) -> list[object]:
    path = shutil.copy(exact, folder / "changed.h5")
    with h5py.File(path, "r+") as file:
        file["X"][5999, 7] += 1e-9
    return [path]


def damaged(folder: Path, exact: str) -> list[object]:
    content = bytearray((folder / "fit.ckpt").read_bytes())
    content[-100] ^= 1
    (folder / "fit.ckpt").write_bytes(content)
    return []


def missing(folder: Path, exact: str) -> list[object]:
    (folder / "fit.ckpt").unlink()
    return []


REFUSED: dict[str, tuple[Change, str]] = {
    "l2": (lambda *_: ["--l2", 0.5], "--l2 is 0.5, the checkpoint has 0"),
    "solver": (lambda *_: ["--solver", "gd"], "--solver is gd, the checkpoint has auto"),
    "fewer rows": (rows_fewer, f"the data have {ROWS - 1} rows, the checkpoint's {ROWS}"),
    "swapped": (two_targets_swapped, "the checkpoint is of other rows"),
    "changed": (one_value_changed, "the checkpoint is of other rows"),
    "damaged": (damaged, "is damaged, its checksum is another"),
    "missing": (missing, "can't be read (No such file or directory)"),
}


@pytest.mark.ranks(3, others=())
@pytest.mark.parametrize("case", REFUSED)
def test_a_checkpoint_of_something_else_is_refused(
    comm: Any, folder: Path, case: str, exact: str, capfd: pytest.CaptureFixture[str]
) -> None:
    change, words = REFUSED[case]
    path = folder / "fit.ckpt"
    assert command(comm, comm.bcast(exact), "--rounds", SHORT, "--tol", 0, "--quiet", "--checkpoint", path) == 0
    capfd.readouterr()
    more = comm.bcast(change(folder, exact) if comm.rank == 0 else None)
    before = path.read_bytes() if path.exists() else b""
    refused(comm, ["--resume", path, "--rounds", LONG, *more], [words], capfd)
    assert (path.read_bytes() if path.exists() else b"") == before
    assert not list(folder.glob(".*.part"))


@pytest.mark.either
def test_a_checkpoint_of_something_else_ends_the_job(library: Library, stopped: Path) -> None:
    result = ended(launch(library, 3, "--resume", stopped, "--rounds", LONG, "--l2", 0.5), 2)
    assert len(sentences(result)) == 1, result
    assert "--l2 is 0.5, the checkpoint has 0" in result.stderr, result


def the_data(folder: Path, data: Path) -> Path:
    return data


def a_link_to_the_data(folder: Path, data: Path) -> Path:
    (folder / "fit.ckpt").symlink_to(data)
    return folder / "fit.ckpt"


def another_file(folder: Path, data: Path) -> Path:
    (folder / "notes.txt").write_text("do not lose this")
    return folder / "notes.txt"


def a_folder_that_nobody_can_write(folder: Path, data: Path) -> Path:
    return Path("/proc/fit.ckpt")  # not even root


NOT_THERE: dict[str, tuple[Callable[[Path, Path], Path], str]] = {
    "data": (the_data, "which this run reads"),
    "link": (a_link_to_the_data, "which this run reads"),
    "other": (another_file, "which is no checkpoint"),
    "read-only": (a_folder_that_nobody_can_write, "can't be written"),
}


@pytest.mark.ranks(2, others=())
@pytest.mark.parametrize("case", NOT_THERE)
def test_where_no_checkpoint_may_be_written(
    comm: Any, folder: Path, case: str, exact: str, capfd: pytest.CaptureFixture[str]
) -> None:
    place, words = NOT_THERE[case]
    data = folder / "data.h5"
    path = comm.bcast(place(folder, Path(shutil.copy(exact, data))) if comm.rank == 0 else None)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    refused(comm, [data, "--checkpoint", path, "--every", "1rounds"], [f"--checkpoint {path}", words], capfd)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


# Signals


@pytest.mark.parametrize(
    ("place", "call", "rank", "mode"),
    [(LOAD, 1, 1, "client-server"), thorough(MOMENTS, 1, 0, "peer-to-peer")],
    ids=["load", "moments"],
)
def test_a_signal_before_the_rounds_leaves_a_checkpoint_that_begins_anew(
    place: tuple[str, str], call: int, rank: int, mode: str, exact: str, tmp_path: Path
) -> None:
    library = any_library(rank)
    path = tmp_path / "fit.ckpt"
    words = ("--rounds", LONG, "--tol", 0, "--mode", mode, "--checkpoint", path, "--quiet")
    ended(launch(library, 3, exact, *words, script=at(tmp_path, place, call, rank, STOP)), TRY_AGAIN)
    assert read(path).rounds == 0
    assert resumed(library, 2, path, tmp_path / "out")["weights_sha256"] == undisturbed(library, exact, tmp_path)[0]


def test_a_signal_before_the_rounds_does_not_replace_what_was_to_be_resumed(stopped: Path, exact: str, tmp_path: Path) -> None:
    library = any_library(0)
    path = Path(shutil.copy(stopped, tmp_path))
    script = at(tmp_path, LOAD, 1, 1, STOP)
    ended(launch(library, 2, "--resume", path, "--rounds", LONG, "--quiet", script=script), TRY_AGAIN)
    assert rest(read(path)) == rest(read(stopped))
    assert resumed(library, 1, path, tmp_path / "out")["weights_sha256"] == undisturbed(library, exact, tmp_path)[0]


def rest(found: Checkpoint) -> tuple[object, ...]:
    return found.rounds, found.setup.tobytes(), found.state.tobytes(), found.history[0].tobytes(), found.history[1].tobytes()


@pytest.mark.parametrize("mode", ["client-server", thorough("peer-to-peer")])
def test_a_signal_stops_all_in_one_round(mode: str, exact: str, tmp_path: Path) -> None:
    library = any_library(mode == "peer-to-peer")
    path, out = tmp_path / "fit.ckpt", tmp_path / "out"
    words = (*SLOW, "--rounds", LONG, "--tol", 0, "--mode", mode, "--checkpoint", path, "--out", out)
    result = ended(launch(library, 3, exact, *words, script=at(tmp_path, ROUND, SHORT, 2, STOP)), TRY_AGAIN)
    found = record(out)
    assert found["status"] == "stopped by signal"
    assert 0 < found["rounds"] == read(path).rounds < LONG
    assert f"the checkpoint {path} has round {found['rounds']}; go on with --resume {path}" in result.stderr, result
    assert resumed(library, 2, path, out)["weights_sha256"] == undisturbed(library, exact, tmp_path)[0]


# The whole job dies


QUARTER = ("--memory", f"{ROWS * (FEATURES + 1) * 8 / 4 / 2 / 1024}K")  # of what the rows take, on two workers


@pytest.mark.parametrize(
    ("every", "act", "rank", "more"),
    [
        ("20rounds", KILL, 1, QUARTER),
        thorough("0.02s", KILL, 0, ()),
        thorough("1rounds", TWICE, 1, ("--cache", "none")),
    ],
    ids=str,
)
def test_a_job_that_dies_names_the_checkpoint_to_go_on_from(
    every: str, act: str, rank: int, more: tuple[object, ...], exact: str, tmp_path: Path
) -> None:
    """Also where memory has room for a quarter of the rows, or is used for none."""
    library = any_library(len(every))  # both
    path = tmp_path / "fit.ckpt"
    words = (*SLOW, *more, "--rounds", LONG, "--tol", 0, "--quiet", "--checkpoint", path, "--every", every)
    result = launch(library, 3, exact, *words, script=at(tmp_path, ROUND, 100, rank, act))
    assert result.returncode not in (0, TRY_AGAIN), result
    reached = read(path).rounds
    assert 0 < reached < LONG
    told = re.search(r"the checkpoint (\S+), of round (\d+), goes on with --resume (\S+)\n", result.stderr)
    assert told, result
    assert told[1] == told[3] == str(path)
    assert 0 < int(told[2]) <= reached  # it may die between a checkpoint and the word of it
    found = resumed(library, 2, path, tmp_path / "out", *more)
    assert found["weights_sha256"] == undisturbed(library, exact, tmp_path)[0]
    assert (found["rows_kept"]["streamed_bytes"] > 0) == bool(more)


# Stragglers


@pytest.mark.parametrize(
    ("ranks", "words"),
    [
        thorough(3, ("--balance", "--mode", "peer-to-peer")),
        thorough(4, ("--balance", "--mode", "client-server")),
        (5, ("--replicas", 2)),
    ],
    ids=["balance, peers", "balance, server", "replicas"],
)
def test_stragglers_change_no_bit(ranks: int, words: tuple[object, ...], exact: str, tmp_path: Path) -> None:
    library = any_library(ranks)
    kill = library.name == "openmpi"  # which survives it
    out = tmp_path / "out"
    # Early: a replica may lag behind, or be left out of rounds, so that the fit ends before its late ones.
    script = at(tmp_path, ROUND, 20 if kill else 10**9, ranks - 1, KILL)
    all_words = ("--rounds", LONG, "--tol", 0, "--quiet", "--delay", "1:3", "--out", out, *words)
    ended(launch(library, ranks, exact, *all_words, script=script, flags=ULFM if kill else ()))
    found = record(out)
    assert found["weights_sha256"] == undisturbed(library, exact, tmp_path)[0]
    assert (found["moved_blocks"] > 0) == ("--balance" in words)
    assert [loss["ranks"] for loss in found["losses"]] == ([[ranks - 1]] if kill else [])


# Lost ranks (ULFM)


STRANGER = """
import contextlib, os, signal, time
import mpi4py

mpi4py.rc.initialize = False
from mpi4py import MPI
from mpi_pgd.comm import world

comm = world.start()
if comm.rank == 2:
    os.kill(os.getpid(), signal.SIGKILL)
time.sleep(1)
if comm.rank == 1:
    with contextlib.suppress(MPI.Exception):  # it is told of the loss, or not yet: both will do
        comm.Send(bytearray(), 2)
    print("not held up", flush=True)
os._exit(0)
"""


@pytest.mark.skipif(bool(unavailable()), reason=unavailable())
def test_a_lost_rank_on_another_node_that_was_never_talked_to_holds_nobody_up(library: Library, tmp_path: Path) -> None:
    # Open MPI looks up the address of a rank when it first sends to it, and waits for ever for that of one that has died.
    if library.name != "openmpi":
        pytest.skip("only Open MPI survives a loss")
    script = tmp_path / "stranger.py"
    script.write_text(STRANGER)
    with Hosts(3) as hosts:
        result = hosts.mpirun(library, 3, script=script, flags=ULFM, timeout=20)
    assert result.stdout == "not held up\n", result


HARM = {
    "touched": ("os.utime({path!r})", "has changed since the run began"),
    "grown": ("open({path!r}, 'ab').write(b'more')", "has changed since the run began"),
    "removed": ("os.unlink({path!r})", "has gone since the run began"),
}


@pytest.mark.parametrize("harm", plainly(["removed"], HARM))
def test_data_that_are_not_what_they_were_are_not_read_again(library: Library, harm: str, exact: str, tmp_path: Path) -> None:
    if library.name != "openmpi":
        pytest.skip("only Open MPI survives a loss")
    data = shutil.copy(exact, tmp_path / "data.h5")
    act, words = HARM[harm]
    rank = 2 if harm == "touched" else 0  # whoever is the first then says it
    script, code = at(tmp_path, ROUND, 80, rank, f"{act.format(path=str(data))}; {KILL}"), tmp_path / "code"
    fit = ("--rounds", LONG, "--tol", 0, "--quiet", "--out", tmp_path / "out")
    result = ended(launch(library, 3, data, *fit, script=script, flags=ULFM, env={"MPI_PGD_EXIT": code}), 2)
    assert code.read_text() == "2\n"
    assert len(sentences(result)) == 1, result
    assert str(data) in result.stderr, result
    assert words in result.stderr, result


SETTINGS_FILE = {
    "edited": "Path({path!r}).write_text('l2 = 0.5\\nrounds = 7\\n')",
    "removed": "os.unlink({path!r})",
}


@pytest.mark.parametrize("harm", plainly(["removed"], SETTINGS_FILE))
def test_settings_are_read_once_whoever_is_lost(library: Library, harm: str, exact: str, tmp_path: Path) -> None:
    if library.name != "openmpi":
        pytest.skip("only Open MPI survives a loss")
    path, out = tmp_path / "fit.toml", tmp_path / "out"
    path.write_text(f"rounds = {LONG}\ntol = 0\nquiet = true\nl2 = 0\n")
    script = at(tmp_path, ROUND, 80, 0, f"{SETTINGS_FILE[harm].format(path=str(path))}; {KILL}")
    ended(launch(library, 3, exact, "--config", path, "--out", out, script=script, flags=ULFM))
    assert record(out)["weights_sha256"] == undisturbed(library, exact, tmp_path)[0]


def test_a_checkpoint_is_read_once_whoever_is_lost(library: Library, stopped: Path, exact: str, tmp_path: Path) -> None:
    if library.name != "openmpi":
        pytest.skip("only Open MPI survives a loss")
    path, out = Path(shutil.copy(stopped, tmp_path)), tmp_path / "out"
    script = at(tmp_path, ROUND, 1, 0, f"os.unlink({str(path)!r}); {KILL}")  # while the rows are looked at
    words = ("--resume", path, "--rounds", LONG, "--quiet", "--out", out)
    ended(launch(library, 3, *words, script=script, flags=ULFM))
    assert record(out)["weights_sha256"] == undisturbed(library, exact, tmp_path)[0]
    assert [line[:-1] for line in history(out)] == [line[:-1] for line in undisturbed(library, exact, tmp_path)[1]]


GOSSIP = ("--mode", "gossip", "--l2", 0.1, "--tol", 1e-10)


@pytest.mark.parametrize(("graph", "victim"), [thorough("ring", 0), ("hypercube", 3)])
def test_peers_that_are_left_have_other_neighbours(library: Library, exact: str, tmp_path: Path, graph: str, victim: int) -> None:
    if library.name != "openmpi":
        pytest.skip("only Open MPI survives a loss")
    out = tmp_path / "out"
    script = at(tmp_path, ROUND, 40, victim, KILL)
    words = (*GOSSIP, "--graph", graph, "--quiet", "--out", out)
    result = ended(launch(library, 4, exact, *words, script=script, flags=ULFM, timeout=60))
    found = record(out)
    assert (found["status"], found["ranks"], found["neighbours"]["graph"]) == ("converged", 3, "ring")
    assert ("on a ring" in result.stderr) == (graph == "hypercube")
    assert found["certificate"]["relative"] < 1e-12


def test_peers_with_neighbours_all_stop_at_a_signal_to_one(library: Library, exact: str, tmp_path: Path) -> None:
    script, out = at(tmp_path, ROUND, 40, 2, STOP), tmp_path / "out"
    words = ("--mode", "gossip", "--tol", 0, "--rounds", 10**6, "--quiet", "--out", out)
    result = launch(library, 4, exact, *words, script=script, timeout=60)
    assert result.returncode == TRY_AGAIN, result
    assert record(out)["status"] == "stopped by signal"
