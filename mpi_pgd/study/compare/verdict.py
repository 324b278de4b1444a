"""Which mode wins, by how much, and why; and where nothing can be told, that. Pure, from the rows of ``compare``."""

from collections.abc import Mapping, Sequence
from typing import Any

from mpi_pgd.modes import MODES
from mpi_pgd.report import units
from mpi_pgd.study.trust import UNRELIABLE
from mpi_pgd.study.worth import beaten_by

OTHERS = ("wire", "update", "input")  # parts of a round beside the map and the wait for the slowest
SLOWEST = "the map of the slowest rank"
Row = Mapping[str, Any]


def judge(rows: Sequence[Row], alone: Sequence[Row], doubts: Sequence[str]) -> dict[str, Any]:
    """What compare.json holds of it: "verdict" in words, and the "winner", null where the quartiles of two modes overlap.

    Args:
        rows: as measured.
        alone: the one rank, and the one with threads, as far as they were measured.
        doubts: what makes the whole comparison unreliable.
    """
    by_mode = {mode: some for mode in MODES if (some := [one for one in rows if one["mode"] == mode])}
    if len(by_mode) < 2:
        return {"verdict": _nothing(rows), "winner": None}
    bests = [min(some, key=lambda one: one["seconds_per_round"]) for some in by_mode.values()]
    best, other = sorted(bests, key=lambda one: one["seconds_per_round"])[:2]
    told = [f"{one['mode']} ({one['algorithm']}, {units.seconds(one['seconds_per_round'])} a round)" for one in (best, other)]
    doubted = UNRELIABLE if doubts or best.get("doubt") or other.get("doubt") else ""
    if best["high"] >= other["low"]:
        words, winner = f"no mode wins: {told[0]} and {told[1]} differ by less than the turns of one of them do", None
    else:
        times = other["seconds_per_round"] / best["seconds_per_round"]
        words = f"{told[0]} wins: it is {times:.2f} times as fast as {told[1]}; {_cause(best, other)}"
        winner = {"mode": best["mode"], "algorithm": best["algorithm"], "reliable": not doubted}
    beaten = beaten_by(alone, best)
    return {"verdict": f"{doubted}{words}" + (f"; but {beaten}" if beaten else ""), "winner": winner}


def _nothing(rows: Sequence[Row]) -> str:
    if rows[0]["ranks"] > 1:
        return f"there is nothing to compare, as {rows[0]['mode']} alone had a turn"
    return "one rank sends nothing, so the modes are the same: start more ranks with mpirun -n"


def _cause(best: Row, other: Row) -> str:
    """The part that makes up most of the difference, if one does; computing and waiting are what the slowest rank computes."""
    here, there = ({SLOWEST: one["compute"] + one["wait"]} | {part: one[part] for part in OTHERS} for one in (best, other))
    part = max(here, key=lambda name: there[name] - here[name])
    if there[part] - here[part] <= (other["seconds_per_round"] - best["seconds_per_round"]) / 2:
        return "no part of the round alone makes up most of the difference"
    words = f"most of the difference is {part}, {units.seconds(here[part])} in place of {units.seconds(there[part])}"
    if part == SLOWEST and best["workers"] > other["workers"]:
        words += f", as {best['workers']} ranks share the rows in place of {other['workers']} (a server holds none)"
    return words
