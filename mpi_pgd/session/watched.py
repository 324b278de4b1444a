"""What is told of the rounds while they go on: to whoever looks at the screen, and to the program."""

from collections.abc import Callable

from mpi_pgd.drivers.fit import Watch
from mpi_pgd.errors import InputError
from mpi_pgd.recovery.deadline import Deadline
from mpi_pgd.session.inspect import Problem
from mpi_pgd.session.job import Job

Callback = Callable[[int, float, float], object]  # as ``Watch``; what is true asks to stop


def watched(job: Job, problem: Problem, deadline: Deadline, callback: Callback | None) -> Watch:
    """What this rank tells; the first one alone does."""
    chosen = problem.settings
    if problem.comm.rank > 0:
        return lambda *_: None
    told = _told(job, callback) if callback else lambda *_: None
    if chosen.quiet:
        return told
    from mpi_pgd.report.progress import Progress

    first = float(job.held.history.lines(0, 1)[1].sum())  # of a fit that goes on; else 0
    progress = Progress(chosen.rounds, chosen.tol, deadline.wanted, deadline.ends, first)

    def both(rounds: int, objective: float, gradient_norm: float) -> None:
        progress(rounds, objective, gradient_norm)
        told(rounds, objective, gradient_norm)

    return both


def _told(job: Job, callback: Callback) -> Watch:
    def tell(rounds: int, objective: float, gradient_norm: float) -> None:
        try:
            job.stopped = bool(callback(rounds, objective, gradient_norm)) or job.stopped
        except InputError as error:  # none of this fit's, which the ranks would agree on
            raise RuntimeError(f"the callback failed: {error}") from error

    return tell
