"""The record of a run: what run.json holds, what is written beside it, and what can be known of it before the work."""

import math
from collections import Counter
from time import perf_counter
from typing import Any

import numpy as np

from mpi_pgd.data.names import called
from mpi_pgd.data.words import meant
from mpi_pgd.drivers.fit import FitDriver
from mpi_pgd.drivers.history import History
from mpi_pgd.model.file import digest
from mpi_pgd.recovery.deadline import Deadline
from mpi_pgd.report.bundle import Bundle
from mpi_pgd.report.trace import rounds_of
from mpi_pgd.session import provenance
from mpi_pgd.session.course import Course
from mpi_pgd.session.inspect import Problem
from mpi_pgd.session.settings import jsonable
from mpi_pgd.system import output


def rehearsal(problem: Problem, deadline: Deadline) -> Bundle:
    """The bundle as it will be, but for its numbers."""
    coef = np.zeros(problem.table.features)
    return Bundle(_origin(problem, deadline), History(0.0).columns(), coef, 0.0, problem.table.names)


def bundle_of(course: Course) -> Bundle:
    """The bundle of a run that has ended, on rank 0."""
    problem, descent = course.problem, course.descent
    timeline = None
    if problem.settings.trace:
        timeline = (problem.nodes, *descent.costs.kept(rounds_of(problem.comm.size, course.solved - course.loaded)))
    history = descent.driver.history.columns()
    return Bundle(_record(course), history, descent.coef, descent.intercept, course.names, course.recipe, timeline)


def _record(course: Course) -> dict[str, Any]:
    problem, descent = course.problem, course.descent
    driver, costs, table = descent.driver, descent.costs, problem.table
    return {
        "status": str(driver.status),
        "mode": problem.settings.mode,
        "algorithm": problem.settings.way[1],
        "ranks": problem.comm.size,
        "workers": problem.facts.workers(problem.comm.size),
        "rows": table.rows,
        "features": table.features,
        "rounds": driver.rounds,
        "outputs": driver.of.outputs,
        "classes": list(course.classes),
        "words": meant(course.classes, problem.table.words),
        "solver": descent.choice.name or problem.settings.solver,
        "solver_reason": descent.choice.reason,
        "objective": _finite(driver.objective),
        "penalty": _finite(driver.objective - driver.loss),
        "gradient_norm": _finite(driver.gradient_norm),
        "digits": driver.history.digits(max(driver.gradient_norm, driver.rounding)),
        "certificate": _certificate(driver),
        "separation": descent.separation,
        "diagnosis": _diagnosis(course),
        "step": driver.step,
        "weights_sha256": digest(descent.coef, descent.intercept),
        "seconds": {
            "total": perf_counter() - course.start,
            "load": course.loaded - course.start,
            "solve": course.solved - course.loaded,
        },
        "seconds_per_round": sum(costs.mean().values()),
        "per_round": costs.median(),
        **_sent(course),
        "neighbours": descent.neighbours._asdict() if descent.neighbours else None,
        "costs": costs.record(),
        "moved_blocks": descent.moved,
        "rows_kept": course.kept.record(),
        "losses": list(course.losses),
        "evaluations": output.readable(list(course.evaluations)),
        **_origin(problem, course.deadline),
        "explains": "variance" if driver.of.loss.centred else "deviance",
        "r2": None if descent.null is None else driver.of.loss.explained(driver.loss, descent.null),
    }


def _certificate(driver: FitDriver) -> dict[str, Any]:
    """How far the objective is from its least, at most."""
    (gap, kind), fallen = driver.certificate, driver.fallen
    relative = gap / fallen if fallen > 0 else math.inf
    return {"kind": str(kind), "gap": _finite(gap), "relative": _finite(relative), "convex": driver.of.loss.convex}


def _diagnosis(course: Course) -> dict[str, Any] | None:
    """What solving told of the columns, if it did."""
    found = course.descent.driver.diagnosis
    if not found:
        return None
    caution = found.caution(called(course.problem.table.names, found.columns))
    return found._asdict() | {"condition": _finite(found.condition), "columns": list(found.columns), "caution": caution}


def _origin(problem: Problem, deadline: Deadline) -> dict[str, Any]:
    """What of the record is known before the work."""
    found: dict[str, Any] = output.readable(
        {
            "versions": provenance.versions(),
            "machine": provenance.machine(problem.nodes),
            "command": provenance.command(problem.comm.size),
            "hosts": dict(Counter(problem.nodes)),
            "scheduler": deadline.record(),
            "config": jsonable(problem.settings),
            "init_sha256": problem.init.sha256 if problem.init else None,
            "files": [stamp._asdict() for part in problem.table.parts for stamp in part.files],
        }
    )
    return found


def _sent(course: Course) -> dict[str, int]:
    """Bytes that the busiest worker and the server, 0 without one, hand to MPI in a round; counted, where peers have neighbours."""
    if course.descent.neighbours:
        return {"bytes_per_round": round(course.descent.neighbours.bytes), "server_bytes_per_round": 0}
    problem, sums, query = course.problem, course.descent.sums, course.descent.query
    sizes = problem.facts.messages(sums.bytes, query.buffer.nbytes, sums.peaks.nbytes * sums.order_free)
    way = problem.settings.algorithm, problem.speakers, sizes
    return {"bytes_per_round": problem.facts.sent_by_worker(*way), "server_bytes_per_round": problem.facts.sent_by_server(*way)}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
