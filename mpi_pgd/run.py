"""One fit from settings to result: the room that knows every part, and the public ``fit``."""

import hashlib
import json
import math
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import h5py
import mpi4py
import numpy as np
from mpi4py import MPI

import mpi_pgd
from mpi_pgd import config
from mpi_pgd.arrays import Vector
from mpi_pgd.config import Settings
from mpi_pgd.data import hdf5
from mpi_pgd.data.memory import MemoryShard, available_bytes
from mpi_pgd.data.partition import Partition
from mpi_pgd.errors import InputError
from mpi_pgd.objective.losses import GradientMap, MomentsMap, curvature, least_squares
from mpi_pgd.objective.objective import Objective
from mpi_pgd.report import bundle
from mpi_pgd.report.progress import Progress
from mpi_pgd.rules.fit import FitRule, Status
from mpi_pgd.rules.setup import MomentsRule, PowerRule, moments_peaks
from mpi_pgd.solvers.descent import SOLVERS
from mpi_pgd.sums import Partial
from mpi_pgd.topology.client_server import ClientServer
from mpi_pgd.topology.clock import Clock, offset
from mpi_pgd.topology.kernels import check_kernels
from mpi_pgd.topology.peer_to_peer import PeerToPeer
from mpi_pgd.topology.world import agreement, guard, hosts, library, node_total, share
from mpi_pgd.train import Ballot, Order, rounds

TOPOLOGIES: dict[str, type[ClientServer] | type[PeerToPeer]] = {"client-server": ClientServer, "peer-to-peer": PeerToPeer}
SPARE = 0.95  # of the memory that the node can give


@dataclass(frozen=True)
class Result:
    """A fit, the same on every rank.

    Attributes:
        coef: (features,) float64, in the units of the data.
        intercept: 0 if none was fitted.
        status: why it ended: ``converged``, ``rounds exhausted``, ``time exhausted``, ``stopped by signal``, or ``diverged``.
        history: ``round``, ``objective``, ``gradient_norm``, ``seconds``: lists with one number a round.
        r2: the coefficient of determination; None if y is constant.
        feature_names: if the input has them.
        record: what run.json holds.
    """

    coef: Vector
    intercept: float
    status: str
    history: dict[str, list[float]]
    r2: float | None
    feature_names: tuple[str, ...]
    record: dict[str, Any]


def fit(data: str | Sequence[str], *, comm: MPI.Intracomm | None = None, **options: Any) -> Result:
    """Fit a linear model to rows in HDF5 files. Collective over ``comm``.

    Args:
        data: a file, a glob, or several of them.
        comm: the ranks that take part; all of the world if not given.
        options: the settings of the command line, with ``_`` for ``-`` (see ``mpi_pgd.config.Settings``).

    Raises:
        InputError: data or settings can't be used; on every rank alike. Any other exception on one of several ranks ends them
            all, since the others would wait for ever.
    """
    world = MPI.COMM_WORLD if comm is None else comm
    with guard(world):
        with agreement(world):
            chosen = config.settings({"quiet": True, **options, "data": data})
        with _one_thread():
            return run(world, chosen)


@contextmanager
def _one_thread() -> Iterator[None]:
    """One BLAS thread: where a program has imported numpy already, the environment comes too late."""
    if os.environ.get("OPENBLAS_NUM_THREADS") == os.environ.get("MKL_NUM_THREADS") == "1":
        yield
        return
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"):
        yield


def run(
    world: MPI.Intracomm, chosen: Settings, signalled: Callable[[], bool] = lambda: False, start: float | None = None
) -> Result:
    """``fit`` with checked settings. ``signalled`` tells whether this rank was asked to stop; ``start`` is when the clock began."""
    start = perf_counter() if start is None else start
    comm = world.Dup()  # so that no message of the caller's is mistaken for ours
    try:
        # What overflows is voted broken, and ends the fit as diverged; numpy need not say it too, on every rank.
        with np.errstate(over="ignore", invalid="ignore"):
            return _Fit(comm, chosen, signalled, start).run()
    finally:
        comm.Free()


