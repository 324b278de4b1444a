"""Whether every rank computes a block to the same bits: numpy's BLAS chooses its kernels by the processor that it finds."""

import hashlib

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm.world import agreement
from mpi_pgd.engine.arrays import Vector, aligned
from mpi_pgd.engine.block import Block
from mpi_pgd.engine.tasks import GradientTask
from mpi_pgd.errors import InputError
from mpi_pgd.kernel import ALIKE, NAME
from mpi_pgd.losses.squared import Squared

FEATURES = 256  # at most: enough to go through a kernel's main loop and its rest


def check_kernels(comm: MPI.Intracomm, block_rows: int, features: int) -> str:
    """Refuse ranks that map the same block to other bits; returns the digest of what came out. Collective.

    Peers that each make the update would part, and wait for each other for ever.
    """
    mine = digest(block_rows, features)
    theirs, name, node = comm.bcast((mine, NAME, MPI.Get_processor_name()))
    with agreement(comm):
        if mine != theirs:
            why = "BLAS chose other kernels" if name == NAME else f"the kernel is {NAME} here and {name} there"
            raise InputError(
                f"rank {comm.rank} on node {MPI.Get_processor_name()} computes a block to other bits than rank 0 on node {node}: "
                f"{why}, expected the same for all; {ALIKE}"
            )
    return mine


def digest(block_rows: int, features: int) -> str:
    """The sha256 of the kernel's name, and of what it makes of a block that is the same everywhere."""
    return hashlib.sha256(NAME.encode() + _mapped(block_rows, min(features, FEATURES)).tobytes()).hexdigest()


def _mapped(rows: int, features: int) -> Vector:
    """The vector of a block of numbers that any processor makes alike: whole numbers, divided once."""
    numbers = np.arange(rows * features + rows + features + 1) * 7919 % 100003 / 100003 - 0.5
    x, rest = numbers[: rows * features].reshape(rows, features), numbers[rows * features :]
    block = Block(aligned(x.shape, np.float64), rest[:rows])
    block.x[:] = x
    out = aligned((features + 2,), np.float64)
    GradientTask(Squared(), features, rows).bind(rest[rows:])(block, out)
    return out
