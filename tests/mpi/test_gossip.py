"""Peers with neighbours come to the optimum of all rows on every graph, however the rows are shared out, and stop together."""

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from mpi4py import MPI

from mpi_pgd import InputError, Result, fit
from mpi_pgd.comm import neighbours
from mpi_pgd.comm.graphs import GRAPHS, alike, graph
from mpi_pgd.data.memory import MemoryShard
from mpi_pgd.engine.query import Query
from mpi_pgd.modes import AMONG_PEERS, gossip
from tests.launch import ROOT

MODE = gossip.FACTS.name
NEAR = 1e-8  # of the largest weight
ROWS = 331
DIAMONDS = str(ROOT / "data/diamonds.h5")


def rows(comm: MPI.Intracomm, folder: Path, loss: str = "logistic") -> Path:
    """A table, sorted by its targets: no two peers have like rows. Collective."""
    path = folder / f"{loss}.h5"
    if comm.rank == 0:
        random = np.random.default_rng(5)
        x = random.normal([0, 0, 3, 0, -1], size=(ROWS, 5))
        eta = x @ [1.0, -0.5, 0.25, 0.0, 0.4] - 0.5
        y = {"logistic": eta + random.standard_normal(ROWS) > 0, "squared": eta, "poisson": random.poisson(np.exp(eta))}[loss]
        order = np.argsort(y, kind="stable")
        with h5py.File(path, "w") as file:
            file["X"], file["y"] = x[order], y[order].astype(float)
            file["w"] = random.integers(0, 3, ROWS).astype(float)
    comm.Barrier()
    return path


def fitted(comm: MPI.Intracomm, folder: Path, loss: str = "logistic", **options: Any) -> Result:
    return fit(rows(comm, folder, loss), comm=comm, loss=loss, l2=0.05, quiet=True, **options)


