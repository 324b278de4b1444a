"""The pictures of a plan: the time of a round, and the speedup, over the number of workers."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from mpi_pgd.report import units
from mpi_pgd.report.axes import key, logarithmic, name, numbers_axis, style
from mpi_pgd.report.shapes import Record
from mpi_pgd.report.theme import LIGHT, Picture, legend, panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plan(study: str, rows: Sequence[Record]) -> list[Picture]:
    """Those of the study of this name. The shortest round has a ring; the speedup is drawn where the rows tell their efficiency."""
    if not rows:
        return []
    best = min(rows, key=pace_of)
    who, pace = name(key(best)), units.seconds(pace_of(best))
    spoken = f"{who} with {units.count(best['workers'], 'worker')}, {pace} a round"
    more = any(row.get("times", 1.0) > 1.0 for row in rows)
    counted = " Where more rounds are needed than with sums over all rows, it is as many times as long." if more else ""
    crossed = f"Dotted lines: where the modes cross over.{counted}"
    made = Picture(
        study,
        "Time of a round over the number of workers",
        f"Predicted by the cost model; the ring marks the shortest round: {spoken}. {crossed}",
        f"Predicted seconds a round for each mode and algorithm; the shortest is {spoken}.",
        lambda figure, narrow: _times(figure, rows, best, narrow),
        (430, 430),
        "predicted",
    )
    return [made, *_speedup(f"{study}-speedup", [row for row in rows if row.get("efficiency")])]


def pace_of(row: Record) -> float:
    """Seconds of a round, and of those that are needed beside it."""
    return float(row["seconds_per_round"] * (row.get("times") or 1.0))


def _speedup(called: str, rows: Sequence[Record]) -> list[Picture]:
    if len({row["workers"] for row in rows}) < 2:
        return []
    best = max(rows, key=_times_as_fast)
    worth = f"{best['efficiency']:.0%}".replace("%", " %")
    found = f"Predicted: at most {_times_as_fast(best):,.3g} times as fast as one rank, by {name(key(best))} with "
    found += f"{units.count(best['workers'], 'worker')}, each rank worth {worth} of it"
    caption = (
        "Predicted by the cost model: how many times as fast as one rank alone; on the dotted line m workers are m times as fast."
    )
    return [
        Picture(
            called,
            "Speedup over the number of workers",
            caption,
            f"Predicted speedup for each mode and algorithm. {found}.",
            lambda figure, narrow: _ratios(figure, rows, narrow),
            (430, 430),
            "predicted",
            found,
        )
    ]


def _times_as_fast(row: Record) -> float:
    """Efficiency is for each rank, a server's too."""
    return float(row["efficiency"] * (row.get("ranks") or row["workers"]))


def _ratios(figure: "Figure", rows: Sequence[Record], narrow: bool) -> None:
    axes = panels(figure, 1, narrow)[0]
    every, series = [row["workers"] for row in rows], list(dict.fromkeys(map(key, rows)))
    for which in series:
        mine = sorted((row for row in rows if key(row) == which), key=lambda row: int(row["workers"]))
        points = [row["workers"] for row in mine], [_times_as_fast(row) for row in mine]
        axes.plot(*points, **style(which) | {"markevery": max(1, len(mine) // 12)})
    axes.plot([min(every), max(every)], [min(every), max(every)], color=LIGHT["muted"], linestyle=":", linewidth=1.4)
    numbers_axis(axes, every)
    logarithmic(axes, "y", [*map(_times_as_fast, rows), min(every), max(every)], "{:,g}".format, 7, 2)
    axes.set_ylabel("speedup")
    legend(figure, zip(axes.lines, [*map(name, series), "ideal, m"], strict=True), narrow)


def _times(figure: "Figure", rows: Sequence[Record], best: Record, narrow: bool) -> None:
    axes = panels(figure, 1, narrow)[0]
    series = list(dict.fromkeys(map(key, rows)))
    for which in series:
        mine = sorted((row for row in rows if key(row) == which), key=lambda row: int(row["workers"]))
        every = max(1, len(mine) // 12)
        points = [[row["workers"] for row in mine], [pace_of(row) for row in mine]]
        axes.plot(*points, **style(which) | {"markevery": every})
    marks = list(zip(axes.lines, map(name, series), strict=True))
    for place in crossings(rows):
        axes.axvline(place, color=LIGHT["muted"], linewidth=1, linestyle=":")
    axes.plot(best["workers"], pace_of(best), "o", ms=15, mfc="none", mec=LIGHT["text"], mew=1.4)  # a ring
    numbers_axis(axes, [row["workers"] for row in rows])
    logarithmic(axes, "y", [pace_of(row) for row in rows], lambda value: units.tick(value, units.TIME), 7)
    axes.set_ylabel("a round")
    legend(figure, marks, narrow)


def crossings(rows: Sequence[Record]) -> list[float]:
    """Where the better mode changes: half-way (in the logarithm) between two numbers of workers. A tie decides nothing.

    Only numbers of workers at which all series are known count: a plan may have further rows, at the best of one series.
    """
    series = len(set(map(key, rows)))
    decided = []
    for workers in sorted({row["workers"] for row in rows}):
        here = [row for row in rows if row["workers"] == workers]
        best = {mode: min(pace_of(row) for row in here if row["mode"] == mode) for mode in {row["mode"] for row in here}}
        ranking = sorted(best, key=best.__getitem__)
        if len(here) == series and len(best) > 1 and best[ranking[1]] > best[ranking[0]] * (1 + 1e-9):
            decided.append((workers, ranking[0]))
    return [math.sqrt(low * high) for (low, one), (high, other) in pairwise(decided) if one != other]
