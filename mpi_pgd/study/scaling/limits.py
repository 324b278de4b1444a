"""What a speedup curve comes to: its best point, and what limits it. Pure, from the rows of ``scaling``."""

from collections.abc import Mapping, Sequence
from typing import Any

from mpi_pgd.report import units
from mpi_pgd.study.trust import UNRELIABLE
from mpi_pgd.study.worth import alone, beaten_by, called, outperforming

GROWN = 1.25  # times the processor's seconds of one rank: then the map itself has become dearer
SHARE = 0.2  # of the round


def conclusions(
    rows: Sequence[Mapping[str, Any]],
    nodes: Mapping[str, int],
    cores: int,
    baselines: Sequence[Mapping[str, Any]] = (),
    doubts: Sequence[str] = (),
) -> dict[str, Any]:
    """``best`` and ``findings`` of the rows of a study, with at least one of strong scaling, on ``nodes`` of so many ranks each.

    ``baselines``: what one process does; ``doubts``: what makes all of it unreliable.
    """
    strong = [one for one in rows if one["scaling"] == "strong"]
    best = min(strong, key=lambda one: one["seconds_per_round"])
    found = _findings(strong, best, nodes, cores, alone(baselines))
    unreliable = UNRELIABLE if doubts or best.get("doubt") else ""
    return {
        "best": {key: best[key] for key in ("mode", "algorithm", "ranks", "speedup")},
        "findings": [f"{unreliable}{found[0]}", *found[1:]],
    }


def _findings(
    strong: Sequence[Mapping[str, Any]],
    best: Mapping[str, Any],
    nodes: Mapping[str, int],
    cores: int,
    processes: Sequence[Mapping[str, Any]],
) -> list[str]:
    beaten = beaten_by(processes, best)
    found = [
        f"the best number of ranks for this problem is {best['ranks']}: {best['mode']} ({best['algorithm']}), "
        f"{units.seconds(best['seconds_per_round'])} a round, speedup {best['speedup']:.2f}"
        + (f"; but {beaten}" if beaten else ""),
        *_costs(strong, processes),
    ]
    crowded = {node: ranks for node, ranks in nodes.items() if ranks > cores}
    if crowded:
        node, ranks = next(iter(crowded.items()))
        found.append(
            f"ranks outnumber cores: {ranks} on the {cores} of node {node}; with more than {cores} ranks there they take turns, "
            f"and nothing is gained; the predictions for them know nothing of it"
        )
    fitting = [one for one in strong if one["ranks"] > 1 and one["ranks"] <= cores * len(nodes)]
    if fitting:
        found += _limit(strong, max(fitting, key=lambda one: (one["ranks"], -one["seconds_per_round"])))
    return found


def _costs(strong: Sequence[Mapping[str, Any]], processes: Sequence[Mapping[str, Any]]) -> list[str]:
    """How many ranks it takes to beat what one process does; nothing of threads that are slower than none."""
    most, found = max(one["ranks"] for one in strong), []
    for each in processes if most > 1 else ():
        fewest, who = outperforming(each, strong), f"{called(each)} ({units.seconds(each['seconds_per_round'])} a round)"
        if fewest != 1:
            found.append(f"it takes {fewest} ranks to beat {who}" if fewest else f"no number of ranks up to {most} beats {who}")
    return found


def _limit(strong: Sequence[Mapping[str, Any]], most: Mapping[str, Any]) -> list[str]:
    """Memory bandwidth or the network, at the largest number of ranks that have a core each."""
    alone = next((one for one in strong if one["ranks"] == 1), None)
    whole = most["seconds_per_round"]
    found = []
    if alone:
        grown = most["compute"] * most["ranks"] / alone["compute"]
        if grown > GROWN and most["compute"] > most["wire"] + most["wait"]:
            found.append(
                f"memory bandwidth, not the network, is the limit: the map takes {grown:.2f} times the processor time of one rank "
                f"when {most['ranks']} ranks read their rows at once"
            )
    who = f"{most['ranks']} ranks ({most['mode']}, {most['algorithm']})"
    for part, words in (("wire", "the network"), ("wait", "waiting for the slowest rank")):
        if most[part] > SHARE * whole:
            found.append(f"{words} takes {most[part] / whole:.0%} of a round of {who}")
    return found
