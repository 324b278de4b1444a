"""One fit from settings to result: the public ``fit``, its ``Result``, and the record of the run."""

import hashlib
import math
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from mpi4py import MPI

from mpi_pgd import config
from mpi_pgd.comm.world import agreement, everyone, guard
from mpi_pgd.config import Settings
from mpi_pgd.data.foreign import of_arrays
from mpi_pgd.data.partition import NOBODY
from mpi_pgd.drivers.fit import FitDriver, Status
from mpi_pgd.drivers.history import History
from mpi_pgd.drivers.moments import Moments
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.sums import Sums
from mpi_pgd.errors import InputError
from mpi_pgd.recovery import checkpoint
from mpi_pgd.recovery.attempts import Team, run_attempts
from mpi_pgd.recovery.deadline import Deadline
from mpi_pgd.recovery.resume import Start, carried
from mpi_pgd.recovery.signals import SignalFlag
from mpi_pgd.report import bundle, rescue
from mpi_pgd.report.progress import LINE, Progress
from mpi_pgd.report.trace import rounds_of
from mpi_pgd.session import places, provenance
from mpi_pgd.session.descend import Descent, descend, stop_flags
from mpi_pgd.session.inspect import inspect_files, say_warnings
from mpi_pgd.session.job import Choose, Job, jsonable, outside
from mpi_pgd.session.load import check_room, choose_mode, load_rows
from mpi_pgd.system import output
from mpi_pgd.system.log import LOG

Data = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


