"""One fit from settings to result: the public ``fit`` and its ``Result``, and the course of a run."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm.world import agreement, everyone, guard
from mpi_pgd.config import Settings
from mpi_pgd.drivers.status import Status
from mpi_pgd.errors import InputError
from mpi_pgd.model.model import Model
from mpi_pgd.recovery.attempts import Team, run_attempts
from mpi_pgd.recovery.deadline import Deadline
from mpi_pgd.recovery.signals import SignalFlag
from mpi_pgd.report.line import LINE
from mpi_pgd.session.course import Course, coefficients, outside
from mpi_pgd.session.descend import descend, stop_flags
from mpi_pgd.session.inspect import say_warnings
from mpi_pgd.session.job import Choose, Job
from mpi_pgd.session.kept import kept
from mpi_pgd.session.load import check_room
from mpi_pgd.session.watched import Callback, watched
from mpi_pgd.system.log import LOG

if TYPE_CHECKING:
    from mpi_pgd.session.given import Given


@dataclass(frozen=True, eq=False, repr=False)
class Result(Model):
    """A fit, the same on every rank: the model, and how it came about.

    Attributes:
        history: ``round``, ``objective``, ``gradient_norm``, ``step``, ``seconds``: lists with one number a round.
    """

    history: Mapping[str, Sequence[float]] = field(default_factory=dict)


Show = Callable[[Result, Settings, bool], None]


def fit(
    data: Any = None, *more: Any, comm: MPI.Intracomm | None = None, callback: Callback | None = None, **options: Any
) -> Result:
    """``fit(data)`` or ``fit(X, y)``: fit a linear model to rows in HDF5 files, or in arrays. Collective over ``comm``.

    Args:
        data: a file, a glob, or several of them, as text or paths; with ``resume`` those of the checkpoint, if not given. Or X, the
            rows that this rank has, (rows, features): an array of real numbers of any type and order, sparse rows of scipy's, or a
            data frame, whose columns give the features their names. The table is all ranks' rows, in the order of the ranks.
        more: of arrays, y, (rows,), or (rows, k) where each row has k targets.
        comm: the ranks that take part; all of the world if not given.
        callback: ``callback(round, objective, gradient_norm)``, called on the first rank after each evaluation; if it returns true
            the fit stops, after one more. An exception in it ends the fit, on all ranks.
        options: the settings of the command line, with ``_`` for ``-`` (see ``mpi_pgd.config.Settings``). With arrays ``weights``
            and ``offset`` are such, too, (rows,); ``penalty_factors``, ``groups``, ``lower`` and ``upper`` (features,) may be.

    The data and the options of the first rank count, whatever the others give; but of arrays each rank gives its own rows, or None
    if it has none. They are not copied where they are contiguous row by row, and the ranks' shares of the rows are near those that
    they give; nobody may change them meanwhile. Warnings go to the logger ``mpi_pgd``.

    Raises:
        InputError: data or settings can't be used; on every rank alike. Any other exception on one of several ranks ends them
            all, since the others would wait for ever.
    """
    with guard(everyone()):
        world = ranks_of(comm)
    with guard(world), one_thread():
        if callback is not None and not callable(callback):
            raise TypeError(f"callback was given {callback!r}: expected a function of round, objective and gradient_norm")
        from mpi_pgd.session.given import FIT, Given  # not at the command line

        given = Given(FIT, data, more, options)
        return run(world, given.start, given=given, callback=callback)


def ranks_of(comm: MPI.Intracomm | None) -> MPI.Intracomm:
    """A user's communicator, by default the world; refuses what is none."""
    if comm is None:
        return everyone()
    if comm == MPI.COMM_NULL:
        raise InputError("comm was given MPI.COMM_NULL: expected the ranks that take part, and it is to be called by those alone")
    if not isinstance(comm, MPI.Intracomm):
        raise TypeError(f"comm was given {comm!r}: expected an mpi4py.MPI.Intracomm")
    return comm


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
    given: "Given | None" = None,
    callback: Callback | None = None,
) -> Result:
    """``fit``, as the command line does it. Collective.

    Args:
        world: all ranks.
        choose: reads the settings; called on one rank, once.
        flag: tells whether this rank was asked to stop.
        start: when the clock began.
        show: is given the result on one rank, before the others may leave; and whether the data are those of the program.
        given: what this rank of a program has, of which ``choose`` is to know.
        callback: of ``fit``.
    """
    with ExitStack() as stack:
        job = Job(choose, flag, perf_counter() if start is None else start, stack, given)
        # What overflows is voted broken, and ends the fit as diverged; numpy need not say it too, on every rank.
        with np.errstate(over="ignore", invalid="ignore"):
            try:
                return run_attempts(world, lambda team: _attempt(job, team, show, callback))
            except BaseException as failure:
                job.saving.rescue(failure)
                raise


