"""Whether every rank computes a block to the same bits: BLAS chooses its kernels by the processor that it finds."""

import hashlib

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm.world import agreement
from mpi_pgd.engine.arrays import Vector, aligned
from mpi_pgd.engine.block import Block
from mpi_pgd.engine.tasks import GradientTask
from mpi_pgd.errors import InputError
from mpi_pgd.losses.squared import Squared

FEATURES = 256  # at most: enough to go through a kernel's main loop and its rest


def check_kernels(comm: MPI.Intracomm, block_rows: int, features: int) -> str:
    """Refuse ranks that map the same block to other bits; returns the digest of what came out. Collective.

    Peers that each make the update would part, and wait for each other for ever.
    """
    mine = digest(block_rows, features)
    theirs, node = comm.bcast((mine, MPI.Get_processor_name()))
    with agreement(comm):
        if mine != theirs:
            raise InputError(
                f"rank {comm.rank} on node {MPI.Get_processor_name()} computes a block to other bits than rank 0 on node {node}: "
                f"their BLAS chose other kernels, expected the same for all; set OPENBLAS_CORETYPE (Haswell, say; with MKL "
                f"MKL_CBWR=COMPATIBLE) for all ranks, and use one numpy"
            )
    return mine


def digest(block_rows: int, features: int) -> str:
    """The sha256 of what this rank makes of a block that is the same everywhere: ranks with another compute other bits."""
    return hashlib.sha256(_mapped(block_rows, min(features, FEATURES)).tobytes()).hexdigest()


def _mapped(rows: int, features: int) -> Vector:
    """The vector of a block of numbers that any processor makes alike: whole numbers, divided once."""
    numbers = np.arange(rows * features + rows + features + 1) * 7919 % 100003 / 100003 - 0.5
    x, rest = numbers[: rows * features].reshape(rows, features), numbers[rows * features :]
    block = Block(aligned(x.shape, np.float64), rest[:rows])
    block.x[:] = x
    out = aligned((features + 2,), np.float64)
    GradientTask(Squared(), features, rows).bind(rest[rows:])(block, out)
    return out
