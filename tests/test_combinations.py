"""The law for each loss, penalty and solver that go together: one fingerprint on 1, 2, 3 and 5 ranks, in both modes, resumed."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from mpi4py import MPI

from mpi_pgd import InputError, fit
from mpi_pgd.modes import ALGORITHMS
from tests.combinations import ROUNDS, Combination, combinations, write
from tests.elsewhere import PAUSE

EVERY = list(combinations())
PROBLEMS = list(dict.fromkeys((each.loss, each.penalty) for each in EVERY))
# A run makes a part of them: every step-th, where each loss and each penalty come by turns. MPI_PGD_EVERY=1 makes all.
STEPS = {"mpich": 4, "openmpi": 10} if "MPI_PGD_EVERY" not in os.environ else {"mpich": 1, "openmpi": 1}
SOME, OTHERS = (PROBLEMS[::step] for step in STEPS.values())
# On which of the seven ranks fits are made at once, first on five and two, then on three and one.
TEAMS = ((range(5), range(5, 7)), (range(3), range(3, 4)))
SAME = ("weights_sha256", "status", "rounds", "objective", "gradient_norm", "certificate")
RESUMED = [each for each in EVERY if each.loss in ("squared", "poisson") and each.penalty in ("l2", "l1")]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("rows") / "rows.h5"
    write(path)
    return str(path)


def made(comm: Any, data: str, combination: Combination, turn: int, **options: Any) -> tuple[str, ...]:
    """A fit on these ranks: what it is to be the same in. ``turn`` says in which mode."""
    mode = list(ALGORITHMS)[turn % len(ALGORITHMS)]
    algorithm = ALGORITHMS[mode][combination.number % len(ALGORITHMS[mode])]
    chosen = combination.options | options
    try:
        record = fit(data, comm=comm, mode=mode, algorithm=algorithm, quiet=True, **chosen).record
    except InputError as error:  # the others would wait
        return (str(error),)
    return tuple(str(record[name]) for name in SAME)


def meet(comm: Any) -> None:
    """Whoever waits for the others sleeps, as ranks outnumber cores."""
    request = comm.Ibarrier()
    while not request.Test():
        time.sleep(PAUSE)


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


@pytest.mark.ranks(7, libraries=["mpich"])
@pytest.mark.parametrize(("loss", "penalty"), SOME, ids=map(", ".join, SOME))
def test_one_fingerprint(comm: Any, rows: str, loss: str, penalty: str) -> None:
    """By each solver that takes it."""
    same_on_all_ranks(comm, rows, loss, penalty)


@pytest.mark.ranks(7, libraries=["openmpi"])
@pytest.mark.parametrize(("loss", "penalty"), OTHERS, ids=map(", ".join, OTHERS))
def test_one_fingerprint_with_another_library(comm: Any, rows: str, loss: str, penalty: str) -> None:
    """Fewer: numbers know nothing of the library."""
    same_on_all_ranks(comm, rows, loss, penalty)


def same_on_all_ranks(comm: Any, rows: str, loss: str, penalty: str) -> None:
    data, found = comm.bcast(rows), dict[str, list[tuple[str, ...]]]()
    for turn, parts in enumerate(TEAMS):
        ranks = team(comm, *parts)
        for each in EVERY:
            if ranks and (each.loss, each.penalty) == (loss, penalty):
                number = each.number + turn + ranks.size // 3
                found.setdefault(str(each), []).append(made(ranks, data, each, number))
        if ranks:
            ranks.Free()
    agreed(comm, found, 5 + 2 + 3 + 1)


@pytest.mark.ranks(5)
@pytest.mark.parametrize("combination", RESUMED, ids=str)
def test_one_fingerprint_for_who_goes_on(comm: Any, rows: str, folder: Path, combination: Combination) -> None:
    data, path = comm.bcast(rows), str(folder / "checkpoint")
    ranks, found = team(comm, range(2), range(2, 5)), list[tuple[str, ...]]()
    if comm.rank < 2:
        made(ranks, data, combination, 1, rounds=1 + combination.number % (ROUNDS - 2), checkpoint=path)
    else:
        found.append(made(ranks, data, combination, 0))
    ranks.Free()
    meet(comm)
    found.append(made(comm, data, combination, combination.number, resume=path))
    agreed(comm, {str(combination): found}, 3 + 5)
