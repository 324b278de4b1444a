"""What ranks bring, by one yardstick: speedup over the one rank, with its interval, efficiency, and the serial fraction. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from mpi_pgd.report import units
from mpi_pgd.report.shapes import PARTS


def judged(rows: Iterable[Mapping[str, Any]], first: Mapping[str, Any], total: int) -> list[dict[str, Any]]:
    """The rows with what they are worth beside ``first``, the one rank with all ``total`` rows of the data.

    Whatever the mode, the baseline is the same, and its spread is in every interval: the lower end is the baseline's lower quartile
    over the row's upper one. A row of other data ("rows") is held against so many times the seconds of the one rank.
    """
    return [{**one, **_worth(one, first, one.get("rows", total) / total)} for one in rows]


def _worth(one: Mapping[str, Any], first: Mapping[str, Any], share: float) -> dict[str, float | None]:
    speedup = share * first["seconds_per_round"] / one["seconds_per_round"]
    return {
        "speedup": speedup,
        "speedup_low": share * first["low"] / one["high"],
        "speedup_high": share * first["high"] / one["low"],
        "efficiency": speedup / one["ranks"],
        "efficiency_workers": speedup / one["workers"],
        "karp_flatt": karp_flatt(speedup, one["workers"]),
    }


def karp_flatt(speedup: float, workers: int) -> float | None:
    """The serial fraction that the speedup of so many workers shows: (1/S - 1/m) / (1 - 1/m).

    None for one, and where they are slower than one: no serial fraction makes a program slower, so it is not what Amdahl's law is
    about. A server is no worker: that it holds no rows is no serial work.

    (A. H. Karp and H. P. Flatt, "Measuring Parallel Processor Performance", Communications of the ACM 33, 1990.)
    """
    return (1 / speedup - 1 / workers) / (1 - 1 / workers) if workers > 1 and speedup >= 1 else None


def alone(baselines: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those that are rounds of one process, with quartiles and parts; the closed form is none, and earlier records have none."""
    needed = ("threads", "seconds_per_round", "low", "high", *PARTS)
    return [one for one in baselines if all(one.get(key) is not None for key in needed)]


def beaten_by(processes: Iterable[Mapping[str, Any]], one: Mapping[str, Any]) -> str:
    """Which of the baselines are faster than a row for certain, as their quartiles do not overlap, in words; or nothing."""
    faster = [each for each in processes if each["high"] < one["low"]]
    names = " and ".join(f"{called(each)} ({units.seconds(each['seconds_per_round'])} a round)" for each in faster)
    return f"{names} {'is' if len(faster) == 1 else 'are'} faster" if faster else ""


def called(process: Mapping[str, Any]) -> str:
    """A baseline in a sentence."""
    return f"one rank with {process['threads']:,} threads" if process["threads"] > 1 else "one rank alone"


def outperforming(process: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> int | None:
    """The fewest ranks that are faster than this baseline, for certain; None if none are.

    (The COST of a system: F. McSherry, M. Isard, D. G. Murray, "Scalability! But at what COST?", HotOS 2015.)
    """
    return min((one["ranks"] for one in rows if one["high"] < process["low"]), default=None)
