"""Rows that lie once a node: one of its ranks reads them, the others see them, and all is as if each had read its own."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from mpi4py import MPI

from mpi_pgd import InputError, fit
from mpi_pgd.config import settings
from mpi_pgd.modes import MODES
from mpi_pgd.session.inspect import inspect_files
from mpi_pgd.session.load import choose_mode, load_rows, move_blocks

ROWS, FEATURES = 2000, 3
DRAW = np.random.default_rng(8)
X, CLASSES = DRAW.standard_normal((ROWS, FEATURES)), DRAW.integers(0, 3, ROWS)
SETTINGS = {"loss": "softmax", "weights": "w", "class_weight": "balanced", "quiet": True}
SERVED = next(iter(MODES))


@pytest.fixture
def data(comm: MPI.Intracomm, folder: Path) -> str:
    if comm.rank == 0:
        with h5py.File(folder / "rows.h5", "w") as file:
            file["X"], file["y"], file["w"] = X.astype("f4"), CLASSES * 2.0 - 1, DRAW.random(ROWS)
    comm.Barrier()
    return str(folder / "rows.h5")


@pytest.mark.ranks(5, others=(3,))
@pytest.mark.parametrize("options", [{"replicas": 2}, {"replicas": 2, "ranks_per_node": 2}, {"mode": [*MODES][1]}])
def test_a_fit_has_the_bits_of_one_rank(comm: MPI.Intracomm, data: str, options: dict[str, Any]) -> None:
    shared = fit(data, comm=comm, **SETTINGS, **options, share_rows=True).record["weights_sha256"]
    alone = fit(data, comm=MPI.COMM_SELF, **SETTINGS).record["weights_sha256"] if comm.rank == 0 else None
    assert shared == comm.bcast(alone)


@pytest.mark.ranks(5, others=(3,))
@pytest.mark.parametrize(("per_node", "times"), [(0, 1), (1, 2)])
def test_a_block_is_read_once_a_node(comm: MPI.Intracomm, data: str, per_node: int, times: int) -> None:
    chosen = settings({**SETTINGS, "data": data, "share_rows": True, "ranks_per_node": per_node, "replicas": 2})
    problem = inspect_files(comm, chosen)
    shard = load_rows(problem, choose_mode(problem))
    assert comm.allreduce(shard.rows_read) == times * ROWS
    assert sum(comm.allgather(sum(block.rows for block in shard.stored(shard.held)))) == 2 * ROWS


@pytest.mark.ranks(3, others=())
def test_who_is_given_rows_that_it_sees_reads_none(comm: MPI.Intracomm, data: str) -> None:
    problem = inspect_files(comm, settings({**SETTINGS, "data": data, "share_rows": True, "mode": [*MODES][1]}))
    mode = choose_mode(problem)
    shard = load_rows(problem, mode)
    own = {block.start: block.y.copy() for block in shard.stored(shard.held)}
    every = {start: y for some in comm.allgather(own) for start, y in some.items()}
    moved = (shard.owners + 1) % mode.workers
    assert move_blocks(problem, mode, shard, moved.astype(np.int32)) == ""
    assert comm.allreduce(shard.rows_read) == ROWS
    for block in shard.stored(shard.held):
        here = slice(block.start, block.start + block.rows)
        assert (block.x == X[here].astype("f4")).all()
        assert (block.y == CLASSES[here]).all()
        assert (block.y == every[block.start]).all()


@pytest.mark.ranks(2, others=())
def test_all_rows_have_to_be_in_memory(comm: MPI.Intracomm, data: str) -> None:
    with pytest.raises(InputError, match=r"the rows need .* let what does not fit be read in each round \(without --share-rows\)"):
        fit(data, comm=comm, **SETTINGS, share_rows=True, memory="1K")


def test_what_is_read_again_in_each_round_lies_nowhere() -> None:
    with pytest.raises(InputError, match="share_rows and cache none exclude each other"):
        settings({"data": "x.h5", "share_rows": True, "cache": "none"})
