"""One problem on some ranks: the files looked at once, the objective prepared once, then descended as often as asked."""

import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from threading import Timer
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm.kernels import check_kernels
from mpi_pgd.comm.world import agreement, everyone, node_total, nodes, share
from mpi_pgd.config import Settings
from mpi_pgd.data import files, hdf5
from mpi_pgd.data.memory import MemoryShard, available_bytes, granted_bytes, held_bytes
from mpi_pgd.data.partition import NOBODY, Owners, Partition
from mpi_pgd.drivers.fit import FitRule, History, Watch
from mpi_pgd.drivers.moments import Moments, MomentsRule, check_range
from mpi_pgd.drivers.objective import Objective, Scaling
from mpi_pgd.engine.loop import Ballot, Map, Order, Rule, Topology, rounds
from mpi_pgd.engine.sums import Partial
from mpi_pgd.engine.tasks import GradientMap, MomentsMap
from mpi_pgd.errors import InputError
from mpi_pgd.losses.squared import least_squares
from mpi_pgd.modes.client_server import ClientServer
from mpi_pgd.modes.groups import share_out
from mpi_pgd.modes.peer_to_peer import PeerToPeer
from mpi_pgd.modes.replicated import Replicated
from mpi_pgd.observers.balance import Balanced
from mpi_pgd.observers.clock import Clock
from mpi_pgd.observers.costs import Costs
from mpi_pgd.observers.delay import Delayed, check, parse
from mpi_pgd.observers.pulse import Felt, Pulse
from mpi_pgd.observers.snapshot import Keeper, Keeping
from mpi_pgd.solvers.descent import SOLVERS
from mpi_pgd.solvers.steps import FixedSteps, LearntSteps, Steps
from mpi_pgd.system import scheduler

Mode = ClientServer | PeerToPeer | Replicated
MODES: dict[str, Callable[[MPI.Intracomm, str], Mode]] = {"client-server": ClientServer, "peer-to-peer": PeerToPeer}
INSPECTION = 300.0  # seconds for a look at the files, which takes some milliseconds each
SPARE = 0.95  # of the memory that the node can give


class Descent(NamedTuple):
    """A descent that has ended; ``rule`` and ``costs`` mean something where the rule is applied and on rank 0."""

    rule: FitRule
    order: Order
    costs: Costs
    partial: Partial
    moved: int  # blocks, from rank to rank


