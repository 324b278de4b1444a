"""A pass over the rows, or many: who can't read them any more says so, and all leave together."""

from collections.abc import Sequence

from mpi4py import MPI

from mpi_pgd.comm.world import agreement
from mpi_pgd.engine.block import Source
from mpi_pgd.engine.loop import Driver, Mode, Observer, StopFlags, rounds
from mpi_pgd.engine.query import Query
from mpi_pgd.engine.sums import Sums


def make_rounds(
    comm: MPI.Intracomm,
    mode: Mode,
    source: Source,
    sums: Sums,
    driver: Driver,
    query: Query,
    observers: Sequence[Observer] = (),
    flags: StopFlags = lambda: (False, False),
) -> None:
    """``engine.loop.rounds`` on all ranks of ``comm``. Collective.

    Raises:
        InputError: on all ranks alike: some rank can't read its rows any more.
    """
    with agreement(comm):
        rounds(mode, source, sums, driver, query, observers, flags)
