"""The pictures of a speedup curve."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from mpi_pgd.report import units
from mpi_pgd.report.axes import Key, key, logarithmic, name, numbers_axis, parts_legend, stack, style, timed
from mpi_pgd.report.kinds import label
from mpi_pgd.report.shapes import PARTS, Record
from mpi_pgd.report.theme import LIGHT, Picture, legend, panels
from mpi_pgd.study.rounds import predictions
from mpi_pgd.study.worth import alone, called

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_IDEAL: dict[str, Any] = {"color": LIGHT["muted"], "linestyle": ":", "linewidth": 1.4}
_SERVED: dict[str, Any] = {"color": LIGHT["muted"], "linestyle": (0, (1, 3)), "linewidth": 1.4}
_ALONE: dict[str, Any] = {"color": LIGHT["hatch"], "linewidth": 1.2}
_THREADS: dict[str, Any] = {"color": LIGHT["text"], "linestyle": "-.", "linewidth": 1.2}
SMOOTH = 16  # ranks up to which the line of m - 1 has a point each


def scaling(record: Record) -> list[Picture]:
    """Speedup with the ideal line, what a round is made of at each number of workers, predicted against measured."""
    rows, process = record["rows"], alone(record.get("baselines") or [])
    both = predictions(rows)
    kinds, series = _distinct(row["scaling"] for row in rows), _distinct(map(key, rows))
    count, alt = len(kinds) * len(series), "Seconds a round at each number of ranks: "
    spoken = "; ".join(f"{row['scaling']}, {name(key(row))}, {row['ranks']}: {_times(row)}" for row in rows if row["ranks"] > 1)
    caption = (
        "Measured (the bars span the quartiles of both rounds), and the ideal line, on which m ranks are m times as fast as one"
    )
    caption += "; with a server, which holds no rows, m \N{MINUS SIGN} 1 times." if any(map(_served, rows)) else "."
    caption += " Weak scaling has more rows with more ranks, and its speedup is per row." if "weak" in kinds else ""
    caption += " Dashed: predicted by the cost model." if both else ""
    return [
        Picture(
            "scaling-speedup",
            "Speedup over one rank",
            caption,
            f"Speedup against ranks. {spoken[:600]}",
            lambda figure, narrow: _speedups(figure, rows, process, kinds, narrow),
            (380, 90 + 280 * len(kinds)),
            label(record, bool(both)),
        ),
        Picture(
            "scaling-cost",
            "Where a round's time goes, at each number of ranks",
            "Seconds a round, mean over the ranks and rounds. In client-server mode one of two and more ranks is the server.",
            alt + "; ".join(f"{name(key(row))} at {row['ranks']}: {units.seconds(row['seconds_per_round'])}" for row in rows)[:600],
            lambda figure, narrow: _stacks(figure, rows, kinds, series, narrow),
            (80 + 230 * -(-count // 2), 90 + 220 * count),
            label(record),
        ),
        *([_against(both, label(record, True))] if len(both) > 1 else []),
    ]


def _distinct(values: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(values))


def _times(row: Record) -> str:
    return "no speedup known" if row.get("speedup") is None else f"{row['speedup']:.2f} times"


def _served(row: Record) -> bool:
    return bool(row["workers"] < row["ranks"])


def _level(process: Sequence[Record]) -> dict[str, tuple[float, dict[str, Any]]]:
    """What one process is worth: the heights of the lines across, and their looks, by name."""
    first = process[0]["seconds_per_round"] if process else 1.0
    found = [(one, first / one["seconds_per_round"]) for one in process if one["seconds_per_round"]]
    return {called(one): (height, _THREADS if one["threads"] > 1 else _ALONE) for one, height in found}


def _speedups(figure: "Figure", rows: Sequence[Record], process: Sequence[Record], kinds: Sequence[str], narrow: bool) -> None:
    from matplotlib.lines import Line2D

    most, levels, served = max(row["ranks"] for row in rows), _level(process), any(map(_served, rows))
    for axes, kind in zip(panels(figure, len(kinds), narrow), kinds, strict=True):
        mine = [row for row in rows if row["scaling"] == kind]
        every = [row["ranks"] for row in mine]
        axes.plot([min(every), most], [min(every), most], **_IDEAL)
        if served:
            places = sorted({rank for rank in (*range(SMOOTH), *every) if min(every) <= rank <= most})
            axes.plot(places, [max(1, rank - 1) for rank in places], **_SERVED)
        for height, look in levels.values():
            axes.axhline(height, **look)
        heights = [_speedup_line(axes, mine, which) for which in _distinct(map(key, mine))]
        axes.set_title(f"{kind} scaling")
        axes.set_ylabel("speedup")
        numbers_axis(axes, [*every, most], "ranks")
        if most > 16:
            spanned = [height for line in heights for height in line] + [height for height, _ in levels.values()]
            logarithmic(axes, "y", [1, most, *spanned], "{:g}".format, 7, 2)
        else:
            axes.set_ylim(0, None)
    looks = {name(which): style(which) for which in _distinct(map(key, rows))} | {"ideal, m": _IDEAL}
    looks |= ({"ideal, m \N{MINUS SIGN} 1": _SERVED} if served else {}) | {name: look for name, (_, look) in levels.items()}
    looks |= {"predicted": {"color": LIGHT["text"], "linestyle": "--", "linewidth": 1.2}} if predictions(rows) else {}
    legend(figure, [(Line2D([], [], **look), label) for label, look in looks.items()], narrow)


def _speedup_line(axes: "Axes", rows: Sequence[Record], which: Key) -> list[float]:
    """One series; the predicted speedup is over the same single rank as the measured one. Returns all heights."""
    mine = sorted((row for row in rows if key(row) == which and row.get("speedup") is not None), key=lambda row: int(row["ranks"]))
    points = [(row["ranks"], row["speedup"]) for row in mine]
    guesses = [(row["ranks"], row["speedup"] / (1 + row["error"])) for row in predictions(mine)]
    if guesses:
        axes.plot(*zip(*guesses, strict=True), **style(which, "--") | {"marker": "", "linewidth": 1.2})
    if points:
        axes.plot(*zip(*points, strict=True), **style(which))
    spans = [(row["ranks"], row["speedup_low"], row["speedup_high"]) for row in mine if row.get("speedup_low") is not None]
    if spans:
        axes.vlines(*zip(*spans, strict=True), color=style(which)["color"], linewidth=1.2)
    return [height for _, height in [*points, *guesses] if height]


def _stacks(figure: "Figure", rows: Sequence[Record], kinds: Sequence[str], series: Sequence[Key], narrow: bool) -> None:
    pairs = [(kind, which) for kind in kinds for which in series]
    top = max(sum(row[which] for which in PARTS) for row in rows) or 1.0
    for axes, (kind, which) in zip(panels(figure, len(pairs), narrow, sharey=True), pairs, strict=True):
        mine = sorted((row for row in rows if row["scaling"] == kind and key(row) == which), key=lambda row: int(row["ranks"]))
        stack(axes, mine, range(len(mine)), across=False)
        axes.set_title(f"{name(which)}, {kind}")
        axes.set_xticks(range(len(mine)), [f"{row['ranks']:,}" for row in mine])
        axes.set_xlim(-0.6, max(len(mine), 3) - 0.4)
        axes.tick_params(axis="x", length=0)
        axes.grid(visible=False, axis="x")
        axes.set_xlabel("ranks")
        timed(axes.yaxis, top, "a round")
    parts_legend(figure, rows, narrow)


def _against(rows: Sequence[Record], beside: str) -> Picture:
    worst = max(abs(row["error"]) for row in rows)
    return Picture(
        "scaling-predicted",
        "Predicted against measured",
        "Each point is one row of the table; on the line the prediction is exact, in the grey band it is within 15 %.",
        f"Predicted against measured seconds a round of {units.count(len(rows), 'row')}; the largest error is {worst:.1%}.",
        lambda figure, narrow: _scatter(figure, rows, narrow),
        (430, 380),
        beside,
    )


def _scatter(figure: "Figure", rows: Sequence[Record], narrow: bool) -> None:
    axes = panels(figure, 1, narrow)[0]
    every = [row[which] for row in rows for which in ("seconds_per_round", "predicted_seconds_per_round")]
    ends = [min(every) / 2, max(every) * 2]
    axes.fill_between(ends, [end * 0.85 for end in ends], [end * 1.15 for end in ends], color=LIGHT["line"], linewidth=0)
    axes.plot(ends, ends, color=LIGHT["muted"], linewidth=1.2)
    series = _distinct(map(key, rows))
    for which in series:
        mine = [row for row in rows if key(row) == which]
        points = [[row[side] for row in mine] for side in ("seconds_per_round", "predicted_seconds_per_round")]
        axes.plot(*points, **style(which, "none") | {"markersize": 8})
    for side in "xy":
        logarithmic(axes, side, every, lambda value: units.tick(value, units.TIME), 5 if narrow else 7)
    axes.set(xlabel="measured, a round", ylabel="predicted, a round")
    legend(figure, zip(axes.lines[1:], map(name, series), strict=True), narrow)
