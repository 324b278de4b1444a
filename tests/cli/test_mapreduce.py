"""The command ``mapreduce``: what it prints and writes, and what happens where the user's function fails."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from mpi4py import MPI

from mpi_pgd.cli.mapreduce import shown
from mpi_pgd.modes import ALGORITHMS
from tests.commands import command, refused
from tests.launch import Library, launch, libraries
from tests.thorough import plainly, thorough

pytestmark = pytest.mark.beside("commands")

MINE = """
import numpy as np

def stats(X, y):
    return {"rows": len(y), "sums": X.sum(axis=0), "nested": (float(y.max()), [X.T @ X])}

def words(X, y):
    return "short" if len(y) < 64 else "full"

def fails(X, y):
    if len(y) < 64:
        raise KeyError("of my own")
    return 1

def model(w, X, y):
    return fails(X, y), w

def loss(y, eta):
    fails(y, y)
    return 0.5 * (eta - y) ** 2, eta - y

def model_init(features, targets):
    return np.ones(features)
"""
ROWS = 300


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("mine"))


def made(folder: Path) -> Path:
    (folder / "mine.py").write_text(MINE)
    with h5py.File(folder / "d.h5", "w") as file:
        file["X"], file["y"] = np.arange(2.0 * ROWS).reshape(ROWS, 2), np.arange(ROWS)
    return folder


@pytest.mark.ranks(1, 3, others=())
@pytest.mark.parametrize("mode", ["client-server", "peer-to-peer"])
def test_printed_and_written(comm: MPI.Intracomm, folder: Path, mode: str, capfd: pytest.CaptureFixture[str]) -> None:
    if comm.rank == 0:
        made(folder)
    comm.Barrier()
    call = ("mapreduce", folder / "mine.py:stats", folder / "d.h5", "--mode", mode)
    assert command(comm, *call, "--out", folder / "a.json") == command(comm, *call, "--out", folder / "a.npz", "--quiet") == 0
    assert capfd.readouterr().out.startswith(f"rows: {ROWS}\nsums: [89700. 90000.]\nnested: " if comm.rank == 0 else "")
    named = json.loads((folder / "a.json").read_text())
    with np.load(folder / "a.npz") as found:
        assert set(found) == {"rows", "sums", "nested.0", "nested.1.0"}
        assert np.array_equal(found["nested.1.0"], named["nested"][1][0])
    assert (named["rows"], named["sums"]) == (ROWS, [89700.0, 90000.0])
    refused(comm, [*call, "--out", folder / "a.json"], ["which is there already", "--force"], capfd)
    refused(comm, ["mapreduce", folder / "mine.py:words", folder / "d.h5"], ["words gave str: expected a number"], capfd)


@pytest.mark.ranks(2, others=())
def test_mistakes(comm: MPI.Intracomm, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    if comm.rank == 0:
        made(folder)
    comm.Barrier()
    call = ("mapreduce", folder / "mine.py:words", folder / "d.h5", "--reduce", "collect")
    assert command(comm, *call, "--out", folder / "a.json") == 0
    assert json.loads((folder / "a.json").read_text()) == {"result": ["full"] * 4 + ["short"]}
    capfd.readouterr()
    for words, told in (
        (["mapreduce"], ["the following arguments are required: FILE.py:function"]),
        ([*call, "--out", folder / "a.csv"], ["expected a name that ends with .json, or with .npz"]),
        ([*call, "--out", folder / "mine.py", "--force"], ["expected a name that ends with .json"]),
        ([*call, "--mode", "p2p"], ["--mode was given 'p2p' (did you mean peer-to-peer?)"]),
        ([*call, "--solver", "gd"], ["unknown flag --solver"]),
        ([*call[:3], "--reduce", "median"], ["reduce was given 'median' (did you mean mean?): expected one of sum, mean, max, "]),
        (["mapreduce", folder / "mine.py:word", folder / "d.h5"], ["has no function word (did you mean words?)"]),
        (["mapreduce", folder / "mine.py:words", folder / "none.h5"], ["there is no file"]),
    ):
        refused(comm, words, told, capfd)


OWN = {"fails": ["mapreduce"], "model": ["fit", "--model"], "loss": ["fit", "--loss"]}


@pytest.mark.parametrize("function", plainly(["fails"], OWN))
def test_an_exception_on_one_rank_ends_all(library: Library, place: Path, function: str) -> None:
    """In one mode with one library, in the other with the other."""
    mode = list(ALGORITHMS)[(list(OWN).index(function) + list(libraries()).index(library.name)) % len(ALGORITHMS)]
    result = launch(library, 3, *OWN[function], f"{place / 'mine.py'}:{function}", place / "d.h5", "--mode", mode, timeout=30)
    assert result.returncode != 0, result
    assert "rank 2 of 3" in result.stderr, result
    assert f'File "{place / "mine.py"}", line ' in result.stderr, result
    assert "KeyError: 'of my own'" in result.stderr, result


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (3, "3"),
        ({"a": 1, 2: np.eye(2)}, "a: 1\n2: [[1. 0.]\n    [0. 1.]]"),
        ((1.5, "x"), "1.5\nx"),
        (list(range(15)), "\n".join(map(str, range(12))) + "\n... and 3 more; --out FILE keeps all"),
    ],
)
def test_shown(result: Any, text: str) -> None:
    assert shown(result) == text


SCRIPT = """
import sys, mpi_pgd
with mpi_pgd.Rows(sys.argv[1], mode=sys.argv[2]) as rows:
    total = rows.mapreduce(lambda X, y: len(y))
    if rows.comm.rank == 1:
        raise KeyError("between two maps")
    rows.mapreduce(lambda X, y: len(y))
"""


@pytest.mark.parametrize("mode", ["client-server", thorough("peer-to-peer")])
@pytest.mark.either
def test_an_exception_between_two_maps_ends_all(library: Library, place: Path, mode: str) -> None:
    (place / "script.py").write_text(SCRIPT)
    result = launch(library, 3, place / "d.h5", mode, script=place / "script.py", timeout=30)
    assert result.returncode != 0, result
    assert "rank 1 of 3" in result.stderr, result
    assert "KeyError: 'between two maps'" in result.stderr, result


LOST = """
import os, signal

def count(X, y):
    if os.environ["OMPI_COMM_WORLD_RANK"] == "3" and y[0] >= 200:
        open(__file__ + ".lost", "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return {"rows": len(y), "sum": float(y.sum())}
"""


@pytest.mark.parametrize("mode", ["client-server", thorough("peer-to-peer")])
def test_it_goes_on_without_a_lost_rank(place: Path, mode: str, tmp_path: Path) -> None:
    library = libraries().get("openmpi") or pytest.skip("no Open MPI here")
    (tmp_path / "mine.py").write_text(LOST)
    words = ("mapreduce", tmp_path / "mine.py:count", place / "d.h5", "--mode", mode, "--out", tmp_path / "a.json", "--quiet")
    launch(library, 4, *words, flags=("--with-ft", "ulfm"))
    assert (tmp_path / "mine.py.lost").exists()
    assert json.loads((tmp_path / "a.json").read_text()) == {"rows": ROWS, "sum": ROWS * (ROWS - 1) / 2}
