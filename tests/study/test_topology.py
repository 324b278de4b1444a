"""study topology: what its rows say of turns that are made up, and real ones, held against fits."""

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mpi_pgd import fit
from mpi_pgd.comm.graphs import GRAPHS
from mpi_pgd.config import Settings
from mpi_pgd.data.make import make
from mpi_pgd.drivers.status import Status
from mpi_pgd.errors import InputError
from mpi_pgd.modes import MODES, WAYS
from mpi_pgd.report import theme
from mpi_pgd.session.inspect import inspect_files
from mpi_pgd.study.topology import LEVELS, Topology
from mpi_pgd.study.topology.contenders import DESCENT, Contender
from mpi_pgd.study.topology.measure import APART, ENDED, FIRST, Trail, Turn, judged, topology
from tests.commands import command
from tests.report import samples

PEERS = Contender("peer-to-peer", "ring", DESCENT, "")
GOSSIP = Contender("gossip", "ring", DESCENT, "")


def turn(objectives: list[float], pace: float = 1.0, **facts: Any) -> Turn:
    seconds = pace * (1.0 + np.arange(len(objectives)))
    return Turn("s", seconds, np.array(objectives), Status.CONVERGED, (800, 200), facts)


def test_when_each_was_near_the_optimum_and_what_it_had_sent() -> None:
    turns = {PEERS: [turn([3.0, 2.0, 1.01, 1.0])], GOSSIP: [turn([3.0, math.inf, 1.01, math.inf, 1.5], 0.5, biased=True)]}
    found = judged(turns, 1.0, LEVELS)
    one, other = found["rows"]
    assert (found["first"], found["best"]) == (3.0, 1.0)
    assert [one[f"rounds_to_{level}"] for level in LEVELS] == [2, 3, 3]
    assert [one[f"bytes_to_{level}"] for level in LEVELS] == [3 * 800, 4 * 800, 4 * 800]
    assert [other[f"seconds_to_{level}"] for level in LEVELS] == [1.5, None, None]
    assert (one["bias"], other["bias"]) == (None, 0.25)  # where it ended, not where it came nearest
    assert other["relative"] == pytest.approx(0.005)
    moving = turn([3.0, 1.5], biased=True)._replace(status=Status.ROUNDS)
    assert judged({GOSSIP: [moving]}, 1.0, LEVELS)["rows"][0]["bias"] is None  # it had not come to rest
    assert judged({PEERS: [turn([3.0, 0.5])]}, 1.0, LEVELS)["best"] == 0.5


def test_points_are_kept_of_ever_fewer_rounds() -> None:
    trail = Trail(0.0)
    query: Any = SimpleNamespace(point=np.zeros(2))
    for number in range(1000):
        query.point[:] = number
        trail.began(query)
        trail.asked(query)
    kept = list(trail.points)
    assert kept[:FIRST] == [*range(FIRST)]
    assert all(1 < later / earlier <= APART + 1 / earlier for earlier, later in zip(kept[FIRST:], kept[FIRST + 1 :], strict=False))
    assert (len(trail.seconds), kept[-1]) == (1000, max(kept))
    assert all((point == number).all() for number, point in trail.points.items())


def test_the_sentence_and_the_bias() -> None:
    record = samples.topology()
    said = Topology().sentence(record)
    assert said.startswith("of 3 ways, peer-to-peer (library) was the first within 10⁻⁶ of the optimum, in 121 ms, 120 rounds and ")
    assert "; of peers with neighbours it was gossip (ring), in " in said
    assert "; with 1:3 slow, of 3 ways, " in said
    assert Topology().remarks(record)[0].startswith("gd among neighbours ends 2.0·10⁻⁵ above the optimum")
    none = {**record, "rows": [row for row in record["rows"] if row["bias"]]}
    assert Topology().sentence(none).startswith("of 1 way, none got within 10⁻⁶ of the optimum")


