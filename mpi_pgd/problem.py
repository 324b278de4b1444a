"""One problem on some ranks: the files looked at once, the objective prepared once, then descended as often as asked."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from time import perf_counter
from typing import Any, NamedTuple

from mpi4py import MPI

from mpi_pgd.config import Settings
from mpi_pgd.data import hdf5
from mpi_pgd.data.memory import MemoryShard, available_bytes
from mpi_pgd.data.partition import Partition
from mpi_pgd.errors import InputError
from mpi_pgd.objective.losses import GradientMap, MomentsMap, curvature, least_squares
from mpi_pgd.objective.objective import Objective
from mpi_pgd.rules.fit import FitRule, Watch
from mpi_pgd.rules.setup import MomentsRule, PowerRule, moments_peaks
from mpi_pgd.solvers.descent import SOLVERS
from mpi_pgd.sums import Partial
from mpi_pgd.topology.client_server import ClientServer
from mpi_pgd.topology.clock import Clock
from mpi_pgd.topology.costs import Costs
from mpi_pgd.topology.delay import Delayed, parse
from mpi_pgd.topology.kernels import check_kernels
from mpi_pgd.topology.peer_to_peer import PeerToPeer
from mpi_pgd.topology.world import agreement, node_total, nodes, share
from mpi_pgd.train import Ballot, Order, rounds

Mode = ClientServer | PeerToPeer
MODES: dict[str, Callable[[MPI.Intracomm, str], Mode]] = {"client-server": ClientServer, "peer-to-peer": PeerToPeer}
SPARE = 0.95  # of the memory that the node can give


class Setup(NamedTuple):
    """What is asked of the data before the descent. Only a rank that updates has it right; the others never use it."""

    objective: Objective
    step: float
    variance: float  # of y


class Descent(NamedTuple):
    """A descent that has ended; ``rule`` and ``costs`` mean something where the rule is applied and on rank 0."""

    rule: FitRule
    order: Order
    costs: Costs
    partial: Partial


class Problem:
    """A table of rows and the settings of a fit, for the ranks of one communicator.

    Attributes:
        rows: those that take part, from the first; all, unless a study of weak scaling takes fewer.
    """

    def __init__(self, comm: MPI.Intracomm, chosen: Settings, table: hdf5.Table, rows: int) -> None:
        self.comm, self.settings, self.table, self.rows = comm, chosen, table, rows
        self.partition = Partition(rows, table.features)
        self.nodes = nodes(comm)

    @classmethod
    def inspect(cls, comm: MPI.Intracomm, chosen: Settings) -> "Problem":
        """One rank looks at the files, and all find out whether they compute alike, before anyone works. Collective."""
        text = ""
        with agreement(comm):
            if comm.rank == 0:
                text = json.dumps(hdf5.inspect(hdf5.find(chosen.data), chosen.x, chosen.y).as_dict())
        table = hdf5.Table.from_dict(json.loads(share(comm, text)))
        problem = cls(comm, chosen, table, table.rows)
        check_kernels(comm, problem.partition.block_rows, table.features)
        return problem

    def on(self, comm: MPI.Intracomm, rows: int = 0, **changes: Any) -> "Problem":
        """The same problem on other ranks, on its first ``rows`` rows, or with some settings changed."""
        return Problem(comm, replace(self.settings, **changes), self.table, rows or self.rows)

    def topology(self) -> Mode:
        """The one that the settings name."""
        return MODES[self.settings.mode](self.comm, self.settings.algorithm)

    def load(self, topology: Mode) -> MemoryShard:
        """This rank's rows.

        Raises:
            InputError: they don't fit into the node's memory, or can't be read.
        """
        blocks = self.partition.shard(topology.worker, topology.workers)
        wanted = node_total(self.comm, self.table.bytes(len(self.partition.span(blocks))))
        with agreement(self.comm):
            there = int(SPARE * available_bytes())
            if wanted > there:
                raise InputError(
                    f"the rows need {_giga(wanted)} of memory on node {MPI.Get_processor_name()}, which can give "
                    f"{_giga(there)}: use more nodes, or store the features in a smaller type"
                )
        self.comm.Barrier()  # nobody takes memory before all have looked how much there is
        with agreement(self.comm):
            return MemoryShard(self.table, self.partition, blocks)

    def prepare(self, topology: Mode, shard: MemoryShard, ballot: Ballot) -> Setup:
        """Moments, scaling and step: a pass over the rows, and some more if the step is ``auto``."""
        order = Order(self.table.features)
        moments = self._moments(topology, shard, order, ballot)
        scaling = moments.scaling(self.settings.intercept, self.settings.standardize)
        objective = Objective(self.rows, scaling, self.settings.intercept, self.settings.l2)
        step = self._step(topology, shard, order, objective, moments, ballot)
        return Setup(objective, step, float(moments.variance[-1]))

    def descend(self, topology: Mode, shard: MemoryShard, setup: Setup, ballot: Ballot, watch: Watch, keep: int = 0) -> Descent:
        """The rounds, timed. ``keep`` is how many rounds' times rank 0 is to keep."""
        first = self.comm.size - topology.workers
        stragglers = parse(self.settings.delay, self.settings.fail_slow, self.comm.size, first)
        order = Order(self.table.features)
        solver = SOLVERS[self.settings.solver](setup.step, self.settings.momentum)
        rule = FitRule(setup.objective, solver, self.settings.rounds, self.settings.tol, watch)
        clock = Clock(self.comm, self.nodes, first, topology, rule, keep)
        timed = Delayed(clock, stragglers, self.comm.rank, topology.worker) if stragglers else clock
        partial = self._partial(self.table.features + 2)
        rounds(timed, shard, GradientMap(least_squares, self.partition.block_rows), partial, rule, order, ballot)
        clock.close()
        return Descent(rule, order, clock.costs, partial)

    def _partial(self, width: int) -> Partial:
        return Partial(width, self.partition.blocks, self.settings.sums == "order-free")

    def _moments(self, topology: Mode, shard: MemoryShard, order: Order, ballot: Ballot) -> MomentsRule:
        first = self.table.first_row
        rule = MomentsRule(self.rows, first)
        partial = self._partial(2 * len(first))
        partial.peaks[:] = moments_peaks(shard.peaks, first, self.partition.block_rows)
        mapping = MomentsMap(self.partition.block_rows, self.table.features)
        rounds(topology, shard, mapping, partial, rule, order, ballot)
        return rule

    def _step(
        self, topology: Mode, shard: MemoryShard, order: Order, objective: Objective, moments: MomentsRule, ballot: Ballot
    ) -> float:
        if self.settings.step != "auto":
            return float(self.settings.step)
        about_zero = moments.variance[:-1] + (moments.mean[:-1] - objective.scaling.mean) ** 2
        trace = float((about_zero / objective.scaling.scale**2).sum()) + objective.intercept + self.settings.l2 * objective.size
        rule = PowerRule(objective, trace)
        mapping = GradientMap(curvature, self.partition.block_rows)
        rounds(topology, shard, mapping, self._partial(self.table.features + 2), rule, order, ballot)
        return 1.0 / rule.largest if rule.largest else 1.0  # workers of a server never use it


def votes(start: float, max_seconds: float = math.inf, signalled: Callable[[], bool] = lambda: False) -> Ballot:
    """This rank's votes: whether the time since ``start`` is up, whether a signal came."""
    return lambda: (perf_counter() - start > max_seconds, signalled())


def _giga(size: int) -> str:
    return f"{size / 2**30:.3g} GiB"
