"""The task of stochastic methods: what another task gives, of the rows of a batch alone."""

import numpy as np

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.batches import UNIT, Units, units
from mpi_pgd.engine.block import Block
from mpi_pgd.engine.tasks import BlockMap, Layout, Task

MORE = 3  # numbers of the point behind that of the other task


class BatchTask:
    """What the task ``whole`` gives, of the rows of a batch, and ``weight``, the sum of these rows' weights.

    The point goes on behind that of ``whole``: ``[epoch, start, stop]``, from which position of the epoch's units up to which.

    Args:
        rows: how many there are in all.
        seed: of the batches.
    """

    uneven = coarse = varies = False
    bound = None

    def __init__(self, whole: Task, rows: int, seed: int) -> None:
        self.whole, self.seed, self.total = whole, seed, -(-rows // UNIT)
        self.layout = Layout(whole.layout.shapes | {"weight": ()}, whole.layout.columned)
        self.width = whole.width + MORE
        self.units: Units = np.zeros(0, dtype=np.uint64)

    def bind(self, point: Vector) -> BlockMap:
        """At ``point``, on the batch that it names."""
        epoch, start, stop = point[self.whole.width : self.width].astype(int).tolist()
        self.units = np.sort(units(self.seed, epoch, start, stop, self.total))
        whole = self.whole.bind(point)

        def mapped(block: Block, out: Vector) -> None:
            whole(block, out[:-1])
            out[-1] = block.rows if block.weights is None else np.add.reduce(block.weights)

        return mapped
