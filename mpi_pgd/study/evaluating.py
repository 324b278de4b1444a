"""How ``evaluate`` runs: model and rows looked at, the rows held, the record printed and written; by those that are left."""

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm.world import agreement
from mpi_pgd.config import Settings
from mpi_pgd.data import files
from mpi_pgd.data.files import Stamp
from mpi_pgd.errors import Stopped
from mpi_pgd.recovery.attempts import Team, run_attempts
from mpi_pgd.report import bundle
from mpi_pgd.session.evaluate import evaluation, held
from mpi_pgd.session.fitted import loaded, looked, names_of, predictor, settings
from mpi_pgd.session.inspect import Problem, say_warnings
from mpi_pgd.session.run import one_thread
from mpi_pgd.study import record
from mpi_pgd.system import output
from mpi_pgd.system.claims import Claim

if TYPE_CHECKING:
    from mpi_pgd.study.study import Study


def run(study: "Study", world: MPI.Intracomm, given: Mapping[str, Any], stopped: Callable[[], bool]) -> None:
    """Evaluate what was typed; ``stopped`` tells whether a signal came: then nothing is printed or written. Collective."""
    with ExitStack() as stack:
        claims: list[Claim] = []

        def attempt(team: Team) -> bool:
            with agreement(team.comm):
                if team.comm.rank == 0 and given["out"] and not claims:
                    names = [f"{study.name}.json"]
                    claims.append(stack.enter_context(bundle.claim(given["out"], names, again=bool(team.lost))))
            with ExitStack() as rows:
                made = _record(study, team, given, stopped, rows)
            _go_on(team, stopped)
            with agreement(team.comm):
                if team.comm.rank == 0:
                    _show(study, given, made, claims)
            return True

        with np.errstate(over="ignore", invalid="ignore"), one_thread():
            run_attempts(world, attempt)


def _record(study: "Study", team: Team, given: Mapping[str, Any], stopped: Callable[[], bool], stack: ExitStack) -> dict[str, Any]:
    path, *data = given["files"]
    model = loaded(team.comm, path)
    with agreement(team.comm):
        chosen, found = settings(model, {**given["options"], "data": files.find(data), "quiet": given["quiet"]}), predictor(model)
    problem = looked(team, chosen, model, path, stopped, stack)
    with agreement(team.comm):
        if team.comm.rank == 0 and given["out"]:
            source = bundle.Source(tuple(stamp.path for stamp in _files(problem, chosen)), chosen.x, chosen.y)
            record.spare(given["out"], study.name, given["force"], source)
    rows = held(problem, found)
    _go_on(team, stopped)
    say_warnings(problem)
    penalty = model.record.get("penalty")
    row = evaluation(rows, found, ", ".join(data), names_of(model), penalty)
    about = {"path": path, "loss": model.loss, "weights_sha256": model.record.get("weights_sha256")}
    config = {name: getattr(chosen, name) for name in ("x", "y", "weights", "offset")}
    stamps = [stamp._asdict() for stamp in _files(problem, chosen)] if team.comm.rank == 0 else []
    return record.envelope(study.name, problem.nodes, model=about, config=config, rows=[row], files=stamps)


def _go_on(team: Team, stopped: Callable[[], bool]) -> None:
    """Raises ``Stopped`` on all ranks if a signal came to any."""
    with agreement(team.comm):
        if stopped():
            raise Stopped


def _files(problem: Problem, chosen: Settings) -> list[Stamp]:
    """Those behind the rows; tables themselves, not what was made of them for now."""
    if problem.settings.data != chosen.data:
        return [Stamp.of(path) for path in chosen.data]
    return [stamp for part in problem.table.parts for stamp in part.files]


def _show(study: "Study", given: Mapping[str, Any], made: Mapping[str, Any], claims: list[Claim]) -> None:
    told = output.readable(made)
    if given["json"]:
        print(json.dumps(told, indent=1, allow_nan=False), flush=True)
    elif not given["quiet"]:
        print(study.text(told), flush=True)
    for claim in claims:
        record.write(claim, made)