class Problem:
    """A table of rows and the settings of a fit, for the ranks of one communicator.

    Attributes:
        rows: those that take part, from the first; all, unless a study of weak scaling takes fewer.
        ids: each rank's number at the start of the job.
        shrunk: ranks were lost.
        pulse: what this rank is doing, for its watcher.
        kernels: the digest of the BLAS kernels, if they were checked.
    """

    def __init__(self, comm: MPI.Intracomm, chosen: Settings, table: hdf5.Table, rows: int) -> None:
        self.comm, self.settings, self.table, self.rows = comm, chosen, table, rows
        self.partition = Partition(rows, table.features)
        self.nodes = nodes(comm)
        self.ids: Sequence[int] = range(comm.size)
        self.shrunk = False
        self.pulse = Pulse()
        self.kernels = ""

    @classmethod
    def inspect(cls, comm: MPI.Intracomm, chosen: Settings, known: str = "") -> "Problem":
        """One rank looks at the files, and all find out whether they compute alike, before anyone works. Collective.

        ``known`` is what was seen in the files before, the table as JSON text, on all ranks; then nobody looks again.
        """
        text = ""
        with agreement(comm):
            if comm.rank == 0 and not known:
                with _limited():
                    text = json.dumps(hdf5.inspect(files.find(chosen.data), chosen.x, chosen.y).as_dict())
        table = hdf5.Table.from_dict(json.loads(known or share(comm, text)))
        problem = cls(comm, chosen, table, table.rows)
        if not known and comm.size == everyone().size:
            warn(comm, problem.nodes)
        with agreement(comm):
            if not known:
                check(parse(chosen.delay, chosen.fail_slow), comm.size, int(chosen.mode == "client-server" and comm.size > 1))
        problem.kernels = check_kernels(comm, problem.partition.block_rows, table.features)
        return problem

    def on(self, comm: MPI.Intracomm, rows: int = 0, **changes: Any) -> "Problem":
        """The same problem on other ranks, on its first ``rows`` rows, or with some settings changed."""
        made = Problem(comm, replace(self.settings, **changes), self.table, rows or self.rows)
        if comm is self.comm:
            made.pulse, made.ids, made.shrunk = self.pulse, self.ids, self.shrunk
        return made

    def say_warnings(self) -> None:
        """Rank 0 says, --quiet or not, what in the data may be meant otherwise than it is read."""
        if self.comm.rank == 0:
            sys.stderr.writelines(f"mpi_pgd: {words}\n" for words in self.table.warnings)
            sys.stderr.flush()

    def topology(self, group: int = NOBODY) -> Mode:
        """The one that the settings name. Collective, with replicas.

        ``group`` is that of this rank until now, if it had one: where each group has a member left, nobody has to read anything.
        """
        workers = self.comm.size - 1
        replicas = min(self.settings.replicas, max(1, workers)) if self.shrunk else self.settings.replicas
        if replicas > 1:
            before = np.empty(self.comm.size, dtype=np.int64)
            self.comm.Allgather(np.array(group, dtype=np.int64), before)
            groups = before[1:].tolist()
            with agreement(self.comm):
                if NOBODY in groups or set(groups) != set(range(before.max() + 1)):
                    groups = share_out(self.nodes, replicas)
            return Replicated(self.comm, groups)
        return MODES[self.settings.mode](self.comm, self.settings.algorithm)

    def load(self, topology: Mode, shard: MemoryShard | None = None) -> MemoryShard:
        """This rank's rows. Collective.

        Args:
            topology: says how many workers share the blocks.
            shard: what this rank holds already; what then nobody holds is shared out, so that little is read.

        Raises:
            InputError: they don't fit into the node's memory, or can't be read.
        """
        self.check_room(topology)
        shard = shard or MemoryShard(self.table, self.partition, self._reading)
        owners = np.full(self.partition.blocks, NOBODY, dtype=np.int32)
        if topology.worker >= 0:
            owners[shard.blocks] = topology.worker
        self.comm.Allreduce(MPI.IN_PLACE, owners, MPI.MAX)
        self.partition.share_out(owners, topology.workers)
        self._own(topology, shard, owners)
        return shard

    def check_room(self, topology: Mode) -> None:
        """Whether the rows will fit, before anything as long as they, their features or blocks is made. Collective.

        Raises:
            InputError: they will not.
        """
        if not self.shrunk:  # else most of them are in memory, and count as held
            self._check_room(self.table.bytes(len(self.partition.span(self.partition.shard(topology.worker, topology.workers)))))

    def _own(self, topology: Mode, shard: MemoryShard, owners: Owners) -> None:
        """Have each rank hold what it owns. Collective; errors as of ``load``."""
        blocks = np.flatnonzero(owners == topology.worker)
        self._check_room(shard.bytes(shard.missing(blocks)), fresh=not shard.pieces)
        self.comm.Barrier()  # nobody takes memory before all have looked how much there is
        with agreement(self.comm):
            shard.hold(blocks)
            shard.owners = owners
            self.pulse.enter("waiting for the others' rows")

    def _move(self, shard: MemoryShard, topology: Mode, owners: Owners) -> str:
        """As ``_own``, in a run that can go on as it is; why nothing was moved, the same on every rank, or nothing. Collective.

        What a rank gave away is still in its memory, so that all is as it was where one of them has no room, or can't read.
        """
        before, owned = shard.blocks, shard.owners
        try:
            self._own(topology, shard, owners)
        except InputError as error:
            shard.hold(before)
            shard.owners = owned
            return str(error)
        return ""

    def _check_room(self, rows: int, fresh: bool = True) -> None:
        """Whether each node has memory for ``rows`` bytes on each rank and, if ``fresh``, for what is beside them. Collective.

        Raises:
            InputError: one has not.
        """
        beside = node_total(self.comm, self.nodes, self._beside() if fresh else 0)
        wanted = node_total(self.comm, self.nodes, rows) + beside
        held = node_total(self.comm, self.nodes, held_bytes())
        with agreement(self.comm):
            there = int(SPARE * available_bytes(held))
            if beside > there:
                chunk = max(part.chunk_bytes for part in self.table.parts)
                many = f"{self.table.features:,} features" + f" in chunks of {_giga(chunk)}" * (chunk > 0)
                raise InputError(
                    _too_little(f"the sums over {many} need", beside, there, held, "use fewer ranks a node, or fewer features")
                )
            if wanted > there:
                raise InputError(
                    _too_little("the rows need", wanted, there, held, "use more nodes, or store the features in a smaller type")
                )

    def _beside(self) -> int:
        """Bytes that a rank takes beside its rows, at most: a block or two for maps, some dozens of vectors, what reading takes."""
        return 8 * self.table.features * (2 * self.partition.block_rows + 60) + self.table.reading_bytes

    def prepare(self, topology: Mode, shard: MemoryShard, ballot: Ballot) -> Moments:
        """What has to be known of the columns before the descent: two passes over the rows. Collective.

        Raises:
            InputError: values are so large or small that their squares can't be held.
        """
        peak = shard.peaks.copy()
        self.comm.Allreduce(MPI.IN_PLACE, peak, MPI.MAX)
        first = shard.first_row()
        self.comm.Allreduce(MPI.IN_PLACE, first, MPI.MAX)  # of whoever has read it
        rule = MomentsRule(self.rows, first, peak, self.partition.block_rows)
        partial = self._partial(2 * len(peak))
        partial.peaks[:] = rule.bound()
        mapping = MomentsMap(self.partition.block_rows, self.table.features, rule.unit)
        self._go(topology, shard, mapping, partial, rule, Order(self.table.features), ballot)
        vector = rule.moments().vector()
        self.comm.Bcast(vector)  # a worker of a server has seen no sums
        moments = Moments.of(vector)
        check_range(moments, self.settings.standardize, self.table.x, self.table.y)  # on all ranks alike
        return moments

    def verify(self, topology: Mode, shard: MemoryShard, setup: Moments, ballot: Ballot, first: str) -> None:
        """Whether these are the rows that ``setup`` and the sums at the start came from; ``first`` is the digest of those, if any.

        Two passes, to the same bits, whoever makes them. Collective.

        Raises:
            InputError: they are not.
        """
        moments = self.prepare(topology, shard, ballot)
        found = ""
        if first:
            rule = self.on(self.comm, rounds=0, balance=False).descend(topology, shard, setup, ballot, lambda *_: None).rule
            found = rule.history.first
        with agreement(self.comm):
            same = np.array_equal(moments.vector(), setup.vector())
            if self.comm.rank == 0 and not (same and found == first):
                plain = self.settings.sums == "plain"
                also = ", or of another mode or number of ranks, which plain sums depend on" if plain else ""
                raise InputError(f"the checkpoint is of other rows than the data have now{also}: give what it was made with")

    def objective(self, moments: Moments) -> Objective:
        """What is minimised."""
        chosen = self.settings
        scaling = Scaling.of(moments.mean, moments.deviation, moments.peak, chosen.intercept, chosen.standardize)
        return Objective(self.rows, scaling, chosen.intercept, chosen.l2)

    def steps(self, objective: Objective) -> Steps:
        """As the settings say."""
        if self.settings.step == "auto":
            return LearntSteps(objective.features, *objective.curvature())
        return FixedSteps(float(self.settings.step))

    def descend(
        self,
        topology: Mode,
        shard: MemoryShard,
        setup: Moments,
        ballot: Ballot,
        watch: Watch,
        keep: int = 0,
        history: History | None = None,
        keeper: Callable[[FitRule, Partial], Keeper] | None = None,
    ) -> Descent:
        """The rounds, timed. Collective.

        Args:
            topology, shard, setup: of this problem.
            ballot: asks for this rank's votes.
            watch: is told of every evaluation.
            keep: how many rounds' times rank 0 is to keep.
            history: where to go on; a new one if not given.
            keeper: makes what keeps the state between rounds, and gives the rule the state to go on from.
        """
        first = min(1, self.comm.size - topology.workers)
        stragglers = parse(self.settings.delay, self.settings.fail_slow)
        order, partial = Order(self.table.features), self._partial(self.table.features + 2)
        solver, objective = SOLVERS[self.settings.solver](self.settings.momentum), self.objective(setup)
        history = history or History(perf_counter())
        rule = FitRule(objective, solver, self.steps(objective), self.settings.rounds, self.settings.tol, watch, history)
        keeping = keeper(rule, partial) if keeper else None
        clock = Clock(self.comm, self.nodes, first, topology, keeping or rule, keep, _number(topology), self.ids)
        loop: Topology = clock
        balanced = None
        if self.settings.balance:
            loop = balanced = Balanced(
                self.comm, topology.worker, shard.owners, clock, lambda owners: self._move(shard, topology, owners)
            )
        if stragglers:
            loop = Delayed(loop, stragglers, self.ids[self.comm.rank], self.comm.rank - first)
        if keeping:
            loop = Keeping(loop, keeping)
        self._go(loop, shard, GradientMap(least_squares, self.partition.block_rows), partial, keeping or rule, order, ballot)
        clock.close()
        return Descent(rule, order, clock.costs, partial, balanced.moved if balanced else 0)

    def _go(
        self, topology: Topology, shard: MemoryShard, mapping: Map, partial: Partial, rule: Rule, order: Order, ballot: Ballot
    ) -> None:
        rounds(Felt(topology, self.pulse), shard, mapping, partial, rule, order, ballot)
        self.pulse.enter("waiting for the end")

    def _reading(self, rows: range) -> None:
        self.pulse.enter(f"reading rows {rows.start} to {rows.stop - 1}")

    def _partial(self, width: int) -> Partial:
        return Partial(width, self.partition.blocks, self.settings.sums == "order-free")