@pytest.mark.ranks(3)
def test_what_is_longer_than_a_message_changes_no_bit(comm: MPI.Intracomm, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fitted(comm, folder, mode=MODE, rounds=20)
    monkeypatch.setattr(neighbours, "MOST", 4)
    assert fitted(comm, folder, mode=MODE, rounds=20).record["weights_sha256"] == whole.record["weights_sha256"]


@pytest.mark.ranks(2, 4, others=(3, 5, 8), rarely=(2, 3, 8))
@pytest.mark.parametrize("name", GRAPHS)
def test_every_graph_comes_to_the_optimum_of_sorted_rows(comm: MPI.Intracomm, folder: Path, name: str) -> None:
    if not GRAPHS[name].admits(comm.size):
        with pytest.raises(InputError, match="power of two"):
            fitted(comm, folder, mode=MODE, graph=name)
        return
    best = fitted(comm, folder, tol=1e-20, **AMONG_PEERS)
    found = fitted(comm, folder, mode=MODE, graph=name)
    assert found.status == "converged"
    assert np.abs(found.coef - best.coef).max() <= NEAR * np.abs(best.coef).max()
    assert found.record["algorithm"] == name
    drawn, there = graph(name, comm.size), found.record["neighbours"]
    assert there["consensus"] <= NEAR
    assert there["messages"] == there["predicted_messages"] == drawn.degree
    assert there["bytes"] == there["predicted_bytes"] == found.record["bytes_per_round"]
    query = 8 * (6 + 6)  # bytes: the weights behind a header
    assert there["bytes"] == gossip.FACTS.sent_by_worker(name, comm.size, gossip.FACTS.messages(0, query, 0))


@pytest.mark.ranks(2, 5, others=(3, 8), rarely=(2, 3, 8))
def test_every_graph_comes_to_the_optimum_of_the_shipped_rows(comm: MPI.Intracomm) -> None:
    best = fit(DIAMONDS, comm=comm, l2=4.0, tol=1e-20, quiet=True, **AMONG_PEERS)
    for name, *_ in alike(comm.size):
        found = fit(DIAMONDS, comm=comm, l2=4.0, tol=1e-9, quiet=True, mode=MODE, graph=name)
        assert found.status == "converged"
        assert abs(found.record["objective"] - best.record["objective"]) <= 5e-15 * best.record["objective"]
        assert np.abs(found.coef - best.coef).max() <= 1e-7 * np.abs(best.coef).max()


# Thousands of rounds: on two peers, and with MPI_PGD_EVERY on more.
@pytest.mark.thorough
@pytest.mark.ranks(2, *([3, 4, 5, 8] if "MPI_PGD_EVERY" in os.environ else []), others=())
@pytest.mark.parametrize("name", GRAPHS)
def test_columns_that_are_nearly_collinear_take_many_rounds(comm: MPI.Intracomm, name: str) -> None:
    if name not in [first for first, *_ in alike(comm.size)]:
        return  # there is none, or it is another one
    best = fit(DIAMONDS, comm=comm, quiet=True, **AMONG_PEERS)
    found = fit(DIAMONDS, comm=comm, tol=1e-6, quiet=True, mode=MODE, graph=name)
    assert (found.status, 3000 < found.record["rounds"] < 7500) == ("converged", True)
    assert abs(found.record["objective"] - best.record["objective"]) <= 1e-8 * best.record["objective"]
    assert np.abs(found.coef - best.coef).max() <= 1e-4 * np.abs(best.coef).max()


@pytest.mark.ranks(3, others=())
@pytest.mark.parametrize("loss", ["squared", "poisson"])
def test_weights_steps_and_curvature_without_a_bound(comm: MPI.Intracomm, folder: Path, loss: str) -> None:
    best = fitted(comm, folder, loss, weights="w", tol=1e-20, **AMONG_PEERS)
    found = fitted(comm, folder, loss, weights="w", mode=MODE)
    assert found.status == "converged"
    assert np.abs(found.coef - best.coef).max() <= NEAR * np.abs(best.coef).max()
    part = min(200, found.record["rounds"] // 2)
    again = fitted(comm, folder, loss, weights="w", mode=MODE, rounds=part + 1, tol=0.0)  # the last round is told of the mean
    assert again.history["objective"][:part] == found.history["objective"][:part]


@pytest.mark.ranks(3, others=())
def test_plain_descent_of_peers_has_a_bias(comm: MPI.Intracomm, folder: Path) -> None:
    best, exact = fitted(comm, folder, tol=1e-20, **AMONG_PEERS), fitted(comm, folder, mode=MODE)
    plain = fitted(comm, folder, mode=MODE, solver="gd")
    assert (plain.status, exact.status) == ("at rest beside the optimum", "converged")
    assert plain.record["objective"] - best.record["objective"] > 1e-4 * best.record["objective"]
    assert plain.record["neighbours"]["consensus"] > 1e-3


@pytest.mark.ranks(1, 3, others=())
def test_rounds_are_as_many_as_were_asked_for(comm: MPI.Intracomm, folder: Path) -> None:
    found = fitted(comm, folder, mode=MODE, rounds=7, tol=0.0)
    assert (found.status, found.record["rounds"], len(found.history["objective"])) == ("rounds exhausted", 7, 7)


@pytest.mark.ranks(5, others=())
def test_where_one_can_not_read_its_rows_all_stop(comm: MPI.Intracomm, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, calls = MemoryShard.blocks, 0

    def blocks(shard: MemoryShard, query: Query) -> Any:
        nonlocal calls
        calls += 1
        if comm.rank == 1 and calls > 20:
            raise InputError("the disk is gone")
        return whole(shard, query)

    monkeypatch.setattr(MemoryShard, "blocks", blocks)
    with pytest.raises(InputError, match="the disk is gone"):
        fitted(comm, folder, mode=MODE)
    assert 20 < calls <= 20 + 2 * graph("ring", comm.size).diameter + 1


@pytest.mark.ranks(3, others=())
def test_a_resume_goes_on_from_one_peers_weights(comm: MPI.Intracomm, folder: Path) -> None:
    best = fitted(comm, folder, tol=1e-20, **AMONG_PEERS)
    saved = folder / "fit.ckpt"
    first = fitted(comm, folder, mode=MODE, rounds=30, checkpoint=str(saved))
    assert first.record["rounds"] == 30
    with pytest.raises(InputError, match="--mode is peer-to-peer, the checkpoint has gossip"):
        fit(resume=str(saved), comm=comm, quiet=True, **AMONG_PEERS)
    found = fit(resume=str(saved), comm=comm, quiet=True, rounds=500, graph="complete")
    assert found.status == "converged"
    assert 30 < found.record["rounds"] == len(found.history["objective"])
    assert np.abs(found.coef - best.coef).max() <= NEAR * np.abs(best.coef).max()
