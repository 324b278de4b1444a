"""The straggler effect: with exponential delays, the slowest of m workers takes H_m times the mean longer."""

from functools import partial
from typing import Any

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm.world import anyone
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.loop import Ballot
from mpi_pgd.modes import AMONG_PEERS
from mpi_pgd.observers.costs import COMPUTE, split
from mpi_pgd.report.progress import steps
from mpi_pgd.session.descend import descend
from mpi_pgd.session.inspect import Problem
from mpi_pgd.session.load import choose_mode, load_rows
from mpi_pgd.session.prepare import take_moments
from mpi_pgd.study.model import harmonic
from mpi_pgd.study.record import envelope
from mpi_pgd.study.turns import Teams, described, watched


def straggler(problem: Problem, mean: float, ballot: Ballot) -> dict[str, Any] | None:
    """The content of straggler.json, on rank 0; None elsewhere, and if a signal ended it. Collective.

    For each m from 1 to all ranks, as peers: rounds without delays tell what the map takes, then rounds with delays tell how much
    longer the slowest worker takes, which is held against the theory.

    Args:
        problem: whose rows are mapped, as many rounds as its settings say.
        mean: of the delays, seconds.
        ballot: asks whether a signal came.
    """
    with Teams(problem.comm) as teams:
        rows = []
        for workers in steps("team", range(1, problem.comm.size + 1), watched(problem)):
            rows.append(teams.do(workers, partial(_delayed, problem, mean, ballot)))
            if anyone(problem.comm, ballot()[1]):
                return None
    if problem.comm.rank:
        return None
    return envelope("straggler", problem.nodes, rows, data=described(problem))


def _delayed(problem: Problem, mean: float, ballot: Ballot, team: MPI.Intracomm) -> dict[str, Any]:
    plain, late = (
        _computed(problem.on(team, **AMONG_PEERS, tol=0.0, delay=delay, fail_slow=""), ballot)
        for delay in ("", f"exponential:{mean!r}")
    )
    if team.rank:
        return {}
    slowest = (late[0] - np.median(plain[0])).max(axis=0)
    return {
        "workers": team.size,
        "mean": mean,
        "rounds": len(slowest),
        "measured_maximum": float(slowest.mean()),
        "theory": harmonic(team.size) * mean,
        "seconds_per_round": late[1],
    }


def _computed(problem: Problem, ballot: Ballot) -> tuple[Vector, float]:
    """Seconds that each worker took to map in each round (workers, rounds), and those of a round; on rank 0."""
    topology = choose_mode(problem)
    shard = load_rows(problem, topology)
    setup = take_moments(problem, topology, shard, ballot)
    costs = descend(problem, topology, shard, setup, ballot, lambda *_: None, keep=problem.settings.rounds + 1).costs
    if not costs.recent:
        return np.zeros((1, 1)), 0.0
    return split(np.concatenate(costs.recent, axis=1))[:, :, COMPUTE], sum(costs.mean().values())
