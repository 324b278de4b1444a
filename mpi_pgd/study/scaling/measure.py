"""The speedup curve: the first m ranks for m = 1, 2, 4 ... N, strong and weak, all modes, and the honest baselines beside it."""

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

from mpi_pgd.engine.loop import StopFlags
from mpi_pgd.errors import InputError
from mpi_pgd.modes import ALIKE, MODES, differing
from mpi_pgd.session.inspect import Problem
from mpi_pgd.study import baselines
from mpi_pgd.study.compare.measure import around, predicted
from mpi_pgd.study.model import Model
from mpi_pgd.study.scaling.limits import conclusions
from mpi_pgd.study.trust import disturbed, doubted, few, unsteady
from mpi_pgd.study.turns import Contestant, Race, alone, baseline, described, others_work, row
from mpi_pgd.study.worth import judged


def counts(size: int, given: Sequence[int] = ()) -> list[int]:
    """The numbers of ranks: 1, 2, 4 ... and all, or those given. Raises InputError: more ranks than there are."""
    for ranks in given:
        if not 1 <= ranks <= size:
            raise InputError(f"scaling was asked for {ranks} ranks: expected 1 to {size}, the ranks that mpirun started")
    return sorted(set(given)) or sorted({1 << bit for bit in range(size.bit_length())} | {1, size})


def sharing(size: int, given: int) -> int:
    """How many ranks would share the whole table in weak scaling: those given, or all (0).

    Raises InputError: fewer than there are; their rows would be more than the table has.
    """
    if 0 < given < size:
        raise InputError(f"scaling was given --largest {given}: expected at least {size}, the ranks that mpirun started")
    return given or size


def scaling(
    problem: Problem, repeats: int, flags: StopFlags, algorithms: Sequence[str], ranks: Sequence[int], largest: int
) -> dict[str, Any] | None:
    """What is particular to scaling.json, on rank 0; None elsewhere, and if a signal came before there was anything. Collective.

    Args:
        problem: its ``comm`` has all ranks, its rows are those of strong scaling.
        repeats: turns of each contestant.
        flags: asks whether a signal came.
        algorithms: each is tried in the modes that have it.
        ranks, largest: see ``counts`` and ``sharing``.
    """
    comm = problem.comm
    strong, weak = (_contestants(problem, algorithms, ranks, most) for most in (0, largest))
    one = alone(problem)
    measured = around(problem, ranks)  # first: it is there, whenever a signal ends the turns
    others, race = others_work(problem), Race(problem, flags)

    def raced(each: Contestant) -> Contestant:
        """One rank sends nothing: with the same rows it is the same in every mode, and all its turns are the one baseline's."""
        return one if (each.ranks, each.rows) == (one.ranks, one.rows) else each

    turns = race.run([one, *(raced(each) for each in dict.fromkeys([*strong, *weak]) if each != one)], repeats)
    seen = others()
    beside = [] if race.stopped else baselines.measure(problem, one.rows, repeats, closed=True)
    strong, weak = ([each for each in some if turns[raced(each)]] for some in (strong, weak))
    if comm.rank or not strong:
        return None
    first = baseline(one, turns[one], problem.rows)
    model, rows = Model.from_record(measured), []
    for kind, some in (("strong", strong), ("weak", weak)):
        found = [{**row(each, turns[raced(each)]), "rows": each.rows, "scaling": kind} for each in some]
        rows += judged(predicted(found, problem, model, first["compute"] / problem.rows), first, problem.rows)
    nodes, cores = problem.nodes, os.cpu_count() or 1
    rows = doubted(rows, measured, nodes, cores)
    doubts = [*disturbed(seen), *unsteady(measured["compute"]), *few(min(len(turns[raced(each)]) for each in strong))]
    return {
        "rows": rows,
        "data": {**described(problem), "blocks": problem.partition.blocks},
        "rounds": problem.settings.rounds,
        "repeats": repeats,
        "sums": problem.settings.sums,
        "largest": largest,
        "baselines": [first, *beside],
        "stopped": race.stopped,
        "notes": [race.stopped] * bool(race.stopped),
        **conclusions(rows, Counter(nodes), cores, [first, *beside], doubts),
        "doubts": doubts,
        "machines": seen,
    }


def _contestants(problem: Problem, algorithms: Sequence[str], ranks: Sequence[int], largest: int) -> list[Contestant]:
    """With weak scaling each worker holds as many rows as if ``largest`` ranks shared the table; 0 is strong scaling."""
    found = []
    ways = [way for way in ALIKE if way[1] in algorithms]
    for mode, name in differing(ways, problem.nodes, problem.settings.ranks_per_node):
        workers = MODES[mode].workers
        for count in ranks:
            rows = problem.rows * workers(count) // workers(largest) if largest else problem.rows
            found.append(Contestant(mode, name, count, max(1, rows)))
    return found