def _attempt(job: Job, team: Team, show: Show, callback: Callback | None) -> Result:
    try:
        return _course(job, team, show, callback)
    finally:
        job.pulse.beat(job.pulse.round)  # what is to come has patience of its own
        job.pulse.enter("waiting for the others")  # to end, or to begin again


def _course(job: Job, team: Team, show: Show, callback: Callback | None) -> Result:
    """From the settings to the result: an attempt by the ranks of a team, which begins with what is there of the one before."""
    comm, chosen = team.comm, job.begin(team)
    deadline = Deadline(comm, job.start, chosen.max_seconds)
    first = comm.rank == 0 and job.seen is None
    problem = job.inspect(team)
    mode = job.choose_mode(problem)
    judging = _judging(chosen)
    others = judging.holdouts(problem, job.signalled) if judging else []
    check_room(problem, mode)  # the rehearsal makes what is as long as the features
    with agreement(comm):
        if first:  # the other ranks import no more than the rounds take
            from mpi_pgd.session import places
            from mpi_pgd.session.record import rehearsal

            places.spare(chosen, problem.table, lambda: rehearsal(problem, deadline))
    shard = job.load(problem, mode)
    if not job.lost:
        say_warnings(problem)  # not before: what can't be used is one sentence
        if comm.rank == 0 and shard.targets and shard.targets.hint and not chosen.quiet:
            LOG.info(shard.targets.hint)
    places_of_rows = kept(problem, shard)
    if comm.rank == 0 and not chosen.quiet and places_of_rows.text():
        LOG.info(places_of_rows.text())
    loaded = perf_counter()
    flags = stop_flags(job.start, deadline.seconds, job.signalled, ahead=deadline.auto)
    setup = job.setup(problem, mode, shard, flags)
    job.ready(problem, shard)
    watch, keep = watched(job, problem, deadline, callback), 0
    if chosen.trace:
        from mpi_pgd.report.trace import rounds_of

        keep = rounds_of(comm.size)
    try:
        descent = descend(problem, mode, shard, setup, flags, watch, keep, job.held.history, job.snapshots(problem), aligned=True)
    finally:
        LINE.clear()
    if job.stopped and descent.driver.status == Status.SIGNAL:
        descent.driver.status = Status.CALLBACK
    classes = shard.targets.classes if shard.targets else ()
    solved = perf_counter()
    course = Course(problem, deadline, setup, descent, classes, places_of_rows, job.lost, job.start, loaded, solved)
    if comm.rank == 0:
        job.saving.descended(descent.driver.status, partial(coefficients, course))
    evaluations = judging.judged(problem, mode, shard, others, descent, classes) if judging else ()
    result = _result(job, course._replace(evaluations=evaluations))
    if comm.rank == 0:
        show(result, chosen, job.begun.shipped)
    return result


def _judging(chosen: Settings) -> ModuleType | None:
    """What judges a fit in its end. Where there is nothing to judge it on, or for, none of it is imported."""
    if not (chosen.validate or (chosen.out and chosen.evaluate)):
        return None
    from mpi_pgd.session import judged

    return judged


def _result(job: Job, course: Course) -> Result:
    """The result on every rank, after rank 0 has written the bundle and the checkpoint. Collective."""
    comm, found = course.problem.comm, None
    with agreement(comm):
        if comm.rank == 0:
            from mpi_pgd.report import bundle
            from mpi_pgd.session.record import bundle_of

            made = bundle_of(course)
            if job.saving.out:
                bundle.write(job.saving.out, made)
            job.saving.finish()
            found = made.record, made.history
            if caution := (made.record["diagnosis"] or {}).get("caution"):
                LOG.warning(caution)
    record, history = comm.bcast(found)
    descent = course.descent
    return Result(descent.coef.copy(), descent.intercept, course.names, record, course.recipe, history=history)


def failure(result: Result) -> str:
    """Why a fit has no weights to rely on, and what to do; "" if it has."""
    if result.status == Status.DIVERGED:
        return _diverged(result)
    return str(result.record["separation"]) if result.status == Status.SEPARABLE else ""


def _diverged(result: Result) -> str:
    rounds, step = result.record["rounds"], result.record["config"]["step"]
    why, advice = f"the step {step} is too large for this problem, or the values are", "use --step auto"
    if step == "auto":
        why, advice = "the values are too large for sums in float64", "divide the largest columns and targets by a power of ten"
    return f"the fit diverged after {rounds} rounds: {why}; {advice} (the weights kept are the best ones seen)"


def exit_code(result: Result) -> int:
    """Of the program: 75, try again, where the run was ended from outside."""
    if outside(result.status, result.record["config"]["max_seconds"]):
        return 75
    return 4 if failure(result) else 0
