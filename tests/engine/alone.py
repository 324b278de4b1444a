"""The rounds without MPI."""

import numpy as np

from mpi_pgd.engine.loop import Driver, Update
from mpi_pgd.engine.partial import Partial
from mpi_pgd.engine.query import Query


class Alone:
    """The mode of one rank: nothing travels."""

    def open(self, driver: Driver, query: Query) -> None:
        driver.open(query)

    def step(self, partial: Partial, update: Update, query: Query) -> None:
        update()

    def maximum(self, vector: np.ndarray) -> None:
        """The peaks are all there are."""