@dataclass(frozen=True)
class Result:
    """A fit, the same on every rank.

    Attributes:
        coef: (features,) float64, in the units of the data.
        intercept: 0 if none was fitted.
        status: why it ended, see ``mpi_pgd.drivers.fit.Status``.
        history: ``round``, ``objective``, ``gradient_norm``, ``step``, ``seconds``: lists with one number a round.
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

    def __repr__(self) -> str:
        from mpi_pgd.report.beside import Model
        from mpi_pgd.report.tables import outline

        return outline(self.record, Model(self.coef, self.intercept, self.feature_names), self.r2)


Show = Callable[[Result, Settings, bool], None]


def fit(data: Data | None = None, *more: Any, comm: MPI.Intracomm | None = None, **options: Any) -> Result:
    """Fit a linear model to rows in HDF5 files. Collective over ``comm``.

    Args:
        data: a file, a glob, or several of them, as text or paths; with ``resume`` those of the checkpoint, if not given.
        more: nothing: arrays have to be in a file, from which each rank reads its own rows.
        comm: the ranks that take part; all of the world if not given.
        options: the settings of the command line, with ``_`` for ``-`` (see ``mpi_pgd.config.Settings``).

    The data and the options of the first rank count, whatever the others give. Warnings go to the logger ``mpi_pgd``.

    Raises:
        InputError: data or settings can't be used; on every rank alike. Any other exception on one of several ranks ends them
            all, since the others would wait for ever.
    """
    with guard(everyone()):
        world = _ranks(comm)
    with guard(world), one_thread():
        return run(world, lambda: _start(data, more, options))


def _ranks(comm: MPI.Intracomm | None) -> MPI.Intracomm:
    if comm is None:
        return everyone()
    if comm == MPI.COMM_NULL:
        raise InputError("comm was given MPI.COMM_NULL: expected the ranks that take part, and fit is to be called by those alone")
    if not isinstance(comm, MPI.Intracomm):
        raise TypeError(f"comm was given {comm!r}: expected an mpi4py.MPI.Intracomm")
    return comm


def _start(data: Any, more: Sequence[Any], options: Mapping[str, Any]) -> Start:
    arrays = [value for value in (data, *more, options.get("X")) if _numbers(value)]
    if arrays or (more and not all(isinstance(value, str | os.PathLike) for value in more)):
        what = "arrays" if arrays else f"{len(more) + 1} arguments"
        words = f"fit was given {what}: expected the name of an HDF5 file, from which each rank reads its own rows; "
        raise InputError(words + "these three lines make it of arrays X and y (on one rank):", *of_arrays())
    if more:
        raise InputError(f"fit was given {len(more) + 1} files one by one: expected them in a list, fit([...])")
    given = {"quiet": True, **options, **({} if data is None else {"data": data})}
    path = config.settings({"resume": given.get("resume", "")}).resume
    origin = checkpoint.read(path) if path else None
    chosen = config.settings({**(carried(origin, path, given) if origin else {}), **given})
    if not chosen.data:
        raise InputError("no data were given: name one or more HDF5 files")
    return Start(chosen.as_dict(), origin=origin)


def _numbers(value: Any) -> bool:
    """Whether it is an array, a table, or a list of numbers, rather than names."""
    if isinstance(value, list | tuple):
        return bool(value) and (isinstance(value[0], int | float) or _numbers(value[0]))
    names = str(getattr(value, "dtype", "")).startswith(("<U", "object"))
    return hasattr(value, "__array__") and hasattr(value, "shape") and len(value.shape) > 0 and not names


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
    world: MPI.Intracomm,
    choose: Choose,
    flag: SignalFlag | None = None,
    start: float | None = None,
    show: Show = lambda *_: None,
) -> Result:
    """``fit``, as the command line does it. Collective.

    Args:
        world: all ranks.
        choose: reads the settings; called on one rank, once.
        flag: tells whether this rank was asked to stop.
        start: when the clock began.
        show: is given the result on one rank, before the others may leave; and whether the data are those of the program.
    """
    with ExitStack() as stack:
        job = Job(choose, flag, perf_counter() if start is None else start, stack)
        # What overflows is voted broken, and ends the fit as diverged; numpy need not say it too, on every rank.
        with np.errstate(over="ignore", invalid="ignore"):
            try:
                return run_attempts(world, lambda team: _attempt(job, team, show))
            except BaseException as failure:
                job.rescue(failure)
                raise


def _attempt(job: Job, team: Team, show: Show) -> Result:
    try:
        return _Fit(job, team).run(show)
    finally:
        job.pulse.beat(job.pulse.round)  # what is to come has patience of its own
        job.pulse.enter("waiting for the others")  # to end, or to begin again


class _Fit:
    """One attempt at a fit on one rank: its parts, in the order in which they come to be."""

    def __init__(self, job: Job, team: Team) -> None:
        self.job, self.kept, self.comm, self.start = job, job.kept, team.comm, job.start
        self.settings = job.begin(team)
        self.deadline = Deadline(self.comm, self.start, self.settings.max_seconds)
        self.kept.agree(self.comm)
        first = self.comm.rank == 0 and not job.table
        self.problem = inspect_files(self.comm, self.settings, job.table, team.ids, bool(team.lost), job.pulse)
        job.table = self.problem.table
        before = job.topology.worker if job.topology else NOBODY
        # The one before lives until now: unfinished messages may still have read its buffers.
        self.topology = job.topology = choose_mode(self.problem, before)
        self.flags = stop_flags(self.start, self.deadline.seconds, job.signalled, ahead=self.deadline.auto)
        check_room(self.problem, self.topology)  # the rehearsal makes what is as long as the features
        with agreement(self.comm):
            if first:
                places.spare(self.settings, self.problem.table, self._rehearsal)

    def run(self, show: Show) -> Result:
        self.job.shard = shard = load_rows(self.problem, self.topology, self.job.shard)
        if not self.job.lost:
            say_warnings(self.problem)  # not before: what can't be used is one sentence
        self.loaded = perf_counter()
        setup = self.job.setup(self.problem, self.topology, shard, self.flags)
        self.job.ready(self.problem, shard)
        with ExitStack() as stack:
            watch = self._watch(stack)
            keep = rounds_of(self.comm.size) if self.settings.trace else 0
            history, snapshots = self.kept.history, self.job.snapshots(self.problem)
            descent = descend(self.problem, self.topology, shard, setup, self.flags, watch, keep, history, snapshots)
        self.solved = perf_counter()
        result = self._result(descent, setup)
        if self.comm.rank == 0:
            show(result, self.settings, self.job.begun.shipped)
        return result

    def _watch(self, stack: ExitStack) -> Callable[[int, float, float], None]:
        if self.settings.quiet or self.comm.rank > 0:
            return lambda *_: None
        first = self.kept.history.lines(0, 1)[1].sum()  # of a fit that goes on; else 0
        progress = Progress(self.settings.rounds, self.settings.tol, self.deadline.wanted, self.deadline.ends, float(first))
        stack.callback(LINE.clear)
        return progress

    def _result(self, descent: Descent, setup: Moments) -> Result:
        point, driver = descent.query.point, descent.driver
        coef, intercept = point[:-1].copy(), float(point[-1])
        found = None
        with agreement(self.comm):
            if self.comm.rank == 0:
                self.job.status = driver.status
                with self._nothing_lost(driver, coef, intercept):
                    found = self._written(descent, setup, coef, intercept)
        record, history, r2 = self.comm.bcast(found)
        return Result(coef, intercept, record["status"], history, r2, self.problem.table.names, record)

    def _written(self, descent: Descent, setup: Moments, coef: Vector, intercept: float) -> tuple[Any, ...]:
        """Write the bundle and the checkpoint; what the other ranks need for the result."""
        driver, table = descent.driver, self.problem.table
        record = self._record(descent, coef, intercept)
        history = driver.history.columns()
        variance = float(setup.deviation[-1]) ** 2
        r2 = record["r2"] = driver.of.loss.explained(driver.loss / table.rows, variance)
        if self.job.places.out:
            rounds = rounds_of(self.comm.size, self.solved - self.loaded)
            timeline = (self.problem.nodes, *descent.costs.kept(rounds)) if self.settings.trace else None
            bundle.write(self.job.places.out, bundle.Bundle(record, history, coef, intercept, table.names, timeline))
        self.job.finish()
        return record, history, r2

    @contextmanager
    def _nothing_lost(self, driver: FitDriver, coef: Vector, intercept: float) -> Iterator[None]:
        """What goes wrong inside costs no coefficients: those of a run without a checkpoint go into a file of their own."""
        try:
            yield
        except BaseException:
            if not self.job.writer:  # else ``Job.rescue`` writes all there is
                found = {"status": str(driver.status), "rounds": driver.rounds, "coef": coef.tolist(), "intercept": intercept}
                where = rescue.write(found | {"feature_names": self.problem.table.names})
                LOG.warning(f"the coefficients of {driver.rounds} rounds could not be written as asked; {where}")
            raise

    def _rehearsal(self) -> bundle.Bundle:
        """A bundle as it will be, but for its numbers."""
        coef, names = np.zeros(self.problem.table.features), self.problem.table.names
        return bundle.Bundle(self._origin(), History(0.0).columns(), coef, 0.0, names)

    def _record(self, descent: Descent, coef: Vector, intercept: float) -> dict[str, Any]:
        driver, costs, table = descent.driver, descent.costs, self.problem.table
        return {
            "status": str(driver.status),
            "mode": self.settings.mode,
            "algorithm": self.settings.algorithm,
            "ranks": self.comm.size,
            "workers": self.problem.facts.workers(self.comm.size),
            "rows": table.rows,
            "features": table.features,
            "rounds": driver.rounds,
            "objective": _finite(driver.objective),
            "gradient_norm": _finite(driver.gradient_norm),
            "digits": driver.digits,
            "step": driver.step,
            "weights_sha256": fingerprint(coef, intercept),
            "seconds": {
                "total": perf_counter() - self.start,
                "load": self.loaded - self.start,
                "solve": self.solved - self.loaded,
            },
            "seconds_per_round": sum(costs.mean().values()),
            "per_round": costs.median(),
            "bytes_per_round": self._sent(descent.sums),
            "costs": costs.record(),
            "moved_blocks": descent.moved,
            "losses": self.job.lost,
            **self._origin(),
        }

    def _origin(self) -> dict[str, Any]:
        """What of the record is known before the work."""
        found: dict[str, Any] = output.readable(
            {
                "versions": provenance.versions(),
                "machine": provenance.machine(self.problem.nodes),
                "command": provenance.command(self.comm.size),
                "hosts": dict(Counter(self.problem.nodes)),
                "scheduler": self.deadline.record(),
                "config": jsonable(self.settings),
                "files": [stamp._asdict() for part in self.problem.table.parts for stamp in part.files],
            }
        )
        return found

    def _sent(self, sums: Sums) -> int:
        """Bytes that a worker, in peer-to-peer the busiest, hands to MPI in a round."""
        sizes = self.problem.facts.messages(sums.bytes, 0, sums.peaks.nbytes * sums.order_free)
        return self.problem.facts.sent_by_worker(self.settings.algorithm, self.comm.size, sizes)


def fingerprint(coef: Vector, intercept: float) -> str:
    """The sha256 of coef then intercept as little-endian float64."""
    return hashlib.sha256(np.append(coef, intercept).astype("<f8").tobytes()).hexdigest()


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def diverged(result: Result) -> str:
    """What to do about a fit that ran away."""
    rounds, step = result.record["rounds"], result.record["config"]["step"]
    why, advice = f"the step {step} is too large for this problem, or the values are", "use --step auto"
    if step == "auto":
        why, advice = "the values are too large for sums in float64", "divide the largest columns and targets by a power of ten"
    return f"the fit diverged after {rounds} rounds: {why}; {advice} (the weights kept are the best ones seen)"


def exit_code(result: Result) -> int:
    """Of the program: 75, try again, where the run was ended from outside."""
    if outside(result.status, result.record["config"]["max_seconds"]):
        return 75
    return 4 if result.status == Status.DIVERGED else 0
