"""One fit from settings to result: the public ``fit``, its ``Result``, and the record of the run."""

import hashlib
import json
import math
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from mpi4py import MPI

from mpi_pgd import config, provenance
from mpi_pgd.arrays import Vector
from mpi_pgd.config import Settings
from mpi_pgd.problem import Descent, Problem, Setup, votes
from mpi_pgd.report import bundle
from mpi_pgd.report.progress import Progress
from mpi_pgd.report.trace import rounds_of
from mpi_pgd.rules.fit import Status
from mpi_pgd.topology.delay import parse
from mpi_pgd.topology.schedules import sent
from mpi_pgd.topology.world import agreement, guard, share


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
        with one_thread():
            return run(world, chosen)


@contextmanager
def one_thread() -> Iterator[None]:
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
        with agreement(comm):  # before anyone works: whether the result can be written
            if comm.rank == 0 and chosen.out:
                bundle.prepare(chosen.out)
        self.problem = Problem.inspect(comm, chosen)
        self.topology = self.problem.topology()
        self.ballot = votes(start, chosen.max_seconds, signalled)
        with agreement(comm):
            parse(chosen.delay, chosen.fail_slow, comm.size, comm.size - self.topology.workers)

    def run(self) -> Result:
        shard = self.problem.load(self.topology)
        self.loaded = perf_counter()
        setup = self.problem.prepare(self.topology, shard, self.ballot)
        with ExitStack() as stack:
            watch = self._watch(stack)
            keep = rounds_of(self.comm.size) if self.settings.trace else 0
            descent = self.problem.descend(self.topology, shard, setup, self.ballot, watch, keep)
        self.solved = perf_counter()
        return self._result(descent, setup)

    def _watch(self, stack: ExitStack) -> Callable[[int, float, float], None]:
        if self.settings.quiet or self.comm.rank > 0:
            return lambda *_: None
        progress = Progress(self.settings.rounds, self.settings.max_seconds, self.start)
        stack.callback(progress.close)
        return progress

    def _result(self, descent: Descent, setup: Setup) -> Result:
        order, rule, table = descent.order, descent.rule, self.problem.table
        coef, intercept = order.point[:-1].copy(), float(order.point[-1])
        text = ""
        with agreement(self.comm):
            if self.comm.rank == 0:
                record = self._record(descent, coef, intercept)
                history = rule.history.columns(self.start)
                r2 = 1.0 - 2 * rule.loss / table.rows / setup.variance if setup.variance > 0 else None
                if self.settings.out:
                    rounds = rounds_of(self.comm.size, self.solved - self.loaded)
                    timeline = (self.problem.nodes, *descent.costs.kept(rounds)) if self.settings.trace else None
                    bundle.write(self.settings.out, record, history, coef, intercept, table.names, timeline)
                text = json.dumps([record, history, r2])
        record, history, r2 = json.loads(share(self.comm, text))
        return Result(coef, intercept, record["status"], history, r2, table.names, record)

    def _record(self, descent: Descent, coef: Vector, intercept: float) -> dict[str, Any]:
        rule, costs, table = descent.rule, descent.costs, self.problem.table
        settings = {key: None if value == math.inf else value for key, value in self.settings.as_dict().items()}
        return {
            "status": str(rule.status),
            "mode": self.settings.mode,
            "algorithm": self.settings.algorithm,
            "ranks": self.comm.size,
            "workers": self.topology.workers,
            "rows": table.rows,
            "features": table.features,
            "rounds": rule.rounds,
            "objective": _finite(rule.objective),
            "gradient_norm": _finite(rule.gradient_norm),
            "weights_sha256": fingerprint(coef, intercept),
            "seconds": {
                "total": perf_counter() - self.start,
                "load": self.loaded - self.start,
                "solve": self.solved - self.loaded,
            },
            "seconds_per_round": sum(costs.mean().values()),
            "per_round": costs.median(),
            "bytes_per_round": self._sent(descent.partial.buffer.nbytes),
            "costs": costs.record(),
            "versions": provenance.versions(),
            "machine": provenance.machine(self.problem.nodes),
            "command": provenance.command(self.comm.size),
            "hosts": dict(Counter(self.problem.nodes)),
            "config": settings,
        }

    def _sent(self, partial: int) -> int:
        """Bytes that a worker, in peer-to-peer the busiest, hands to MPI in a round."""
        ranks, algorithm = self.comm.size, self.settings.algorithm
        if ranks == 1 or algorithm == "library" or self.settings.mode == "client-server":
            return partial if ranks > 1 else 0
        return max(sent(algorithm, rank, ranks, (partial,)) for rank in (0, 1))


def fingerprint(coef: Vector, intercept: float) -> str:
    """The sha256 of coef then intercept as little-endian float64."""
    return hashlib.sha256(np.append(coef, intercept).astype("<f8").tobytes()).hexdigest()


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def diverged(result: Result) -> str:
    """What to do about a fit that ran away."""
    step = result.record["config"]["step"]
    return (
        f"the fit diverged after {result.record['rounds']} rounds with step {step}: the step is too large for this problem, or "
        f"the values are; try --step auto, a smaller step, or --standardize (the weights kept are the best ones seen)"
    )


EXIT_CODES = {str(Status.DIVERGED): 4, str(Status.SIGNAL): 75}
