"""How ``evaluate`` runs: model and rows looked at, the rows held, the record printed and written; by those that are left."""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm.world import agreement
from mpi_pgd.data import files
from mpi_pgd.recovery.attempts import Team, run_attempts
from mpi_pgd.report import bundle
from mpi_pgd.session.evaluate import evaluation, held
from mpi_pgd.session.fitted import loaded, looked, names_of, predictor, settings
from mpi_pgd.session.inspect import say_warnings
from mpi_pgd.session.run import one_thread
from mpi_pgd.study import record
from mpi_pgd.system import output
from mpi_pgd.system.claims import Claim

if TYPE_CHECKING:
    from mpi_pgd.study.study import Study


def run(study: "Study", world: MPI.Intracomm, given: Mapping[str, Any]) -> None:
    """Evaluate what was typed. Collective."""
    with ExitStack() as stack:
        claims: list[Claim] = []

        def attempt(team: Team) -> bool:
            with agreement(team.comm):
                if team.comm.rank == 0 and given["out"] and not claims:
                    names = [f"{study.name}.json"]
                    claims.append(stack.enter_context(bundle.claim(given["out"], names, again=bool(team.lost))))
            made = _record(study, team, given)
            with agreement(team.comm):
                if team.comm.rank == 0:
                    _show(study, given, made, claims)
            return True

        with np.errstate(over="ignore", invalid="ignore"), one_thread():
            run_attempts(world, attempt)


def _record(study: "Study", team: Team, given: Mapping[str, Any]) -> dict[str, Any]:
    path, *data = given["files"]
    model = loaded(team.comm, path)
    with agreement(team.comm):
        chosen, found = settings(model, {**given["options"], "data": files.find(data)}), predictor(model)
    problem = looked(team, chosen, model, path)
    with agreement(team.comm):
        if team.comm.rank == 0 and given["out"]:
            record.spare(given["out"], study.name, given["force"], bundle.Source.of(problem.table))
    rows = held(problem, found)
    say_warnings(problem)
    penalty = model.record.get("penalty")
    row = evaluation(rows, found, ", ".join(data), names_of(model), penalty)
    about = {"path": path, "loss": model.loss, "weights_sha256": model.record.get("weights_sha256")}
    config = {name: getattr(chosen, name) for name in ("x", "y", "weights", "offset")}
    stamps = [stamp._asdict() for part in problem.table.parts for stamp in part.files]
    return record.envelope(study.name, problem.nodes, model=about, config=config, rows=[row], files=stamps)


def _show(study: "Study", given: Mapping[str, Any], made: Mapping[str, Any], claims: list[Claim]) -> None:
    told = output.readable(made)
    if given["json"]:
        print(json.dumps(told, indent=1, allow_nan=False), flush=True)
    elif not given["quiet"]:
        print(study.text(told), flush=True)
    for claim in claims:
        record.write(claim, made)
