"""Nothing of the length of the weights is allocated in the rounds."""

import tracemalloc
from time import perf_counter

import numpy as np
import pytest

from mpi_pgd.drivers.fit import FitDriver
from mpi_pgd.drivers.history import History
from mpi_pgd.drivers.objective import Aims, Objective, Scaling
from mpi_pgd.engine.block import Block, Blocks
from mpi_pgd.engine.loop import rounds
from mpi_pgd.engine.query import Query
from mpi_pgd.engine.sums import Sums
from mpi_pgd.engine.tasks import Ask, GradientTask
from mpi_pgd.losses.squared import Squared
from tests.engine.alone import Alone
from tests.families import STEPPED, solver_of

ROWS, FEATURES, BLOCKS = 120, 1001, 9  # a block's vector does not fill its cache lines; several are split together
FIRST, LAST = 5, 12


@pytest.mark.parametrize("name", STEPPED)
def test_no_vector_is_made(name: str) -> None:
    random, loss, held = np.random.default_rng(1), Squared(), []

    def watch(number: int, value: float, norm: float) -> None:
        if number == FIRST:
            tracemalloc.reset_peak()
            held.append(tracemalloc.get_traced_memory()[0])
        elif number == LAST:
            held.append(tracemalloc.get_traced_memory()[1])

    ones = np.ones(FEATURES + 1)
    scaling = Scaling.of(0 * ones, ones, ones, intercept=True, standardize=True)
    objective = Objective(ROWS * BLOCKS, scaling, loss, None, True, Aims(float(ROWS * BLOCKS)))
    task = GradientTask(loss, FEATURES, ROWS)
    driver = FitDriver(objective, {Ask.GRADIENT: task}, solver_of(name), LAST + 1, 0.0, watch, History(perf_counter()))
    source = Blocks(Block(random.normal(size=(ROWS, FEATURES)), random.normal(size=ROWS)) for _ in range(BLOCKS))
    query = Query([task])
    tracemalloc.start()
    try:
        rounds(Alone(), source, Sums(query, BLOCKS), driver, query)
    finally:
        tracemalloc.stop()
    assert held[1] - held[0] < 8 * FEATURES  # bytes: the history, and Python's own objects, which come and go
