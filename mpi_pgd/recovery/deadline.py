"""When a run has to end: by the user's word, or by the time limit of the SLURM job that it runs in."""

import math
import os
from contextlib import suppress
from dataclasses import asdict
from time import perf_counter
from typing import Any

from mpi4py import MPI

from mpi_pgd.comm.world import once
from mpi_pgd.errors import InputError
from mpi_pgd.system import scheduler

AUTO = "auto"


class Deadline:
    """Collective, if ``max_seconds`` is ``auto``; else only rank 0 asks for the time that is left, as it alone tells it.

    Args:
        comm: the ranks of the run.
        start: when it began, by ``perf_counter()``.
        max_seconds: since then, or ``auto``: some time before the job's end.

    Raises:
        InputError: it is ``auto``, and nobody knows how much time is left; on all ranks.
    """

    def __init__(self, comm: MPI.Intracomm, start: float, max_seconds: str | float) -> None:
        self.auto = max_seconds == AUTO
        self._left = self._ask(comm)
        self.ends = perf_counter() + self._left  # the job, by ``perf_counter()``; inf without a limit, or if nobody knows
        # When the run has to end, since ``start``, and when the user wants it to, by ``perf_counter()``.
        self.seconds = self.ends - scheduler.margin(self._left) - start if self.auto else float(max_seconds)
        self.wanted = math.inf if self.auto else start + self.seconds

    def _ask(self, comm: MPI.Intracomm) -> float:
        if self.auto:
            try:
                return once(comm, None, lambda: scheduler.seconds_left(os.environ))
            except InputError as error:
                raise InputError(f"--max-seconds was given 'auto': {error}") from None
        with suppress(InputError):
            if comm.rank == 0 and scheduler.read(os.environ):
                return scheduler.seconds_left(os.environ)
        return math.inf

    def record(self) -> dict[str, Any] | None:
        """The job, for the record of the run, on rank 0; None outside a job."""
        job = scheduler.read(os.environ)
        left = self._left if math.isfinite(self._left) else None
        return asdict(job) | {"seconds_left": left} if job else None
