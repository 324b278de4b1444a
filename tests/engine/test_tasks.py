"""The maps from a block to its vector."""

import numpy as np

from mpi_pgd.engine.block import Block
from mpi_pgd.engine.tasks import GradientTask
from mpi_pgd.losses.squared import Squared


def test_what_is_bound_again_reads_the_point_as_it_is_now() -> None:
    """A query is rewritten in place, round by round; another one is another point, though its numbers may lie where one's did."""
    x = np.arange(12.0).reshape(4, 3)
    block, task = Block(x, np.zeros(4)), GradientTask(Squared(), 3, 4)
    held, found = np.zeros(4), np.empty(5)
    for point in (held, held, np.array([1.0, 0.0, 0.0, 2.0]), held):
        held += 1.0
        task.bind(point)(block, found)
        residuals = x @ point[:3] + point[3]
        np.testing.assert_array_equal(found, [*(x.T @ residuals), residuals.sum(), residuals @ residuals / 2])