def test_the_pictures_name_every_line() -> None:
    pytest.importorskip("matplotlib", reason="no matplotlib here: pip install 'mpi_pgd[report]'")
    record = samples.topology()
    pictures = Topology().pictures(record)
    assert [picture.name for picture in pictures] == [f"topology-{what}" for what in ("seconds", "round", "bytes", "slow")]
    for picture in pictures:
        drawn = theme.drawn(picture)
        for svg in (drawn.wide, drawn.narrow):
            assert all(f">{row['mode']}, {row['algorithm']}, {row['solver']}</text>" in svg for row in record["rows"])


@pytest.fixture
def rows(comm: Any, folder: Path) -> Path:
    """A logistic problem, small."""
    if comm.rank == 0:
        make(folder / "rows.h5", 600, 5, loss="logistic")
    comm.Barrier()
    return folder / "rows.h5"


@pytest.mark.ranks(3, others=())
def test_each_does_what_it_does_in_a_fit(comm: Any, folder: Path, rows: Path) -> None:
    chosen: dict[str, Any] = {"loss": "logistic", "l2": 0.01, "rounds": 120, "tol": 1e-9}
    words = [word for key, value in chosen.items() for word in (f"--{key}", value)]
    assert command(comm, "study", "topology", rows, *words, "--delay", "1:2", "--out", folder / "out", "--quiet") == 0
    record = json.loads((folder / "out" / "topology.json").read_text())
    assert {row["delay"] for row in record["rows"]} == {"", "1:2"}
    near = [row for row in record["rows"] if MODES[row["mode"]].neighbours and not row["delay"]]
    summed = [row for row in record["rows"] if not MODES[row["mode"]].neighbours]
    assert {(row["mode"], row["algorithm"]) for row in summed} == {way for way in WAYS if not MODES[way[0]].neighbours}
    usual = fit(str(rows), comm=comm, solver=DESCENT, **chosen)
    for row in summed:  # the bits are the same, so is the number of rounds
        assert (row["rounds"], row["objective"]) == (usual.record["rounds"], min(row["curve"]["objective"]))
        assert row["objective"] == min(usual.history["objective"])
    told = [line for line in record["notes"] if "is left out" in line]
    left = len([name for name in GRAPHS if any(f"({name}) is left out" in line for line in told)])
    assert len(near) == 2 * (len(GRAPHS) - left)  # three ranks are all neighbours, on any graph
    assert left == len(GRAPHS) - 1
    exact, plain = near
    found = fit(str(rows), comm=comm, mode=exact["mode"], graph=exact["algorithm"], **chosen)
    assert (exact["rounds"], exact["status"]) == (found.record["rounds"], found.status)
    assert exact["curve"]["objective"][-1] == min(exact["curve"]["objective"])
    assert exact["rounds_to_1e-4"] is not None
    assert exact["bias"] is None
    assert plain["solver"] == DESCENT
    assert plain["relative"] > exact["relative"]
    assert (plain["bias"] is None) == (plain["status"] not in ENDED)
    assert record["best"] <= min(row["objective"] for row in record["rows"])


@pytest.mark.ranks(2, others=())
def test_a_signal_leaves_the_turns_that_were_done(comm: Any, rows: Path) -> None:
    problem = inspect_files(comm, Settings(data=(str(rows),), loss="logistic", rounds=2, quiet=True))
    asked = 0

    def flags() -> tuple[bool, bool]:
        nonlocal asked
        asked += 1
        return False, asked > last

    last = 0
    assert topology(problem, 1, 10.0, LEVELS, flags) is None
    last, asked = 24, 0
    record = comm.bcast(topology(problem, 1, 10.0, LEVELS, flags))
    assert record["stopped"].startswith(f"stopped by a signal after {len(record['rows'])} of ")
    assert record["stopped"] in record["notes"]


def test_a_limit_that_is_none() -> None:
    with pytest.raises(InputError, match="--seconds was given 0"):
        Topology().given({"seconds": 0.0})
