"""What a run did, as every rank knows it; the first one makes its record of it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from mpi_pgd.data.names import Names
from mpi_pgd.drivers.moments import Moments
from mpi_pgd.drivers.status import Status
from mpi_pgd.recovery.deadline import Deadline
from mpi_pgd.session.descend import Descent
from mpi_pgd.session.inspect import Problem
from mpi_pgd.session.kept import Kept


class Course(NamedTuple):
    """Step by step; ``start``, ``loaded`` and ``solved`` are by ``perf_counter()``."""

    problem: Problem
    deadline: Deadline
    setup: Moments
    descent: Descent
    classes: Sequence[float]  # the targets that are class 0, 1, ...
    kept: Kept
    losses: Sequence[dict[str, Any]]
    start: float
    loaded: float
    solved: float
    evaluations: Sequence[dict[str, Any]] = ()

    @property
    def names(self) -> Names:
        """Of what coef is of; none of a model of the user's own."""
        return () if self.problem.settings.model else self.problem.table.names

    @property
    def recipe(self) -> str:
        """By which other tables become such rows; empty if there is none."""
        return "" if self.problem.settings.model else self.problem.table.recipe


def coefficients(course: Course) -> dict[str, Any]:
    """What must not be lost, as JSON has it, where the bundle can't be made or written."""
    driver, coef = course.descent.driver, course.descent.coef.tolist()
    found = {
        "status": str(driver.status),
        "rounds": driver.rounds,
        "coef": coef,
        "intercept": np.asarray(course.descent.intercept).tolist(),
    }
    return found | {"feature_names": course.names}


def outside(status: str, max_seconds: str | float) -> bool:
    """Whether a run was ended from outside, by a signal or the job's time limit: who does that wants to go on from there."""
    return status == Status.SIGNAL or (status == Status.TIME and max_seconds == "auto")
