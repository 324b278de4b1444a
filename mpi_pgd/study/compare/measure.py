"""Which mode is better for this problem on this cluster: every mode and algorithm, turn by turn, to the same bits."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from mpi_pgd.engine.loop import StopFlags
from mpi_pgd.modes import ALIKE, MODES, differing
from mpi_pgd.observers.delay import parse
from mpi_pgd.session.inspect import Problem
from mpi_pgd.study import baselines
from mpi_pgd.study.compare.verdict import judge
from mpi_pgd.study.model import Model, sizes
from mpi_pgd.study.network import measure as network
from mpi_pgd.study.network.compute import Size
from mpi_pgd.study.trust import disturbed, doubted, few, unsteady
from mpi_pgd.study.turns import Contestant, Race, alone, baseline, crowded, described, others_work, row, watched
from mpi_pgd.study.worth import judged

CROWDED = "ranks outnumber cores here, which the cost model knows nothing of: don't trust its predictions"


def compare(problem: Problem, repeats: int, flags: StopFlags) -> dict[str, Any] | None:
    """What is particular to compare.json, on rank 0; None elsewhere, and if a signal came before there was anything. Collective.

    Raises InputError: the rows don't fit into the memory, or the fit diverges.
    """
    comm = problem.comm
    one = alone(problem)
    calm = one._replace(delayed=not problem.settings.delay)  # what the map takes by itself
    ways = differing(ALIKE, problem.nodes, problem.settings.ranks_per_node)
    everyone = [Contestant(*way, comm.size, problem.rows) for way in ways]
    contestants = everyone if comm.size > 1 else everyone[:1]
    measured = around(problem, [comm.size])  # first: it is there, whenever a signal ends the turns
    others, race = others_work(problem), Race(problem, flags)
    turns = race.run([*dict.fromkeys((one, calm)), *contestants], repeats)
    seen, found = others(), [row(each, turns[each]) for each in contestants if turns[each]]
    threads = [] if race.stopped or problem.settings.delay else baselines.measure(problem, one.rows, repeats)
    if comm.rank or not found:
        return None
    first, rate = baseline(one, turns[one], problem.rows), baseline(calm, turns[calm], problem.rows)["compute"] / problem.rows
    rows = judged(predicted(found, problem, Model.from_record(measured), rate), first, problem.rows)
    rows = doubted(rows, measured, problem.nodes, os.cpu_count() or 1)
    turned = min(len(turns[each]) for each in contestants if turns[each])
    doubts = [*disturbed(seen), *unsteady(measured["compute"]), *few(turned)]
    return {
        "rows": rows,
        "data": {**described(problem), "blocks": problem.partition.blocks},
        "rounds": problem.settings.rounds,
        "repeats": repeats,
        "baseline": first,
        "baselines": [first, *threads],
        **judge(rows, [first, *threads], doubts),
        "doubts": doubts,
        "machines": seen,
        "stopped": race.stopped,
        "notes": [CROWDED] * crowded(problem) + [race.stopped] * bool(race.stopped),
    }


def around(problem: Problem, ranks: Sequence[int]) -> dict[str, Any]:
    """A quick look at the network: the messages of this problem's rounds, each number of ranks, then some others. Collective."""
    own = sizes(problem.table.features, problem.settings.folding(problem.table.features + 2))
    every, maps, per_node = sorted({8, *own}), shares(problem, ranks), problem.settings.ranks_per_node
    shown = watched(problem)
    return network.measure(problem.comm, every, quick=True, shown=shown, own=own, maps=maps, ranks=ranks, per_node=per_node)


def shares(problem: Problem, ranks: Sequence[int]) -> list[Size]:
    """What a rank maps in rounds of all these, and alone: the smallest share and the whole."""
    features, partition = problem.table.features, problem.partition
    rows = min(problem.rows, partition.most(max(ranks)) * partition.block_rows)
    return [Size(features, some * 8 * (features + 1)) for some in sorted({rows, problem.rows})]


def predicted(found: Sequence[Mapping[str, Any]], problem: Problem, model: Model, rate: float) -> list[dict[str, Any]]:
    """Rows with what the cost model makes of the network and of one rank's map (``rate``, seconds a row) and, if any, of --delay.

    The slowest of a delayed round is that of the delays: what the machine's own jitter adds is small beside it.
    """
    chosen, features = problem.settings, problem.table.features
    delays = parse(chosen.delay, "")
    guessed = []
    for one in found:
        mode, ranks, wait = one["mode"], one["ranks"], 0.0 if delays else None
        folds, rows = chosen.folding(features + 2), one.get("rows", problem.rows)
        guess = model.round(mode, one["algorithm"], ranks, rows, features, folds, wait=wait, seconds_per_row=rate)
        first = MODES[mode].first_worker(ranks)
        late = sum(delay.longest(one["workers"], first, chosen.rounds + 1, guess.compute) for delay in delays)
        ends = {"predicted_low": guess.low + late, "predicted_high": guess.high + late}
        guessed.append({**one, "predicted_seconds_per_round": guess.total + late, **ends})
    return guessed
