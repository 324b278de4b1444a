"""How near the optimum each way came, against seconds, rounds and bytes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mpi_pgd.report import units
from mpi_pgd.report.axes import key, logarithmic, name, style
from mpi_pgd.report.kinds import label
from mpi_pgd.report.shapes import Record
from mpi_pgd.report.theme import Picture, legend, panels
from mpi_pgd.study.solvers.pictures import points

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARKS = 8  # of a line, at most
SHOWN = {
    "seconds": ("time", "Objective against time", lambda value: units.tick(value, units.TIME)),
    "round": ("round", "Objective against rounds", lambda value: f"{value:,.0f}"),
    "bytes": ("sent by all ranks", "Objective against bytes", units.size),
}


def pictures(study: str, record: Record) -> list[Picture]:
    """Each without the slow worker, and that of time with it, too."""
    delays = list(dict.fromkeys(row["delay"] for row in record["rows"]))
    wanted = [(axis, delays[0]) for axis in SHOWN] + [("seconds", delay) for delay in delays[1:]]
    return [_picture(study, record, axis, delay, slow=delay != delays[0]) for axis, delay in wanted]


def _picture(study: str, record: Record, axis: str, delay: str, slow: bool) -> Picture:
    rows = [row for row in record["rows"] if row["delay"] == delay]
    spoken = "; ".join(f"{name(key(row))}, {row['solver']}: {units.digits(row['relative'])}" for row in rows)
    return Picture(
        f"{study}-slow" if slow else f"{study}-{axis}",
        SHOWN[axis][1] + (f", with {delay} slow" if slow else ""),
        "Logarithmic: how far the objective over all rows was above the optimum, relative to what was to be gained from the "
        "start; of peers with neighbours at the mean of their weights. Of two lines of one graph, "
        "the dashed one has a bias.",
        f"A falling line a way. Above the optimum in the end, {spoken}.",
        lambda figure, narrow: _curves(figure, record, rows, axis, narrow),
        (430, 460),
        label(record),
    )


def _curves(figure: "Figure", record: Record, rows: Sequence[Record], axis: str, narrow: bool) -> None:
    axes = panels(figure, 1, narrow)[0]
    curves = [_points(row, record, axis) for row in rows]
    ways = list(map(key, rows))
    for place, curve in enumerate(curves):
        look = style(ways[place], "--" if ways[place] in ways[:place] else "-")
        axes.plot(*zip(*curve, strict=True), markevery=max(1, len(curve) // MARKS), **look)
    logarithmic(axes, "y", [y for curve in curves for _, y in curve], units.power_of_ten, 7)
    head, _, shown = SHOWN[axis]
    logarithmic(axes, "x", [x for curve in curves for x, _ in curve], shown, 4 if narrow else 7)
    axes.set_xlabel(head)
    axes.set_ylabel("above the optimum")
    legend(figure, [(line, f"{name(key(row))}, {row['solver']}") for line, row in zip(axes.lines, rows, strict=True)], narrow)


def _points(row: Record, record: Record, axis: str) -> list[tuple[float, float]]:
    """Of a curve; one that is alone has sent nothing, and round 0 is that before round 1."""
    if axis != "bytes":
        return points(row, record, axis)
    return [((turn + 1) * row["bytes_per_round"], y) for turn, y in points(row, record, "round")]
