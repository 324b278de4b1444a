"""How efficient the ranks are in the words of HPC centres (POP), from the parts of a round on each rank.

    parallel = load balance * communication        communication = serialisation * transfer

With C the useful seconds of each rank (it maps, reads, and updates if it does), T those of a round, and I those that a round would
have on a network that takes no time, so all but the wire:

    load balance = mean C / max C      serialisation = max C / I      transfer = I / T

A server's C is its update, so that it holds no rows is load imbalance. Serialisation is what ranks lose that are slow in turn, in
some rounds each, and where all wait for the server's update. All are at most 1 but for the noise of the clock.

(The metrics of the Performance Optimisation and Productivity centre of excellence, https://co-design.pop-coe.eu/metrics; C. Rosas,
J. Gimenez, J. Labarta, "Scalability prediction for fundamental performance factors", Supercomputing Frontiers and Innovations 1,
2014.)
"""

from collections.abc import Sequence
from statistics import fmean

from mpi_pgd.report.shapes import PARTS, Record, fields

NAMES = ("parallel", "load_balance", "communication", "serialisation", "transfer")
SHAPE = fields(number=" ".join(f"{name}_efficiency?" for name in NAMES))


def efficiencies(ranks: Sequence[Record]) -> dict[str, float | None]:
    """By NAME_efficiency; None where nothing is known to have taken time.

    Args:
        ranks: of each the seconds of its parts, and a "slowdown" that is None if it holds no rows: then it updates for all.
    """
    serving = any(one.get("slowdown") is None for one in ranks)
    useful = [one["compute"] + one["input"] + one["update"] * (not serving or one.get("slowdown") is None) for one in ranks]
    whole = fmean(sum(one[part] for part in PARTS) for one in ranks)
    ideal = whole - fmean(one["wire"] for one in ranks)
    most, mean = max(useful), fmean(useful)
    shares = ((mean, whole), (mean, most), (most, whole), (most, ideal), (ideal, whole))
    return {f"{name}_efficiency": part / of if of > 0 else None for name, (part, of) in zip(NAMES, shares, strict=True)}


def sentence(found: Record) -> str | None:
    """All of them as products; None where they are not known."""
    values = [found.get(f"{name}_efficiency") for name in NAMES]
    if None in values:
        return None
    parallel, balance, communication, serialisation, transfer = (f"{value:.0%}" for value in values if value is not None)
    inner = f"serialisation {serialisation} x transfer {transfer}"
    return f"parallel {parallel} = load balance {balance} x communication {communication} ({inner})"
