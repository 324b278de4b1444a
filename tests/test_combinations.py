"""The law for losses, penalties and solvers that go together: one fingerprint on 1, 2, 3 and 5 ranks, in all modes, resumed."""

import os
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from mpi4py import MPI

from mpi_pgd import InputError, fit
from mpi_pgd.modes import ALGORITHMS
from tests.combinations import ROUNDS, Combination, combinations, cover, forms, pairs, ways, write
from tests.meeting import meet
from tests.thorough import plainly

EVERY = list(combinations())
# A run makes a part of them, with MPICH fewer, as numbers know nothing of the library, and MPICH takes twice the time where ranks
# outnumber cores. MPI_PGD_EVERY=1 makes all: in one way with one library, in the other with the other.
if "MPI_PGD_EVERY" in os.environ:
    SOME, FEWER = ([each for each in EVERY if (each.number + each.way) % 2 == turn] for turn in (0, 1))
else:
    SOME, FEWER = (cover(EVERY, facets) for facets in (pairs, ways))
RESUMED = cover(EVERY, forms)
# On which of the eight ranks fits are made at once, first on five and two, then on three and one.
# Where rows lie, by ranks: once a node, and in no memory; and on how many nodes the ranks are: one, but of five on three.
KEPT: dict[int, dict[str, Any]] = {2: {"share_rows": True}, 3: {"cache": "none"}, 5: {"ranks_per_node": 2}}
TEAMS = ((range(5), range(5, 7)), (range(3), range(3, 4)))
SAME = ("weights_sha256", "status", "rounds", "objective", "gradient_norm", "certificate")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("rows") / "rows.h5"
    write(path)
    return str(path)


def problems(made: list[Combination]) -> dict[str, list[Combination]]:
    """Those of each loss and penalty."""
    key = attrgetter("loss", "penalty")
    return {", ".join(names): [*group] for names, group in groupby(made, key)}


def made(comm: Any, data: str, combination: Combination, **options: Any) -> tuple[str, ...]:
    """A fit on these ranks, in a mode and with its rows where their number says: what it is to be the same in."""
    mode = list(ALGORITHMS)[(combination.way + comm.size // 2) % len(ALGORITHMS)]
    algorithm = ALGORITHMS[mode][combination.number % len(ALGORITHMS[mode])]
    chosen = combination.options | KEPT.get(comm.size, {}) | options
    try:
        record = fit(data, comm=comm, mode=mode, algorithm=algorithm, quiet=True, **chosen).record
    except InputError as error:  # the others would wait
        return (str(error),)
    return tuple(str(record[name]) for name in SAME)


def team(comm: Any, *parts: range) -> Any:
    """The ranks of this one's part; of none if it is in none."""
    meet(comm)
    return comm.Split(next((number for number, part in enumerate(parts) if comm.rank in part), MPI.UNDEFINED))


def agreed(comm: Any, found: dict[str, list[tuple[str, ...]]], fits: int) -> None:
    """Each combination gave one thing on all ranks that made so many fits of it, and no mistake."""
    meet(comm)
    everyone = comm.allgather(found)
    for name in everyone[0]:
        all_found = [each for one in everyone for each in one.get(name, [])]
        assert (len(all_found), len(set(all_found))) == (fits, 1), (name, all_found)
        assert len(all_found[0]) == len(SAME), (name, all_found[0])


@pytest.mark.ranks(7, libraries=["openmpi"])
@pytest.mark.parametrize("every", problems(SOME).values(), ids=problems(SOME))
def test_one_fingerprint(comm: Any, rows: str, every: list[Combination]) -> None:
    """Of some on five and two ranks, of others on three and one."""
    for turn in (0, 1):
        same_on_all_ranks(comm, rows, [each for each in every if each.number % 2 == turn], TEAMS[turn : turn + 1])


@pytest.mark.ranks(7, libraries=["mpich"])
@pytest.mark.parametrize("every", plainly([*problems(FEWER).values()][::3], problems(FEWER).values()), ids=problems(FEWER))
def test_one_fingerprint_with_another_library(comm: Any, rows: str, every: list[Combination]) -> None:
    same_on_all_ranks(comm, rows, every, TEAMS)


def same_on_all_ranks(comm: Any, rows: str, every: list[Combination], teams: tuple[tuple[range, ...], ...]) -> None:
    data, found = comm.bcast(rows), dict[str, list[tuple[str, ...]]]()
    for parts in teams if every else ():
        ranks = team(comm, *parts)
        if ranks:
            for each in every:
                found.setdefault(str(each), []).append(made(ranks, data, each))
            ranks.Free()
    agreed(comm, found, sum(len(part) for parts in teams for part in parts))


def goes_on(comm: Any, rows: str, folder: Path, combination: Combination) -> None:
    data, path = comm.bcast(rows), str(folder / "checkpoint")
    ranks, found = team(comm, range(2), range(2, 5)), list[tuple[str, ...]]()
    if comm.rank < 2:
        made(ranks, data, combination, rounds=1 + combination.number % (ROUNDS - 2), checkpoint=path)
    else:
        found.append(made(ranks, data, combination))
    ranks.Free()
    meet(comm)
    found.append(made(comm, data, combination, resume=path))
    agreed(comm, {str(combination): found}, 3 + 5)


@pytest.mark.ranks(5, libraries=["mpich"])
@pytest.mark.parametrize("combination", plainly(RESUMED[::4], RESUMED[::2]), ids=str)
def test_one_fingerprint_for_who_goes_on(comm: Any, rows: str, folder: Path, combination: Combination) -> None:
    goes_on(comm, rows, folder, combination)


@pytest.mark.ranks(5, libraries=["openmpi"])
@pytest.mark.parametrize("combination", plainly(RESUMED[1::4], RESUMED[1::2]), ids=str)
def test_one_fingerprint_for_who_goes_on_with_another_library(comm: Any, rows: str, folder: Path, combination: Combination) -> None:
    goes_on(comm, rows, folder, combination)
