"""Rows that lie once a node: each block is read by one of its ranks, and all of them see it."""

from contextlib import ExitStack

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from mpi_pgd.comm.window import node
from mpi_pgd.comm.world import agreement
from mpi_pgd.data.memory import MemoryShard
from mpi_pgd.session.inspect import Problem


def unseen(problem: Problem, shard: MemoryShard, missing: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of the blocks that this rank misses those that it is to read: nobody of its node has, or will. Collective."""
    inside = _inside(problem)
    wanted = shard.unseen(missing)
    earlier = [block for some in inside.allgather(wanted)[: inside.rank] for block in some]
    return np.setdiff1d(wanted, earlier)


def share(problem: Problem, shard: MemoryShard, blocks: NDArray[np.int64]) -> None:
    """Read these blocks, and have all ranks of the node see them. Collective; errors as of ``load.load_rows``."""
    inside = _inside(problem)
    with ExitStack() as stack:
        with agreement(problem.comm):
            places = stack.enter_context(shard.read(blocks))
        everyone = inside.allgather(places)
        with agreement(problem.comm):  # at its end all have opened them
            for rank, some in enumerate(everyone):
                for place in some if rank != inside.rank else ():
                    shard.see(place)


def _inside(problem: Problem) -> MPI.Intracomm:
    return node(problem.comm, problem.settings.ranks_per_node).inside