class _Fit:
    """The parts of one fit on one rank, in the order in which they come to be."""

    def __init__(self, comm: MPI.Intracomm, chosen: Settings, signalled: Callable[[], bool], start: float) -> None:
        self.comm, self.settings, self.start = comm, chosen, start
        self.topology = TOPOLOGIES[chosen.mode](comm)
        self.table = self._inspect()
        self.partition = Partition(self.table.rows, self.table.features)
        check_kernels(comm, self.partition.block_rows, self.table.features)
        self.ballot: Ballot = lambda: (perf_counter() - start > chosen.max_seconds, signalled())

    def _inspect(self) -> hdf5.Table:
        """One rank looks at the files, and finds out whether the result can be written, before anyone works."""
        text = ""
        with agreement(self.comm):
            if self.comm.rank == 0:
                if self.settings.out:
                    bundle.prepare(self.settings.out)
                table = hdf5.inspect(hdf5.find(self.settings.data), self.settings.x, self.settings.y)
                text = json.dumps(table.as_dict())
        return hdf5.Table.from_dict(json.loads(share(self.comm, text)))

    def run(self) -> Result:
        shard = self._load()
        self.loaded = perf_counter()
        order = Order(self.table.features)
        moments = self._moments(shard, order)
        scaling = moments.scaling(self.settings.intercept, self.settings.standardize)
        objective = Objective(self.table.rows, scaling, self.settings.intercept, self.settings.l2)
        step = self._step(shard, order, objective, moments)
        solver = SOLVERS[self.settings.solver](step, self.settings.momentum)
        with ExitStack() as stack:
            watch = self._watch(stack)
            rule = FitRule(objective, solver, self.settings.rounds, self.settings.tol, watch)
            clock = Clock(self.topology, rule)
            partial = self._partial(self.table.features + 2)
            mapping = GradientMap(least_squares, self.partition.block_rows)
            rounds(clock, shard, mapping, partial, rule, order, self.ballot)
        self.solved = perf_counter()
        return self._result(rule, order, clock, partial, float(moments.variance[-1]))

    def _load(self) -> MemoryShard:
        blocks = self.partition.shard(self.topology.worker, self.topology.workers)
        mine = self.table.bytes(len(self.partition.span(blocks)))
        wanted = node_total(self.comm, mine)
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

    def _partial(self, width: int) -> Partial:
        return Partial(width, self.partition.blocks, self.settings.sums == "order-free")

    def _moments(self, shard: MemoryShard, order: Order) -> MomentsRule:
        first = np.array(self.table.first)
        rule = MomentsRule(self.table.rows, first)
        partial = self._partial(2 * len(first))
        partial.peaks[:] = moments_peaks(shard.peaks, first, self.partition.block_rows)
        mapping = MomentsMap(self.partition.block_rows, self.table.features)
        rounds(self.topology, shard, mapping, partial, rule, order, self.ballot)
        return rule

    def _step(self, shard: MemoryShard, order: Order, objective: Objective, moments: MomentsRule) -> float:
        if self.settings.step != "auto":
            return float(self.settings.step)
        about_zero = moments.variance[:-1] + (moments.mean[:-1] - objective.scaling.mean) ** 2
        trace = float((about_zero / objective.scaling.scale**2).sum()) + objective.intercept + self.settings.l2 * objective.size
        rule = PowerRule(objective, trace)
        mapping = GradientMap(curvature, self.partition.block_rows)
        rounds(self.topology, shard, mapping, self._partial(self.table.features + 2), rule, order, self.ballot)
        return 1.0 / rule.largest if rule.largest else 1.0  # workers of a server never use it

    def _watch(self, stack: ExitStack) -> Callable[[int, float, float], None]:
        if self.settings.quiet or self.comm.rank > 0:
            return lambda *_: None
        progress = Progress(self.settings.rounds, self.settings.max_seconds, self.start)
        stack.callback(progress.close)
        return progress

    def _result(self, rule: FitRule, order: Order, clock: Clock, partial: Partial, variance: float) -> Result:
        names = hosts(self.comm)
        per_round = clock.split(self.comm, offset(self.comm, len(names)))
        coef, intercept = order.point[:-1].copy(), float(order.point[-1])
        text = ""
        with agreement(self.comm):
            if self.comm.rank == 0:
                record = self._record(rule, coef, intercept, per_round, names, partial)
                history = rule.history.columns(self.start)
                r2 = 1.0 - 2 * rule.loss / self.table.rows / variance if variance > 0 else None
                if self.settings.out:
                    bundle.write(self.settings.out, record, history, coef, intercept, self.table.names)
                text = json.dumps([record, history, r2])
        record, history, r2 = json.loads(share(self.comm, text))
        return Result(coef, intercept, record["status"], history, r2, self.table.names, record)

    def _record(
        self,
        rule: FitRule,
        coef: Vector,
        intercept: float,
        per_round: dict[str, float],
        names: dict[str, int],
        partial: Partial,
    ) -> dict[str, Any]:
        settings = {key: None if value == math.inf else value for key, value in self.settings.as_dict().items()}
        return {
            "status": str(rule.status),
            "mode": self.settings.mode,
            "ranks": self.comm.size,
            "workers": self.topology.workers,
            "rows": self.table.rows,
            "features": self.table.features,
            "rounds": rule.rounds,
            "objective": _finite(rule.objective),
            "gradient_norm": _finite(rule.gradient_norm),
            "weights_sha256": fingerprint(coef, intercept),
            "seconds": {
                "total": perf_counter() - self.start,
                "load": self.loaded - self.start,
                "solve": self.solved - self.loaded,
            },
            "per_round": per_round,
            "bytes_per_round": partial.buffer.nbytes if self.comm.size > 1 else 0,
            "versions": versions(),
            "hosts": names,
            "config": settings,
        }


def fingerprint(coef: Vector, intercept: float) -> str:
    """The sha256 of coef then intercept as little-endian float64."""
    return hashlib.sha256(np.append(coef, intercept).astype("<f8").tobytes()).hexdigest()


def versions() -> dict[str, str]:
    """Of everything that computes."""
    return {
        "mpi_pgd": mpi_pgd.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "h5py": h5py.__version__,
        "hdf5": h5py.version.hdf5_version,
        "mpi4py": mpi4py.__version__,
        "mpi": library(),
        "blas": blas(),
    }


def blas() -> str:
    """The BLAS that numpy uses, and the kernels that it chose for this processor: the last bits depend on them."""
    from threadpoolctl import threadpool_info  # not at start-up: only who writes the record needs it

    found = (item for item in threadpool_info() if item["user_api"] == "blas")
    return ", ".join(f"{item['internal_api']} {item['version']} {item.get('architecture', '')}".strip() for item in found)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _giga(size: int) -> str:
    return f"{size / 2**30:.3g} GiB"


def diverged(result: Result) -> str:
    """What to do about a fit that ran away."""
    step = result.record["config"]["step"]
    return (
        f"the fit diverged after {result.record['rounds']} rounds with step {step}: the step is too large for this problem, or "
        f"the values are; try --step auto, a smaller step, or --standardize (the weights kept are the best ones seen)"
    )


EXIT_CODES = {str(Status.DIVERGED): 4, str(Status.SIGNAL): 75}
