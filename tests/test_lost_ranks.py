"""A rank is killed in the middle of a fit, by each solver: those that are left go on to the same bits (Open MPI with ULFM)."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mpi_pgd.modes import ALGORITHMS
from tests.combinations import Combination, combinations, write
from tests.families import SOLVING
from tests.launch import Library, launch, libraries
from tests.test_survival import KILL, ROUND, ULFM, at, ended, record
from tests.thorough import plainly, thorough

pytestmark = pytest.mark.beside("jobs")

PASSES = 2  # over the rows before the fit, and the round at its start
EVERY = {(each.loss, each.penalty, each.solver): each for each in combinations() if not each.way}
SERVER, PEERS, *_ = ALGORITHMS
# Rows of the lost are read again by those that are left: in each round, once, as many of them as fit in each round, or, as they
# lie in memory that the node shares, not at all.
KEPT = (("--cache", "none"), ("--cache", "memory"), ("--memory", "10K"), ("--share-rows",))


class Case(NamedTuple):
    """Which rank of how many is killed, in which fit."""

    of: Combination
    victim: int
    ranks: int = 3
    words: tuple[object, ...] = ("--mode", SERVER)

    def __str__(self) -> str:
        return f"{self.of}, rank {self.victim} of {self.ranks}"


# Each solver: of the server, whose state the others have from a snapshot, or of a peer.
LOST = [
    Case(EVERY["poisson", "l2", solver], turn % 2, words=("--mode", (SERVER, PEERS)[turn % 2], *KEPT[turn // 2 % len(KEPT)]))
    for turn, solver in enumerate(SOLVING)
]
# What solvers are where least squares are refined, and where a penalty is not smooth.
LOST += [Case(EVERY["squared", "l2", "newton"], 0), Case(EVERY["squared", "l1", "newton"], 0), Case(EVERY["gamma", "l1", "bb"], 0)]
LOST += [Case(EVERY["logistic", "l1", solver], 4, 5, ("--replicas", 2, "--cache", "none")) for solver in ("newton", "sgd")]

# The server, peers, where a penalty is not smooth, and a worker whose rows another one has, too.
SOME = [LOST[0], LOST[3], LOST[-4], LOST[-2]]

ALONE = """
import json, sys
from mpi_pgd import fit

data, out, cases = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
with open(out, "w") as file:
    json.dump([fit(data, quiet=True, **options).record["weights_sha256"] for options in cases], file)
"""


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "rows.h5"
    write(path)
    return path


@pytest.fixture(scope="module")
def undisturbed(rows: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The fingerprints of fits to which nothing happens, all by one process."""
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "alone.py").write_text(ALONE)
    options = json.dumps([each.of.options for each in LOST])
    ended(launch(libraries()["openmpi"], 1, rows, folder / "found", options, script=folder / "alone.py"))
    return dict(zip(map(str, LOST), json.loads((folder / "found").read_text()), strict=True))


def flags(options: dict[str, Any]) -> list[object]:
    return [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]


@pytest.mark.parametrize("case", plainly(SOME, LOST), ids=str)
def test_one_fingerprint_for_who_is_left(library: Library, case: Case, rows: Path, tmp_path: Path, request: Any) -> None:
    if library.name != "openmpi":
        pytest.skip("only Open MPI survives a loss")
    script, out = at(tmp_path, ROUND, PASSES + 2, case.victim, KILL), tmp_path / "out"
    words = [*flags(case.of.options), *case.words, "--checkpoint", tmp_path / "fit.ckpt", "--every", "1rounds"]
    ended(launch(library, case.ranks, rows, *words, "--quiet", "--out", out, script=script, flags=ULFM))
    found = record(out)
    assert [each["ranks"] for each in found["losses"]] == [[case.victim]]
    assert found["losses"][0]["round"] > 0
    assert found["weights_sha256"] == request.getfixturevalue("undisturbed")[str(case)]


ARRAYS = """
import os, signal, sys
import mpi4py
mpi4py.rc.threads = False
from mpi4py import MPI
import numpy as np
from mpi_pgd import InputError, fit
from mpi_pgd.session import run

comm, victim, whole = MPI.COMM_WORLD, int(sys.argv[1]), run.descend
draw = np.random.default_rng(3)
x, y = draw.standard_normal((6000, 8)), draw.standard_normal(6000)
alone = fit(x, y, comm=MPI.COMM_SELF).record["weights_sha256"]

def descend(*args, **more):
    if comm.rank == victim:
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(*args, **more)

run.descend = descend
here = slice(3000 * comm.rank - 3000, 3000 * comm.rank)
try:
    found = fit(*(x[here], y[here]) if comm.rank else (None, None), mode="client-server")
    print(found.record["weights_sha256"] == alone, found.record["losses"][0]["ranks"])
except InputError as error:
    print(error)
"""


@pytest.mark.parametrize("victim", [thorough(0), 2])
def test_rows_that_a_lost_rank_alone_had_are_gone(library: Library, victim: int, tmp_path: Path) -> None:
    """Those that a server has none of are all still there."""
    if library.name != "openmpi":
        pytest.skip("only Open MPI survives a loss")
    (tmp_path / "arrays.py").write_text(ARRAYS)
    result = launch(library, 3, victim, script=tmp_path / "arrays.py", flags=ULFM)
    assert "Traceback" not in result.stderr, result
    said = "True [0]" if victim == 0 else "rows 3000 to 5999 were in the memory of rank 2 alone, which was lost: fit again, or from"
    assert result.stdout.count(said) == 2, result