@contextmanager
def _limited() -> Iterator[None]:
    """HDF5 can loop for ever over a damaged file, and the other ranks would wait for it."""
    timer = Timer(INSPECTION, _endless)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _endless() -> None:
    sys.stderr.write(f"mpi_pgd: HDF5 came to no end with the files in {INSPECTION:g} s: they may be damaged, make them again\n")
    sys.stderr.flush()
    os._exit(2)


def votes(
    start: float, max_seconds: float = math.inf, signalled: Callable[[], bool] = lambda: False, ahead: bool = False
) -> Ballot:
    """This rank's votes: whether the time since ``start`` is up, whether a signal came.

    With ``ahead`` it is up already when another round, as long as the longest so far, would not end in time. The vote is cast
    within a round, of which most may be to come: waiting and the wire.
    """
    longest, last = 0.0, math.inf

    def ballot() -> tuple[bool, bool]:
        nonlocal longest, last
        now = perf_counter()
        longest, last = max(longest, now - last), now
        return now - start + ahead * 2 * longest > max_seconds, signalled()

    return ballot


def warn(comm: MPI.Intracomm, names: Sequence[str]) -> None:
    """What does not stop a run, but wastes what SLURM granted: rank 0 says it, --quiet or not. Collective.

    ``names`` are the nodes of all ranks.
    """
    cpus = np.empty(comm.size, dtype=np.int64)
    comm.Allgather(np.array(len(os.sched_getaffinity(0)), dtype=np.int64), cpus)
    if comm.rank == 0:
        for trap in scheduler.traps(os.environ, len(set(names)), cpus.tolist()):
            sys.stderr.write(f"mpi_pgd: {trap.words}: {trap.advice}\n")
        sys.stderr.flush()


def _too_little(what: str, wanted: int, there: int, held: int, advice: str) -> str:
    """Why rows are not read; names SLURM where its grant is what is too small."""
    granted, place = granted_bytes(), "which can give"
    if granted and there == int(SPARE * max(0, granted - held)):
        place, advice = f"where SLURM granted {_giga(granted)} and is left with", f"ask for more (sbatch --mem=...), {advice}"
    return f"{what} {_giga(wanted)} of memory on node {MPI.Get_processor_name()}, {place} {_giga(there)}: {advice}"


def _number(topology: Mode) -> Callable[[], int] | None:
    """What gives the number of the round in hand, where ranks skip some."""
    return (lambda: topology.round) if isinstance(topology, Replicated) else None


def _giga(size: int) -> str:
    return f"{size / 2**30:.3g} GiB"
