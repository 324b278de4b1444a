"""The pictures of a run: how it converged, what each rank's rounds are made of, who was slow."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mpi_pgd.errors import printable
from mpi_pgd.model.coefficients import Coefficients
from mpi_pgd.report import evaluation_pictures, lost, units
from mpi_pgd.report.axes import listed, logarithmic, part, parts_legend, stack, timed
from mpi_pgd.report.export import MOST
from mpi_pgd.report.shapes import PARTS, Record
from mpi_pgd.report.theme import LIGHT, Picture, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BARS = 20  # coefficients
POINTS = 500  # of a curve: more than a screen shows

History = Mapping[str, Sequence[float]]


def run(record: Record, history: History, model: Coefficients | None = None) -> list[Picture]:
    """As far as the record goes: a run of one round has no curve, and one rank, or one worker, none to wait for."""
    costs = record["costs"]
    pictures = [_coefficients(model)] if model and any(model.coef) else []
    pictures += evaluation_pictures.pictures("run", record.get("evaluations") or [])
    gone = [loss["round"] for loss in record.get("losses") or []]
    pictures += [_convergence(history, gone)] if len(_curve(history, "gradient_norm")) > 1 else []
    pictures += lost.pictures(record, history)
    waited = [_ranks(record)]
    if costs.get("timeline"):
        waited.append(_timeline(costs["timeline"]))
    slowdowns = costs.get("slowdowns")
    if slowdowns and sum(slowdowns["counts"]) and record["workers"] > 1:
        waited.append(_slowdowns(slowdowns["edges"], slowdowns["counts"]))
    return [*pictures, *(replace(one, finding=costs.get("sentence") or "") for one in waited)]


def _coefficients(model: Coefficients) -> Picture:
    shown = model.largest()[:BARS]
    which = f"The {BARS} largest of {len(model.coef):,}" if len(shown) < len(model.coef) else "All"
    spoken = "; ".join(f"{model.name(place)}: {units.digits(model.coef[place])}" for place in shown)
    return Picture(
        "coefficients",
        "The coefficients",
        f"{which}, the largest first, in the units of the data: by how much the target grows with one unit more of the feature.",
        f"Bars by feature. {spoken[:600]}",
        lambda figure, narrow: _bars(figure, model, shown, narrow),
        (70 + 24 * len(shown), 70 + 24 * len(shown)),
        finding=f"The largest coefficient is that of {model.name(shown[0])}: {units.digits(model.coef[shown[0]])}",
    )


def _bars(figure: "Figure", model: Coefficients, shown: Sequence[int], narrow: bool) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes = panels(figure, 1, narrow)[0]
    places, values = list(range(len(shown))), [model.coef[column] for column in shown]
    axes.barh(places, values, 0.66, color=LIGHT["muted"])
    axes.axvline(0, color=LIGHT["text"], linewidth=0.8)
    names = [units.shortened(printable(model.name(column)), 16 if narrow else 32) for column in shown]
    listed(axes, names, labelcolor=LIGHT["text"])
    axes.xaxis.set_major_locator(MaxNLocator(4 if narrow else 7))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.6g}".replace("-", "\N{MINUS SIGN}")))
    axes.set_xlabel("coefficient")


def _convergence(history: History, lost: Sequence[float]) -> Picture:
    points = _curve(history, "gradient_norm")
    (_, first), (turn, last) = points[0], points[-1]
    fell = f"The norm of the gradient goes from {units.digits(first)} to {units.digits(last)}, in round {turn:,.0f}"
    words = "Over the rounds, logarithmic: how far the objective lies above the lowest one of the run, and the norm of the gradient"
    return Picture(
        "convergence",
        "Convergence",
        words + (". A dotted line is where the run went on after ranks were lost." if lost else "."),
        f"{fell}.",
        lambda figure, narrow: _curves(figure, history, lost, narrow),
        (330, 520),
        finding=fell,
    )


def _curve(history: History, column: str) -> list[tuple[float, float]]:
    """The points that a logarithmic axis can show, with room around them."""
    pairs = zip(history.get("round", ()), history.get(column, ()), strict=True)
    return [(turn, value) for turn, value in pairs if 1e-280 < value < 1e280]


def _curves(figure: "Figure", history: History, lost: Sequence[float], narrow: bool) -> None:
    left, right = panels(figure, 2, narrow)
    lowest = min(filter(math.isfinite, history["objective"]), default=0.0)
    gap = _curve({**history, "gap": [value - lowest for value in history["objective"]]}, "gap")
    _one_curve(left, gap, "objective above its lowest")
    _one_curve(right, _curve(history, "gradient_norm"), "gradient norm")
    for turn in lost:
        for axes in (left, right):
            axes.axvline(turn, color=LIGHT["muted"], linestyle=":", linewidth=1.2)


def _one_curve(axes: "Axes", points: Sequence[tuple[float, float]], title: str) -> None:
    from matplotlib.ticker import MaxNLocator

    thin = _thinned(points)
    axes.plot([x for x, _ in thin], [y for _, y in thin], color=LIGHT["text"], linewidth=1.4)
    logarithmic(axes, "y", [y for _, y in thin], units.power_of_ten, 8)
    axes.set_title(title)
    axes.set_xlabel("round")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Of each stretch its lowest and its highest point, so that no spike is lost."""
    stretch = -(-len(points) // (POINTS // 2))
    if stretch < 3:
        return list(points)
    kept = [points[0]]
    for start in range(0, len(points), stretch):
        piece = points[start : start + stretch]
        ends = {min(piece, key=lambda point: point[1]), max(piece, key=lambda point: point[1])}
        kept += sorted(ends)
    return [*kept, points[-1]]


def _ranks(record: Record) -> Picture:
    ranks = record["costs"]["ranks"]
    shown = sorted(sorted(ranks, key=lambda rank: -rank["compute"])[:MOST], key=lambda rank: int(rank["rank"]))
    left_out = f" The {MOST} ranks of {len(ranks):,} that computed longest." if len(shown) < len(ranks) else ""
    spoken = "; ".join(f"rank {rank['rank']}: compute {units.seconds(rank['compute'])}" for rank in shown)
    height = 90 + max(26 * len(shown), 60)
    title, words = "Each rank's round", "Seconds a round on each rank, mean over all rounds."
    if record["workers"] > 1:
        title += ", and who computed longest"
        words = "Left, seconds a round on each rank, mean over all rounds; right, in how many of the rounds it computed longest."
    return Picture(
        "ranks",
        title,
        f"{words}{left_out}",
        f"Bars by rank. {spoken}",
        lambda figure, narrow: _rank_bars(figure, record, shown, narrow),
        (height, 2 * height),
    )


def _rank_bars(figure: "Figure", record: Record, ranks: Sequence[Record], narrow: bool) -> None:
    places = list(range(len(ranks)))
    every = record["costs"]["rounds"] or 1
    several = record["workers"] > 1  # one alone is always the last
    ratios: dict[str, Any] = {} if narrow or not several else {"width_ratios": [3, 2]}
    left, *others = panels(figure, 1 + several, narrow, **ratios)
    stack(left, ranks, places, across=True, width=0.7)
    timed(left.xaxis, max(sum(rank[which] for which in PARTS) for rank in ranks) or 1.0, "a round")
    for right in others:
        _last(right, places, [(rank.get("slowest_rounds") or 0) / every * 100 for rank in ranks])
    for axes in (left, *others):
        listed(axes, [f"rank {rank['rank']}" for rank in ranks])
    parts_legend(figure, ranks, narrow)


def _last(axes: "Axes", places: Sequence[int], percents: Sequence[float]) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter

    axes.barh(places, percents, 0.7, color=LIGHT["muted"])
    axes.set_xlim(0, 100)
    axes.xaxis.set_major_locator(FixedLocator(range(0, 101, 25)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f} %"))
    axes.set_xlabel("longest, of the rounds")
    for place, percent in zip(places, percents, strict=True):
        axes.text(1.03, place, f"{percent:.0f} %", transform=axes.get_yaxis_transform(), va="center")


def _timeline(pieces: Sequence[Record]) -> Picture:
    ranks = sorted({piece["rank"] for piece in pieces})
    rounds = sorted({piece["round"] for piece in pieces})
    span = f"rounds {rounds[0]:,} to {rounds[-1]:,}" if len(rounds) > 1 else f"round {rounds[0]:,}"
    return Picture(
        "timeline",
        "Timeline",
        f"What each rank did in {span}; a vertical line is the start of a round on the first rank to begin it.",
        f"One track for each of {units.count(len(ranks), 'rank')}, {span}, split into compute, wait, wire, update and input.",
        lambda figure, narrow: _tracks(figure, pieces, ranks, narrow),
        (100 + max(30 * len(ranks), 60), 130 + max(26 * len(ranks), 60)),
    )


def _tracks(figure: "Figure", pieces: Sequence[Record], ranks: Sequence[int], narrow: bool) -> None:
    axes = panels(figure, 1, narrow)[0]
    order = ("input", "compute", "wait", "wire", "update")  # in time: rows are read before they are computed with
    for number, which in enumerate(order):
        for place, rank in enumerate(ranks):
            mine = [piece for piece in pieces if piece["rank"] == rank and piece[which]]
            spans = [(piece["start"] + sum(piece[earlier] for earlier in order[:number]), piece[which]) for piece in mine]
            if spans:
                axes.broken_barh(spans, (place - 0.36, 0.72), **part(which))
    for number in sorted({piece["round"] for piece in pieces}):
        axes.axvline(min(piece["start"] for piece in pieces if piece["round"] == number), color=LIGHT["text"], linewidth=0.8)
    listed(axes, [f"rank {rank}" for rank in ranks])
    end = max(piece["start"] + sum(piece[which] for which in PARTS) for piece in pieces)
    axes.set_xlim(min(piece["start"] for piece in pieces), end or 1.0)
    timed(axes.xaxis, end or 1.0, "since the first of these rounds began")
    parts_legend(figure, pieces, narrow)


def _slowdowns(edges: Sequence[float], counts: Sequence[int]) -> Picture:
    rounds = sum(counts)
    return Picture(
        "stragglers",
        "How slow the slowest worker was",
        f"Over {units.count(rounds, 'round')}: the computing time of the round's slowest worker, over that of the median worker.",
        f"Histogram over {units.count(rounds, 'round')} of the slowest worker's computing time over the median worker's.",
        lambda figure, narrow: _histogram(figure, edges, counts, narrow),
        (280, 250),
    )


def _histogram(figure: "Figure", edges: Sequence[float], counts: Sequence[int], narrow: bool) -> None:
    """A bar a bin, all as wide, as the bins may not be; a last bin without an end says so by the missing label."""
    from matplotlib.ticker import MaxNLocator

    axes = panels(figure, 1, narrow)[0]
    used = max(place for place, number in enumerate(counts) if number) + 1
    axes.bar([place + 0.5 for place in range(used)], counts[:used], 0.94, color=LIGHT["compute"])
    labelled = range(0, min(used + 1, len(edges)), -(-used // (7 if narrow else 16)))
    axes.set_xticks(list(labelled), [f"{edges[place]:.4g}" for place in labelled])
    axes.set_xlim(0, used)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 2.5, 5, 10]))
    axes.grid(visible=False, axis="x")
    axes.set(xlabel="times the median worker", ylabel="rounds")
