"""What a user's mistake, and a bug on one rank, look like: the list of errors that README promises.

Every mistake is tried on a communicator, and some of each kind under an mpirun of its own.
"""

import json
import os
import platform
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests import commands
from tests.launch import LEFT_OUT, ROOT, Library, Result, any_library, launch
from tests.sparse import hole

pytestmark = pytest.mark.beside("commands")

MODES = ("client-server", "peer-to-peer")
ROWS, FEATURES = 5000, 4  # 20 blocks: the last rank's shard begins after row 2500 in client-server, 3328 in peer-to-peer
DIAMONDS = str(ROOT / "data/diamonds.h5")
QUICK = 10.0  # seconds for a whole job, MPI's start-up on a busy machine included

Arguments = list[str]
Build = Callable[[Path], Arguments]


def rows(count: int = ROWS, features: int = FEATURES) -> tuple[Any, Any]:
    draw = np.random.default_rng(0)
    return draw.normal(size=(count, features)), draw.normal(size=count)


def stored(path: Path, x: Any = None, y: Any = None, **options: Any) -> str:
    """An HDF5 file with good rows, but for what is given."""
    good_x, good_y = rows()
    with h5py.File(path, "w") as file:
        file.create_dataset("X", data=good_x if x is None else x, **options)
        file.create_dataset("y", data=good_y if y is None else y)
    return str(path)


def no_such_file(folder: Path) -> Arguments:
    return [str(folder / "gone.h5")]


def no_match(folder: Path) -> Arguments:
    return [str(folder / "part*.h5")]


def unreadable(folder: Path) -> Arguments:
    path = stored(folder / "data.h5")
    Path(path).chmod(0)
    return [path]


def not_hdf5(folder: Path) -> Arguments:
    path = folder / "data.h5"
    path.write_text("x,y\n1,2\n" * 1000)
    return [str(path)]


def a_folder(folder: Path) -> Arguments:
    return [str(folder)]


