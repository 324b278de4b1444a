"""The speedup curve: the first m ranks for m = 1, 2, 4 ... N, strong and weak, both modes, and the honest baselines beside it."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mpi_pgd.engine.loop import StopFlags
from mpi_pgd.errors import InputError
from mpi_pgd.modes import MODES, WAYS
from mpi_pgd.session.inspect import Problem
from mpi_pgd.study.compare.measure import around, predicted
from mpi_pgd.study.model import Model
from mpi_pgd.study.scaling import baselines
from mpi_pgd.study.scaling.limits import conclusions
from mpi_pgd.study.turns import Contestant, Race, alone, baseline, described, row


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
    measured = around(problem)  # first: it is there, whenever a signal ends the turns
    race = Race(problem, flags)
    turns = race.run(list(dict.fromkeys([one, *strong, *weak])), repeats)
    beside = [] if race.stopped else baselines.measure(problem, repeats)
    strong, weak = ([each for each in some if turns[each]] for some in (strong, weak))
    if comm.rank or not strong:
        return None
    first = baseline(one, turns[one], problem.rows)
    model, rows = Model.from_record(measured), []
    for kind, some in (("strong", strong), ("weak", weak)):
        found = predicted([{**row(one, turns[one]), "rows": one.rows} for one in some], problem, model, first)
        rows += [one | {"scaling": kind} for one in _judged(found, {**first, "rows": problem.rows})]
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
        **conclusions(rows, Counter(problem.nodes), os.cpu_count() or 1),
    }


def _contestants(problem: Problem, algorithms: Sequence[str], ranks: Sequence[int], largest: int) -> list[Contestant]:
    """With weak scaling each worker holds as many rows as if ``largest`` ranks shared the table; 0 is strong scaling."""
    found = []
    for mode, name in [way for way in WAYS if way[1] in algorithms]:
        workers = MODES[mode].workers
        for count in ranks:
            rows = problem.rows * workers(count) // workers(largest) if largest else problem.rows
            found.append(Contestant(mode, name, count, max(1, rows)))
    return found


def _judged(rows: Sequence[Mapping[str, Any]], first: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Rows with speedup, efficiency and Karp-Flatt. Weak: so many times the rows of one rank, over so many times its seconds."""
    ones = {(one["mode"], one["algorithm"]): one for one in rows if one["ranks"] == 1}
    for one in rows:
        base, ranks = ones.get((one["mode"], one["algorithm"]), first), one["ranks"]
        speedup = one["rows"] / base["rows"] * base["seconds_per_round"] / one["seconds_per_round"]
        yield {**one, "speedup": speedup, "efficiency": speedup / ranks, "karp_flatt": karp_flatt(speedup, ranks)}


def karp_flatt(speedup: float, ranks: int) -> float | None:
    """The serial fraction that the speedup on so many ranks shows: (1/S - 1/m) / (1 - 1/m); None for one.

    (A. H. Karp and H. P. Flatt, "Measuring Parallel Processor Performance", Communications of the ACM 33, 1990.)
    """
    return (1 / speedup - 1 / ranks) / (1 - 1 / ranks) if ranks > 1 else None
