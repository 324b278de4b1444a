"""What makes figures doubtful, in sentences: a machine that did other things, turns that differ, a model that does not fit. Pure.

``system.load`` watches the processors; what it saw, and what else is known of a study, is judged here. What rests on it is marked.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mpi_pgd.report import units

UNRELIABLE = "unreliable: "
BUSY = 0.1  # of the cores: other programs that take more, beside what our ranks leave free, take it from them
STOLEN = 0.05  # of the time of the cores
JITTER = 0.2  # of a pass over rows
SPREAD = 0.2  # of a round, between the quartiles of its turns
FEW = 3  # turns: fewer have no quartiles to speak of
RESIDUAL = 0.2  # root mean square, of the fit that a prediction rests on
THEORY = 0.3  # of the measured round


def disturbed(seen: Iterable[Mapping[str, Any]]) -> list[str]:
    """What other programs and the hypervisor took, of each machine as ``load.between`` saw it."""
    found = []
    for one in seen:
        free = max(0, one["cores"] - one["ranks"])
        if one["others"] > free + BUSY * one["cores"]:
            found.append(
                f"other programs kept {one['others']:.1f} of the {units.count(one['cores'], 'core')} of node {one['nodes']} busy "
                f"meanwhile, with {units.count(one['ranks'], 'rank')} there"
            )
        if one["stolen"] > STOLEN:
            found.append(f"the hypervisor gave {one['stolen']:.0%} of the time of node {one['nodes']} to other machines (steal)")
    return found


def unsteady(compute: Mapping[str, Any]) -> list[str]:
    """Whether equal passes over rows took unequal times, by what ``network.compute`` measured."""
    jitter, length = compute.get("jitter_seconds", 0.0), compute.get("pass_seconds", 0.0)
    if jitter <= JITTER * length:
        return []
    took, late = units.seconds(length), units.seconds(jitter)
    return [f"the machine is unsteady: a pass over rows that takes {took} is late by {late} in the mean"]


def few(repeats: int) -> list[str]:
    """Whether there were too few turns to know how much they differ."""
    return [f"{units.count(repeats, 'turn')} of each tells little of how much turns differ: take more --repeats"] * (repeats < FEW)


def doubted(rows: Iterable[Mapping[str, Any]], record: Mapping[str, Any], nodes: Sequence[str], cores: int) -> list[dict[str, Any]]:
    """The rows with "doubt", of what was measured, and "predicted_doubt"; None where there is none.

    Args:
        rows: measured and predicted.
        record: of the network, whose fits the predictions rest on.
        nodes: of all ranks, of which a row's are the first.
        cores: of a node.
    """
    worst = sorted(record["fits"], key=lambda one: float(one["rms_residual"]))  # of a library's pieces, that of the worse
    fits = {(one["mode"], one["algorithm"]): one["rms_residual"] for one in worst}
    found = []
    for one in rows:
        here = nodes[: one["ranks"]]
        crowd = ["ranks outnumber cores"] * (max(map(here.count, here)) > cores)
        spread = (one["high"] - one["low"]) / one["seconds_per_round"]
        off = one["predicted_seconds_per_round"] / one["seconds_per_round"] - 1
        residual = fits.get((one["mode"], one["algorithm"]), 0.0) if one["ranks"] > 1 else 0.0
        measured = [*crowd, *[f"turns differ by {spread:.0%}"] * (spread > SPREAD)]
        predicted = [*crowd, *[f"the fit is off by {residual:.0%}"] * (residual > RESIDUAL)]
        predicted += [f"the prediction is off by {off:+.0%}"] * (abs(off) > THEORY)
        found.append({**one, "doubt": ", ".join(measured) or None, "predicted_doubt": ", ".join(predicted) or None})
    return found