def truncated(folder: Path) -> Arguments:
    path = stored(folder / "data.h5")
    os.truncate(path, Path(path).stat().st_size // 2)
    return [path]


def damaged(folder: Path) -> Arguments:
    """Only the last rank reads the chunk that can't be decompressed."""
    path = stored(folder / "data.h5", chunks=(500, FEATURES), compression="gzip")
    with h5py.File(path, "r+") as file:
        file["X"].id.write_direct_chunk((4500, 0), b"these bytes are not what gzip writes")
    return [path]


def other_names(folder: Path) -> Arguments:
    x, y = rows()
    with h5py.File(folder / "data.h5", "w") as file:
        file["points"], file["group/responses"] = x, y
    return [str(folder / "data.h5")]


def x_flat(folder: Path) -> Arguments:
    return [stored(folder / "data.h5", x=rows()[1])]


def y_short(folder: Path) -> Arguments:
    return [stored(folder / "data.h5", y=rows(ROWS - 1)[1])]


def y_deep(folder: Path) -> Arguments:
    return [stored(folder / "data.h5", y=rows(ROWS, 2)[0][:, :, None])]


def no_rows(folder: Path) -> Arguments:
    return [stored(folder / "data.h5", *rows(0))]


def no_features(folder: Path) -> Arguments:
    return [stored(folder / "data.h5", *rows(ROWS, 0))]


def strings(folder: Path) -> Arguments:
    return [stored(folder / "data.h5", x=np.full((ROWS, FEATURES), b"Ideal"))]


def strings_of_any_length(folder: Path) -> Arguments:
    return [stored(folder / "data.h5", y=np.full(ROWS, "Ideal", dtype=h5py.string_dtype()))]


def records(folder: Path) -> Arguments:
    """One compound value a row, as pandas and many instruments store tables."""
    return [stored(folder / "data.h5", np.zeros(ROWS, dtype=[("carat", "f8"), ("depth", "f8")]))]


def compound(folder: Path) -> Arguments:
    return [stored(folder / "data.h5", x=np.zeros((ROWS, FEATURES), dtype=[("carat", "f8"), ("depth", "f4")]))]


def complex_numbers(folder: Path) -> Arguments:
    return [stored(folder / "data.h5", x=rows()[0] * 1j)]


def nan_in_x(folder: Path) -> Arguments:
    x, y = rows()
    x[4321, 2] = x[4800, 0] = np.nan  # both in the last rank's shard: the first is named
    return [stored(folder / "data.h5", x, y)]


def nan_in_float32(folder: Path) -> Arguments:
    x, y = rows()
    x[4321, 1] = np.nan
    return [stored(folder / "data.h5", x.astype(np.float32), y)]


def inf_in_y(folder: Path) -> Arguments:
    x, y = rows()
    y[2100] = -np.inf
    x[4321, 2] = np.nan  # a later rank's
    return [stored(folder / "data.h5", x, y)]


def missing_value(folder: Path) -> Arguments:
    """As netCDF marks it; with rows of another file before, so that its own numbers are not those of the table."""
    x = np.zeros((ROWS, FEATURES), "i2")
    x[4321, 2] = x[4800, 0] = -32767
    stored(folder / "part1.h5", x[:, ::-1], rows()[1])
    with h5py.File(stored(folder / "part2.h5", x), "r+") as file:
        file["X"].attrs.update({"_FillValue": np.array([-32767], "i2"), "scale_factor": 0.1})
    return [str(folder / "part*.h5")]


def same_file(folder: Path) -> Arguments:
    (folder / "part2.h5").hardlink_to(stored(folder / "part1.h5"))
    return [str(folder / "part*.h5")]


def shards_disagree(folder: Path) -> Arguments:
    stored(folder / "part2.h5")
    stored(folder / "part10.h5", *rows(ROWS, FEATURES + 1))
    return [str(folder / "part*.h5")]


def source_missing(folder: Path) -> Arguments:
    x, y = rows()
    layout = h5py.VirtualLayout((2 * ROWS, FEATURES), "f8")
    for i, name in enumerate(("here.h5", "gone.h5")):
        stored(folder / name)
        layout[i * ROWS : (i + 1) * ROWS] = h5py.VirtualSource(folder / name, "X", shape=x.shape)
    with h5py.File(folder / "data.h5", "w") as file:
        file.create_virtual_dataset("X", layout)
        file["y"] = np.concatenate([y, y])
    (folder / "gone.h5").unlink()
    return [str(folder / "data.h5")]


def unknown_filter(folder: Path) -> Arguments:
    """HDF5 lets a filter that it has not got pass if it is optional; the chunk then says that it was applied."""
    x, y = rows()
    how = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    how.set_chunk(x.shape)
    how.set_filter(32999, h5py.h5z.FLAG_OPTIONAL, ())
    with h5py.File(folder / "data.h5", "w") as file:
        space = h5py.h5s.create_simple(x.shape)
        data_set = h5py.h5d.create(file.id, b"X", h5py.h5t.IEEE_F64LE, space, how)
        data_set.write_direct_chunk((0, 0), b"compressed", 0)
        file["y"] = y
    return [str(folder / "data.h5")]


def never_written(folder: Path) -> Arguments:
    with h5py.File(folder / "data.h5", "w") as file:
        file.create_dataset("X", (ROWS, FEATURES), "f8", chunks=(100, FEATURES))[:4900] = 1.0
        file["y"] = np.ones(ROWS)
    return [str(folder / "data.h5")]


def a_pipe_behind(folder: Path) -> Arguments:
    os.mkfifo(folder / "part.h5")
    with h5py.File(folder / "data.h5", "w") as file:
        file["X"], file["y"] = h5py.ExternalLink("part.h5", "X"), np.ones(ROWS)
    return [str(folder / "data.h5")]


def too_large(folder: Path) -> Arguments:
    with h5py.File(folder / "data.h5", "w") as file:
        hole(file, "X", (10**9, 1000))
        hole(file, "y", (10**9,))
    return [str(folder / "data.h5"), "--cache", "memory"]


def too_wide(folder: Path) -> Arguments:
    """A bundle of so many features would take gigabytes of the disk, also one that is only tried."""
    with h5py.File(folder / "data.h5", "w") as file:
        hole(file, "X", (64, 2**30))
        hole(file, "y", (64,))
    return [str(folder / "data.h5"), "--out", str(folder / "run")]


def out_below_a_file(folder: Path) -> Arguments:
    """With rows that can't be used either: the folder is tried before they are read."""
    (folder / "file").write_text("not a folder")
    return [*nan_in_x(folder), "--out", str(folder / "file" / "run")]


def out_without_leave(folder: Path) -> Arguments:
    (folder / "closed").mkdir(mode=0o500)
    return [*nan_in_x(folder), "--out", str(folder / "closed" / "run")]


def flags(*words: str) -> Build:
    return lambda folder: list(words)


def toml(text: str) -> Build:
    def build(folder: Path) -> Arguments:
        (folder / "settings.toml").write_text(text)
        return ["--config", str(folder / "settings.toml")]

    return build


AS_ROOT = pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")

CASES: dict[str, tuple[Build, tuple[str, ...]]] = {
    "no such file": (no_such_file, ("there is no file", "gone.h5")),
    "no match": (no_match, ("no file matches", "part*.h5")),
    "unreadable": (unreadable, ("data.h5", "may not be read")),
    "not HDF5": (not_hdf5, ("data.h5", "is not an HDF5 file")),
    "a folder": (a_folder, ("is a folder",)),
    "truncated": (truncated, ("data.h5", "cut short")),
    "damaged": (damaged, ("data.h5", "can't be read", "rows ")),
    "missing data set": (other_names, ("data.h5", "has no data set X", "points", "group/responses", "--x")),
    "missing target": (lambda folder: [*other_names(folder), "--x", "points"], ("no data set y", "responses", "--y")),
    "X not 2-D": (x_flat, ("X in", "(5000,)", "two dimensions")),
    "y short": (y_short, ("y in", "(4999,)", "(5000,)")),
    "y deep": (y_deep, ("y in", "(5000, 2, 1)", "(5000, 1)")),
    "no rows": (no_rows, ("X in", "no rows")),
    "no features": (no_features, ("X in", "no features")),
    "strings": (strings, ("X in", "strings", "expected real numbers")),
    "strings of any length": (strings_of_any_length, ("y in", "strings", "expected real numbers")),
    "compound": (compound, ("X in", "compound", "expected real numbers")),
    "records": (records, ("X in", "compound", "expected real numbers")),
    "complex": (complex_numbers, ("X in", "complex", "expected real numbers")),
    "NaN in X": (nan_in_x, ("row 4321, column 2 of X is nan",)),
    "NaN in float32": (nan_in_float32, ("row 4321, column 1 of X is nan",)),
    "inf in y": (inf_in_y, ("row 2100, y is -inf",)),
    "shards disagree": (shards_disagree, ("part2.h5 has 4", "part10.h5 has 5 features")),
    "source missing": (source_missing, ("X in", "data.h5", "gone.h5", "missing")),
    "never written": (never_written, ("X in", "data.h5", "49 of 50 chunks are stored, rows 4900 to 4999 were never written")),
    "a pipe behind": (a_pipe_behind, ("part.h5 is a pipe, not a file",)),
    "unknown filter": (unknown_filter, ("X in", "filter that is not installed", "32999")),
    "too large": (too_large, ("the rows need 7.46e+03 GiB of memory", "which can give")),
    "too wide": (too_wide, ("the sums over 1,073,741,824 features need", "which can give")),
    "out below a file": (out_below_a_file, ("--out", "can't be written", "Not a directory")),
    "out without leave": (out_without_leave, ("--out", "can't be written", "Permission denied")),
    "unknown flag": (flags("--moed", "peer-to-peer"), ("unknown flag --moed", "did you mean --mode?")),
    "unknown flag with =": (flags("--round=3"), ("unknown flag --round", "did you mean --rounds?")),
    "flag without value": (flags("--rounds"), ("--rounds", "expected one argument")),
    "unknown key": (toml("roundz = 3"), ("unknown setting roundz", "settings.toml", "did you mean rounds?")),
    "key of another type": (toml("rounds = true"), ("rounds in", "settings.toml", "True", "whole number")),
    "not TOML": (toml("rounds: 3\n"), ("settings.toml", "is not TOML")),
    "no such TOML": (flags("--config", "gone.toml"), ("--config gone.toml", "can't be read")),
    "rounds 0": (flags("--rounds", "0"), ("--rounds", "'0'", "from 1 to 2**63 - 1")),
    "rounds word": (flags("--rounds", "many"), ("--rounds", "'many'", "whole number")),
    "l2 -1": (flags("--l2", "-1"), ("--l2", "'-1'", "at least 0")),
    "l2 nan": (flags("--l2", "nan"), ("--l2", "'nan'", "at least 0")),
    "tol 2": (flags("--tol", "2"), ("--tol", "'2'", "from 0 to 1")),
    "step 0": (flags("--step", "0"), ("--step", "'0'", "above 0")),
    "step inf": (flags("--step", "inf"), ("--step", "'inf'", "above 0")),
    "momentum 1": (flags("--momentum", "1"), ("--momentum", "'1'", "below 1")),
    "max-seconds 0": (flags("--max-seconds", "0"), ("--max-seconds", "'0'", "above 0")),
    "mode foo": (flags("--mode", "foo"), ("--mode", "'foo'", "client-server, peer-to-peer")),
    "missing value": (missing_value, ("row 9321, column 2 of X is a missing value", "part2.h5 has -32767", "2 of its 20,000")),
    "same file": (same_file, ("part1.h5 and", "part2.h5 are the same file", "count twice")),
    "solver foo": (flags("--solver", "foo"), ("--solver", "'foo'", "nesterov")),
}
NOT_AS_ROOT = ("unreadable", "out without leave")


def in_turn(library: Library, number: int) -> str:
    """A mode: what is tried in one with MPICH is tried in the other with the other libraries."""
    return MODES[(number + (library.name == "mpich")) % 2]


def ours(result: Result) -> list[str]:
    """What we say on standard error: launchers add banners of their own."""
    return [line for line in result.stderr.splitlines() if line.startswith("mpi_pgd: ")]


def refused(result: Result, words: tuple[str, ...]) -> None:
    assert result.returncode == 2, result
    assert len(ours(result)) == 1, result
    assert result.stderr.count("mpi_pgd: ") == 1, result
    assert [word for word in words if word not in ours(result)[0]] == [], result
    assert "Traceback" not in result.stderr, result
    assert result.stdout == "", result
    assert result.seconds < QUICK, result


@pytest.mark.ranks(3, others=())
@pytest.mark.parametrize("case", [pytest.param(name, marks=AS_ROOT if name in NOT_AS_ROOT else ()) for name in CASES])
def test_mistake_is_answered_by_one_sentence(comm: Any, folder: Path, case: str, capfd: pytest.CaptureFixture[str]) -> None:
    build, words = CASES[case]
    mode = MODES[[*CASES].index(case) % 2]
    commands.refused(comm, ["--mode", mode, *comm.bcast(build(folder) if comm.rank == 0 else None)], words, capfd)


# Before the rows are looked at, while rank 0 looks, and while all read; what is said by one rank, and by several.
KINDS = ("no such file", "shards disagree", "NaN in X", "damaged", "too large", "out below a file", "unknown flag", "rounds 0")


@pytest.mark.parametrize("case", KINDS)
def test_mistake_ends_the_job(case: str, tmp_path: Path) -> None:
    (build, words), turn = CASES[case], KINDS.index(case)
    refused(launch(any_library(turn), 3, "--mode", MODES[turn // 2 % 2], *build(tmp_path)), words)


@pytest.mark.ranks(3, others=())
@pytest.mark.parametrize("solver", ["nesterov", "gd"])
@pytest.mark.parametrize("mode", MODES)
def test_step_too_large_ends_as_diverged(
    comm: Any, folder: Path, mode: str, solver: str, capfd: pytest.CaptureFixture[str]
) -> None:
    fit = ["--step", 100, "--no-standardize", "--solver", solver, "--mode", mode, "--out", folder / "run"]
    assert commands.command(comm, DIAMONDS, *fit) == 4
    said = capfd.readouterr().err
    if comm.rank == 0:
        assert re.fullmatch(r"mpi_pgd: .*diverged.*--step auto.*\n", said)
        diverged(folder / "run")
    else:
        assert said == ""


def diverged(out: Path) -> None:
    record = json.loads((out / "run.json").read_text(), parse_constant=lambda word: pytest.fail(f"{word} in run.json"))
    assert record["status"] == "diverged"
    with h5py.File(out / "model.h5") as model:
        assert np.isfinite(model["coef"][()]).all()
        assert np.isfinite(model["intercept"][()])


@pytest.mark.either
def test_a_fit_that_diverged_ends_with_a_code_of_its_own(library: Library, tmp_path: Path) -> None:
    result = launch(
        library, 3, DIAMONDS, "--step", 100, "--no-standardize", "--mode", in_turn(library, 0), "--out", tmp_path / "run"
    )
    assert result.returncode == 4, result
    assert len(ours(result)) == 1, result
    assert "Traceback" not in result.stderr, result
    assert "Warning" not in result.stderr, result
    diverged(tmp_path / "run")


@pytest.mark.ranks(3, others=())
@pytest.mark.parametrize("failure", ["NaN in X", "rounds 0", "too large"])
def test_failed_run_leaves_an_earlier_one_as_it_was(
    comm: Any, folder: Path, failure: str, capfd: pytest.CaptureFixture[str]
) -> None:
    build, words = CASES[failure]
    out = folder / "run"
    assert commands.command(comm, DIAMONDS, "--rounds", 2, "--quiet", "--out", out) == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    arguments = comm.bcast(build(folder) if comm.rank == 0 else None)
    commands.refused(comm, ["--out", out, "--force", *arguments], words, capfd)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


@pytest.mark.parametrize("task", ["0", "1"])
def test_worlds_of_one_rank_under_slurm_are_refused(library: Library, task: str) -> None:
    """What a wrong `srun --mpi` does: every task finds itself alone, and only the first one says so, and ends with a code."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(LEFT_OUT)}
    environment |= {"PYTHONPATH": str(ROOT), "SLURM_JOB_ID": "7", "SLURM_STEP_NUM_TASKS": "3", "SLURM_PROCID": task}
    command = [library.python, "-m", "mpi_pgd"]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60)
    result = Result(" ".join(command), done.returncode, done.stdout, done.stderr, 0.0)
    if task == "0":
        refused(result, ("3 tasks", "--mpi="))
    else:
        assert (result.returncode, ours(result), result.stdout) == (0, [], ""), result


OTHER_KERNELS = """
import os, runpy, sys
if os.environ.get("PMI_RANK", os.environ.get("OMPI_COMM_WORLD_RANK")) == "1":
    os.environ.update([sys.argv.pop(1).split("=")])
else:
    del sys.argv[1]
runpy.run_module("mpi_pgd", run_name="__main__", alter_sys=True)
"""
NUMPY = {"MPI_PGD_KERNEL": "numpy"}
PRESCOTT = "OPENBLAS_CORETYPE=Prescott"  # which every x86-64 processor can run, and none chooses


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the kernels that the test asks for are x86-64's")
def test_ranks_with_other_kernels_are_refused(tmp_path: Path) -> None:
    script = tmp_path / "other.py"
    script.write_text(OTHER_KERNELS)
    result = launch(any_library(1), 3, PRESCOTT, script=script, env=NUMPY)
    refused(result, ("rank 1 on node", "BLAS chose other kernels", "OPENBLAS_CORETYPE"))
    refused(
        launch(any_library(0), 3, "MPI_PGD_KERNEL=numpy", script=script), ("rank 1 on node", "the kernel is numpy here and native")
    )
    assert launch(any_library(0), 3, PRESCOTT, "--rounds", 2, script=script).returncode == 0  # it has no say in a compiled kernel


def test_kernels_that_are_not_there(tmp_path: Path) -> None:
    for words in (("fit",), ("doctor",)):
        result = launch(any_library(0), 2, *words, env={"MPI_PGD_KERNEL": "sse9"})
        refused(result, ("MPI_PGD_KERNEL is 'sse9': expected numpy or",))


def test_help_is_printed_once() -> None:
    result = launch(any_library(1), 3, "help", "fit")
    assert result.returncode == 0, result
    assert result.stdout.count("usage:") == 1, result
    assert result.stdout.count("--standardize") == 1, result
    assert ours(result) == [], result
    assert result.seconds < QUICK, result


INJECT = """
import runpy
import mpi4py
mpi4py.rc.threads = False
from mpi4py import MPI
import mpi_pgd.cli.fit, mpi_pgd.session.run
import {module}

whole, calls = {module}.{name}, 0

def broken(*args, **kwargs):
    global calls
    calls += 1
    if calls == {call}:
        raise RuntimeError("injected")
    return whole(*args, **kwargs)

if MPI.COMM_WORLD.rank == {rank}:
    {module}.{name} = broken
runpy.run_module("mpi_pgd", run_name="__main__", alter_sys=True)
"""

BUGS = {
    "while connecting": ("mpi_pgd.comm.world", "connect", 1, 1),
    "at the start": ("mpi_pgd.comm.world", "lonely", 1, 1),
    "in the settings": ("mpi_pgd.config", "settings", 1, 1),
    "in the inspection": ("mpi_pgd.data.hdf5", "inspect", 0, 1),
    "in the loading": ("mpi_pgd.data.memory", "MemoryShard.hold", 1, 1),
    "in the means": ("mpi_pgd.engine.moments", "MomentsTask.bind", 2, 1),
    "in the check of the kernels": ("mpi_pgd.engine.tasks", "GradientTask.bind", 1, 1),
    "in the first round": ("mpi_pgd.engine.tasks", "GradientTask.bind", 1, 2),
    "in a later round": ("mpi_pgd.engine.tasks", "GradientTask.bind", 1, 20),
    "in the solver": ("mpi_pgd.drivers.fit", "FitDriver.update", 0, 5),
    "in the result": ("mpi_pgd.session.record", "digest", 0, 1),
    "in the clock": ("mpi_pgd.observers.clock", "Clock.close", 2, 1),
    "in the costs": ("mpi_pgd.observers.costs", "Costs.add", 0, 1),
    "in the report": ("mpi_pgd.cli.fit", "_print", 0, 1),
}


@pytest.mark.parametrize("bug", BUGS)
def test_exception_on_one_rank_ends_the_job_with_its_traceback(bug: str, tmp_path: Path) -> None:
    library = any_library(list(BUGS).index(bug) // 2)  # each with both modes
    module, name, rank, call = BUGS[bug]
    script = tmp_path / "inject.py"
    script.write_text(INJECT.format(module=module, name=name, rank=rank, call=call))
    # With a step of our own, no power iteration: the map's calls are then the rounds.
    fit = ["--step", 0.1, "--rounds", 100, "--out", tmp_path / "run"]
    mode = MODES[list(BUGS).index(bug) % 2]
    result = launch(library, 3, "--mode", mode, *fit, script=script, timeout=20, cwd=tmp_path)
    assert result.returncode != 0, result
    assert "Traceback" in result.stderr, result
    assert "RuntimeError: injected" in result.stderr, result
    saved = list(tmp_path.glob("mpi_pgd-fit-*.json"))
    assert len(ours(result)) == len(saved) == (bug == "in the result"), result
    assert all(str(file) in result.stderr for file in saved), result
    assert result.seconds < QUICK, result


FROM_PYTHON = {
    "no communicator": "fit({data!r}, comm=5 if rank == 1 else None)",
    "no text": "fit({data!r}, **({{'x': Bad()}} if rank == 0 else {{}}))",
}


@pytest.mark.parametrize("call", FROM_PYTHON)
def test_an_exception_in_the_first_lines_of_fit_ends_the_job(call: str, tmp_path: Path) -> None:
    library = any_library(list(FROM_PYTHON).index(call))
    script = tmp_path / "script.py"
    bad = "class Bad:\n    def __repr__(self):\n        raise RuntimeError('injected')\n"
    line = FROM_PYTHON[call].format(data=stored(tmp_path / "data.h5"))
    script.write_text(f"from mpi4py import MPI\nfrom mpi_pgd import fit\nrank = MPI.COMM_WORLD.rank\n{bad}{line}\n")
    result = launch(library, 2, script=script, timeout=20)
    assert result.returncode != 0, result
    assert "Error: " in result.stderr, result
    assert result.seconds < QUICK, result
