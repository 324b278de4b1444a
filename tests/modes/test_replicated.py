"""Replicas: who holds the same blocks, whose partial counts, and fits whose late workers change no bit."""

from typing import Any

import h5py
import numpy as np
import pytest

from mpi_pgd.data.make import make
from mpi_pgd.errors import InputError
from mpi_pgd.modes import replicated
from mpi_pgd.modes.ledger import Ledger
from mpi_pgd.modes.replicas import share_out
from tests.modes.late_workers import race
from tests.thorough import plainly


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Rows without noise: the gradient goes down to nothing, and the bound of the sums has to follow it."""
    path = tmp_path_factory.mktemp("rows") / "exact.h5"
    make(path, 6000, 8, condition=30.0, noise=0.0, seed=3)
    return str(path)


# What asks for several tasks; of how many lengths their partials are at least, and how often one that varies is asked for again.
SEVERAL: dict[str, tuple[dict[str, Any], int, int]] = {
    "refined": ({"loss": "squared", "solver": "newton"}, 3, 0),
    "metric": ({"loss": "poisson", "solver": "lbfgs"}, 2, 0),
    "lasso": ({"loss": "squared", "solver": "newton", "l1": 0.02, "weights": "heavy"}, 3, 1),
    "bent lasso": ({"loss": "poisson", "solver": "newton", "l1": 0.02, "weights": "heavy"}, 2, 3),
}


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Rows whose targets suit all losses, and weights that no bound foresees."""
    path = tmp_path_factory.mktemp("rows") / "counts.h5"
    make(path, 700, 200, condition=30.0, loss="poisson", seed=3)
    with h5py.File(path, "a") as file:
        file["heavy"] = 1e4 * (1.0 + np.arange(700) % 3)
    return str(path)


# Who holds the same blocks


def placed(nodes: int, each: int, by: str) -> list[str]:
    ranks = range(nodes * each)
    return [f"n{rank // each if by == 'slot' else rank % nodes}" for rank in ranks]


@pytest.mark.parametrize("by", ["slot", "node"])
@pytest.mark.parametrize(("nodes", "each", "replicas"), [(2, 4, 2), (2, 5, 2), (4, 1, 3), (3, 8, 3), (4, 16, 2), (3, 5, 3)])
def test_replicas_are_on_different_nodes(nodes: int, each: int, replicas: int, by: str) -> None:
    names = placed(nodes, each, by)
    groups = share_out(names, replicas)
    count = (nodes * each - 1) // replicas
    assert sorted(set(groups)) == list(range(count))
    members = [[names[1 + worker] for worker, group in enumerate(groups) if group == one] for one in range(count)]
    assert all(len(set(where)) >= min(replicas, nodes) for where in members)


def test_workers_that_are_left_over_join_a_group() -> None:
    assert share_out(["a"] * 8, 2) == [0, 1, 2, 0, 1, 2, 0]
    assert share_out(["a"] * 8, 3) == [0, 1, 0, 1, 0, 1, 0]
    assert share_out(["a"] * 3, 2) == [0, 0]
    assert share_out(["a"] * 3, 1) == [0, 1]


@pytest.mark.parametrize(("ranks", "replicas"), [(1, 1), (2, 2), (4, 4)])
def test_there_must_be_so_many_workers(ranks: int, replicas: int) -> None:
    with pytest.raises(InputError, match=f"expected at least {replicas + 1} ranks"):
        share_out(["a"] * ranks, replicas)


# Whose partial counts


def test_the_first_of_each_group_counts() -> None:
    ledger = Ledger([0, 1, 0, 1])
    assert [ledger.take(worker) for worker in (2, 0, 1)] == [True, False, True]
    assert ledger.missing == set()
    assert (ledger.counted, ledger.dropped) == ([0, 1, 1, 0], [1, 0, 0, 0])


def test_a_late_worker_gets_the_newest_order_while_it_can_still_be_first() -> None:
    ledger = Ledger([0, 1, 0, 1])
    ledger.take(0)
    ledger.take(1)
    assert ledger.turn() == [0, 1]  # 2 and 3 are still at round 0
    ledger.give(0)
    ledger.give(1)
    assert not ledger.take(2)
    assert ledger.wanted(2)
    ledger.give(2)
    assert ledger.take(1)
    assert not ledger.take(3)
    assert not ledger.wanted(3)  # it rests, and is there for the next round
    assert ledger.take(2)
    assert not ledger.take(0)
    assert ledger.turn() == [0, 1, 2, 3]
    assert ledger.round == 2


# Fits whose workers are late


@pytest.mark.ranks(7, others=(3,), rarely=(7,))
def test_late_workers_change_no_bit(comm: Any, exact: str) -> None:
    ranks, replicas = comm.size, [1, 2] if comm.size == 3 else [2, 3]
    found = race(comm, replicas, data=comm.bcast(exact), rounds=200, solver="nesterov")
    assert found["none"]["status"] == "converged"
    assert found["none"]["exchanges"] > 50  # orders with a new bound, which a late worker is bound to miss
    for count in replicas:
        one = found[str(count)]
        groups = (ranks - 1) // count
        assert {key: one[key] for key in found["none"]} == found["none"]
        assert sum(one["counted"]) % groups == 0
        assert sum(one["counted"]) // groups > found["none"]["rounds"]  # of all three phases
        assert (sum(one["dropped"]) > 0) == (count > 1)


@pytest.mark.ranks(5, others=())
@pytest.mark.parametrize("name", plainly(["refined", "bent lasso"], SEVERAL))
def test_late_workers_answer_several_tasks(comm: Any, counts: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A late partial is of another length than what is expected by then, and its worker has not seen the tasks between.

    Nor does what is longer than a message may be change anything.
    """
    monkeypatch.setattr(replicated, "MOST", 60)
    options, lengths, again = SEVERAL[name]
    found = race(comm, [2], data=comm.bcast(counts), rounds=25, **options)
    assert (found["none"]["lengths"] >= lengths, found["none"]["again"] >= again) == (True, True), found["none"]
    assert {key: found["2"][key] for key in found["none"]} == found["none"]
    assert sum(found["2"]["dropped"]) > 0


@pytest.mark.ranks(7, others=())
def test_plain_sums_are_added_in_the_order_of_the_groups(comm: Any, exact: str) -> None:
    # Whoever was first of each group, and whichever group was first.
    found, again = (
        race(comm, [2], data=comm.bcast(exact), rounds=40, sums="plain", solver="nesterov", mean=mean) for mean in (0.001, 0.0005)
    )
    assert found["2"]["bits"] == again["2"]["bits"]
    assert found["2"]["rounds"] == 40


@pytest.mark.ranks(4, others=())
def test_a_signal_counts_though_the_sums_beside_it_do_not(comm: Any, exact: str) -> None:
    # The last worker alone is told to stop, and is never first: only the votes of its dropped partials can end it.
    found = race(comm, [3], data=comm.bcast(exact), rounds=1_000_000, tol=0, solver="nesterov", signal=3, mean=0.0003)
    assert found["3"]["status"] == "stopped by signal"
    assert found["3"]["counted"][2] == 0


@pytest.mark.ranks(5)
def test_large_messages_and_meetings_of_all(comm: Any) -> None:
    found = race(comm, [2, 3], case="wide", mean=0.005)
    assert found["2"]["bits"] == found["3"]["bits"] == found["none"]["bits"]
    assert sum(found["2"]["dropped"]) > 0
