"""The pictures of a measured network: time over size with the fitted lines, and what the lines leave."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from mpi_pgd.report import units
from mpi_pgd.report.axes import key, logarithmic, name, style
from mpi_pgd.report.kinds import mark
from mpi_pgd.report.shapes import Record
from mpi_pgd.report.theme import LIGHT, Picture, legend
from mpi_pgd.study.pieces import NETWORK, NODE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LINKS = {NODE: "within a node", NETWORK: "between nodes"}
TITLES = {
    "ping-pong": "Ping-pong: half a round trip over the size",
    "collective": "Collectives over the size",
    "exchange": "Exchanges with neighbours over the size",
}


def network(record: Record) -> list[Picture]:
    """Time over size with the fitted lines, and what the lines leave: ping-pongs, collectives, exchanges."""
    label, pictures = mark(record), []
    for kind, title in TITLES.items():
        rows = [row for row in record["rows"] if row["kind"] == kind and row["seconds"] > 0 and row["bytes"] > 0]
        most = {link: max(row["ranks"] for row in rows if row["link"] == link) for link in {row["link"] for row in rows}}
        rows = [row for row in rows if row["ranks"] == most[row["link"]]]
        if rows:
            fitted = [fit for fit in record.get("fits") or [] if not fit.get("mode") and fit.get("beta")]
            found = "; ".join(map(_law, fitted)) if kind == "ping-pong" else ""
            pictures.append(_over_size(kind, title, rows, label, found))
    return pictures


def _law(fit: Record) -> str:
    """Latency and bandwidth of a link, with their intervals."""
    alpha, beta = ([fit.get(f"{term}{end}") for end in ("", "_low", "_high")] for term in ("alpha", "beta"))
    pace = [1 / value if value else None for value in (beta[0], beta[2], beta[1])]
    return f"{link_name(fit['link'])}: {_between(alpha, units.seconds)} + size / {_between(pace, units.rate)}"


def _between(values: Sequence[float | None], show: Callable[[float | None], str]) -> str:
    middle, low, high = values
    return show(middle) + (f" ({show(low)} to {show(high)})" if low and high else "")


def _over_size(kind: str, title: str, rows: Sequence[Record], label: str, found: str) -> Picture:
    ranks = " and ".join(dict.fromkeys(units.count(row["ranks"], "rank") for row in rows))
    links = [""] if kind == "ping-pong" else list(dict.fromkeys(row["link"] for row in rows))  # ping-pongs share a panel
    spoken = "; ".join(f"{_label(row, kind)}, {units.size(row['bytes'])}: {units.seconds(row['seconds'])}" for row in rows)
    return Picture(
        f"network-{kind}",
        title,
        f"Medians on {ranks}, bars to the quartiles; the lines are the fitted model. Below, by how much it errs.",
        f"Time over message size. {spoken[:600]}",
        lambda figure, narrow: _sizes(figure, rows, links, kind, narrow),
        (520, 80 + 460 * len(links)),
        label,
        found,
    )


def _label(row: Record, kind: str) -> str:
    return link_name(row["link"]) if kind == "ping-pong" else name(key(row))


def link_name(link: str) -> str:
    """In words, if it is one of the two."""
    return _LINKS.get(link, link)


def _look(row: Record, kind: str) -> dict[str, Any]:
    if kind != "ping-pong":
        return style(key(row))
    node = row["link"] == NODE
    return style(("", "")) | {"marker": "o" if node else "^", "color": LIGHT["text" if node else "muted"]}


def _sizes(figure: "Figure", rows: Sequence[Record], links: Sequence[str], kind: str, narrow: bool) -> None:
    from matplotlib.lines import Line2D

    columns = 1 if narrow else len(links)
    ratios = [2.2, 1] * (len(links) if narrow else 1)
    grid = figure.subplots(len(ratios), columns, squeeze=False, height_ratios=ratios)
    for place, link in enumerate(links):
        mine = [row for row in rows if link in ("", row["link"])]
        upper, lower = (grid[2 * place][0], grid[2 * place + 1][0]) if narrow else (grid[0][place], grid[1][place])
        _times(upper, mine, rows, kind, narrow or columns > 1)
        _residuals(lower, mine, kind, narrow or columns > 1)
        if link:
            upper.set_title(link_name(link))
    legend(figure, [(Line2D([], [], **_look(line[0], kind)), label) for label, line in _series(rows, kind).items()], narrow)


def _series(rows: Sequence[Record], kind: str) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {_label(row, kind): [] for row in rows}
    for row in sorted(rows, key=lambda row: float(row["bytes"])):
        found[_label(row, kind)].append(row)
    return found


def _times(axes: "Axes", mine: Sequence[Record], every: Sequence[Record], kind: str, slim: bool) -> None:
    for line in _series(mine, kind).values():
        look = _look(line[0], kind)
        sizes = [row["bytes"] for row in line]
        below = [max(row["seconds"] - (row.get("low") or row["seconds"]), 0) for row in line]
        above = [max((row.get("high") or row["seconds"]) - row["seconds"], 0) for row in line]
        axes.errorbar(sizes, [row["seconds"] for row in line], [below, above], **look | {"linestyle": "none", "elinewidth": 1})
        fitted = [(row["bytes"], row["fitted_seconds"]) for row in line if row.get("fitted_seconds")]
        if fitted:
            axes.plot(*zip(*fitted, strict=True), **look | {"marker": "", "linewidth": 1.3})
    logarithmic(axes, "x", [row["bytes"] for row in mine], partial(units.tick, units=units.SIZE), 5 if slim else 8)
    seconds = [row[which] for row in every for which in ("seconds", "fitted_seconds") if row.get(which)]
    logarithmic(axes, "y", seconds, partial(units.tick, units=units.TIME), 7)
    axes.set_ylabel("time")


def _residuals(axes: "Axes", rows: Sequence[Record], kind: str, slim: bool) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.axhline(0, color=LIGHT["muted"], linewidth=1)
    for line in _series(rows, kind).values():
        known = [(row["bytes"], row["residual"] * 100) for row in line if row.get("residual") is not None]
        if known:
            axes.plot(*zip(*known, strict=True), **_look(line[0], kind) | {"linestyle": "none"})
    logarithmic(axes, "x", [row["bytes"] for row in rows], partial(units.tick, units=units.SIZE), 5 if slim else 8)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} %".replace("-", "\N{MINUS SIGN}")))
    axes.set(xlabel="message", ylabel="error")
