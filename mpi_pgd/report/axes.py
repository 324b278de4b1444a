"""What all pictures share: who has which colour and mark, how parts are stacked, how axes read."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from mpi_pgd.modes import WAYS
from mpi_pgd.report import units
from mpi_pgd.report.shapes import PARTS, Record
from mpi_pgd.report.theme import LIGHT, WIDE, legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

Key = tuple[str, str]  # mode and algorithm

# Each has a mark and a line of its own beside its colour, for those who do not tell the colours apart, and for print.
_STYLES: dict[Key, tuple[str, str]] = {way: (algorithm.colour, algorithm.marker) for way, algorithm in WAYS.items()}
HATCHES = {"compute": "", "wait": "////", "wire": "", "update": "\\\\\\\\", "input": "----"}


def key(row: Record) -> Key:
    """What tells one series from another."""
    return (row.get("mode") or "", row.get("algorithm") or "")


def name(which: Key) -> str:
    """A series in the words of the tables."""
    return ", ".join(units.shortened(word, 20) for word in which if word) or "all"


def style(which: Key, line: str = "-") -> dict[str, Any]:
    """How a series is drawn: always the same in all pictures."""
    colour, marker = _STYLES.get(which, ("text", "o"))
    edge = {"markeredgecolor": LIGHT["page"], "markeredgewidth": 0.8}
    return {"color": LIGHT[colour], "marker": marker, "linestyle": line, **edge}


def part(which: str) -> dict[str, Any]:
    """How a part of a round is drawn. The edge's colour is the hatch's, as its width is none."""
    hatch = LIGHT["hatch"] if which == "wait" else LIGHT["page"]
    return {"facecolor": LIGHT[which], "hatch": HATCHES[which], "edgecolor": hatch, "linewidth": 0.0}


def parts_legend(figure: "Figure", rows: Sequence[Record], narrow: bool, *more: tuple[Any, str]) -> None:
    """The parts that occur, in the order in which they are stacked."""
    from matplotlib.patches import Patch

    used = [which for which in PARTS if any(row[which] for row in rows)] or PARTS[:1]
    legend(figure, [*((Patch(**part(which)), which) for which in used), *more], narrow)


def timed(axis: "Axis", top: float, label: str) -> None:
    """A linear axis of seconds in the unit that fits its top; each label has it, as on a logarithmic axis."""
    from matplotlib.axis import XAxis
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    factor, unit = units.scale(top, units.TIME)
    most = 3 if isinstance(axis, XAxis) else 5  # side by side they need room
    axis.set_major_locator(MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / factor:.6g} {unit}" if value else "0"))
    axis.set_label_text(label)


def listed(axes: "Axes", labels: Sequence[str], **look: Any) -> None:
    """A y axis of rows that are no numbers, from 0 at the top on, each with its label."""
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0, **look)
    axes.grid(visible=False, axis="y")


def logarithmic(axes: "Axes", which: str, values: Iterable[float], show: Any, most: int = 6, base: int = 10) -> None:
    """A logarithmic axis with room around the values, and a few labels in words of one's own."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    found = [value for value in values if value > 0] or [1.0]
    low, high = min(found), max(found)
    margin = max(high**0.04 / low**0.04, 1.12)  # their ratio may be too large for a number
    places = units.ticks(low / margin, high * margin, most, base) or [low]
    axis: Axis = getattr(axes, f"{which}axis")
    getattr(axes, f"set_{which}scale")("log", base=base)
    getattr(axes, f"set_{which}lim")(low / margin, high * margin)
    axis.set_major_locator(FixedLocator(places))
    axis.set_major_formatter(FixedFormatter([show(place) for place in places]))
    axis.set_minor_locator(NullLocator())


def labelled(figure: "Figure", axes: "Axes", ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Name each line behind its end, one name above another where they would overlap; the axis gets room for them.

    ``ends`` are (x, y, name, colour), on scales that are set. Nothing may be drawn after it that changes the layout.
    """
    from matplotlib import rcParams

    size, gap = float(rcParams["xtick.labelsize"]), 6.0  # points; a point is a pixel of the figure
    wide = {text: gap + 0.72 * size * len(text) for _, _, text, _ in ends}
    figure.draw_without_rendering()  # now the layout is known
    inside = axes.get_window_extent()
    places = [(axes.transData.transform((x, y))[0] - inside.x0, wide[text]) for x, y, text, _ in ends]
    share = max([1.0, *(place / max(inside.width - width, 1.0) for place, width in places)])
    low, high = axes.get_xlim()
    scale = axes.xaxis.get_transform()
    begin, end = scale.transform([low, high])
    axes.set_xlim(low, scale.inverted().transform([begin + share * (end - begin)])[0])
    taken: list[tuple[float, float, float]] = []  # left, right, foot
    spots = sorted((*axes.transData.transform((x, y))[::-1], x, y, text, colour) for x, y, text, colour in ends)
    for foot, left, x, y, text, colour in spots:
        right, up = left + wide[text], foot
        while any(left < end and begin < right and abs(up - at) < 1.15 * size for begin, end, at in taken):
            up += 1.0
        taken.append((left, right, up))
        look: dict[str, Any] = {"color": colour, "va": "center", "fontsize": size, "annotation_clip": False}
        named = axes.annotate(text, (x, y), (gap, up - foot), textcoords="offset points", **look)
        named.set_in_layout(False)


def numbers_axis(axes: "Axes", values: Iterable[int], label: str = "workers") -> None:
    """Linear with each measured number named, as long as there are few; else by powers of two."""
    from matplotlib.ticker import MaxNLocator

    found = sorted(set(values))
    axes.set_xlabel(label)
    if found[-1] > 16:
        most = 7 if axes.figure.bbox.width > WIDE / 2 else 5
        logarithmic(axes, "x", found, lambda value: f"{value:,.0f}", most, 2)
        return
    axes.set_xlim(found[0] - 0.3, found[-1] + 0.3)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))


def stack(axes: "Axes", rows: Sequence[Record], places: Sequence[float], across: bool, width: float = 0.62) -> None:
    """Stacked bars of the parts of each row."""
    ends = [0.0] * len(rows)
    for which in PARTS:
        sizes = [row[which] for row in rows]
        if any(sizes):
            (axes.barh if across else axes.bar)(places, sizes, width, ends, **part(which))
        ends = [end + size for end, size in zip(ends, sizes, strict=True)]
