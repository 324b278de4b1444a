"""How near the best objective each solver came, against seconds and against rounds."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mpi_pgd.report import units
from mpi_pgd.report.axes import labelled, logarithmic
from mpi_pgd.report.shapes import Record
from mpi_pgd.report.theme import LIGHT, Picture, panels
from mpi_pgd.solvers import SOLVERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FLOOR = 1e-12  # of the axis: nearer is at its foot
HUES = ("link", "blue", "red", "ok", "violet", "input", "compute", "plum", "warning")  # of the palette, those that text may have


def pictures(name: str, record: Record) -> list[Picture]:
    """Two; their names begin with ``name``."""
    caption = (
        "Logarithmic: how far the least objective until then was above the best one that any of the solvers found, relative to "
        f"what was gained from the start. At the foot it is {units.power_of_ten(FLOOR)} or less. A thick line is the solver that "
        "was chosen where none was named."
    )
    made = []
    for axis, title, more in (
        ("seconds", "Objective against time", " Time counts from the rows in memory and the columns' moments, which all share."),
        ("round", "Objective against rounds", " One round is one evaluation over all rows."),
    ):
        spoken = "; ".join(f"{row['solver']}: {units.digits(row['relative'])} after {_after(row, axis)}" for row in record["rows"])

        def draw(figure: "Figure", narrow: bool, axis: str = axis) -> None:
            _curves(figure, record, axis, narrow)

        made.append(Picture(f"{name}-{axis}", title, caption + more, f"A falling line a solver. {spoken}.", draw, (380, 340)))
    return made


def _after(row: Record, axis: str) -> str:
    return units.seconds(row["seconds"]) if axis == "seconds" else units.count(row["rounds"], "round")


def look(row: Record) -> dict[str, Any]:
    """How a solver is drawn: always the same in all pictures."""
    place = [*SOLVERS].index(row["solver"]) if row["solver"] in SOLVERS else len(SOLVERS)
    return {"color": LIGHT[HUES[place % len(HUES)]], "linewidth": 3.2 if row.get("chosen_by") else 1.6}


def points(row: Record, record: Record, axis: str) -> list[tuple[float, float]]:
    """Of a curve: the seconds or the round, and how far the objective was above the best, but no less than the axis shows."""
    fall = record["first"] - record["best"]
    pairs = zip(row["curve"][axis], row["curve"]["objective"], strict=True)
    return [(x, max(FLOOR, (objective - record["best"]) / fall if fall > 0 else 0.0)) for x, objective in pairs]


def _curves(figure: "Figure", record: Record, axis: str, narrow: bool) -> None:
    axes = panels(figure, 1, narrow)[0]
    curves = [points(row, record, axis) for row in record["rows"]]
    for row, curve in zip(record["rows"], curves, strict=True):
        axes.plot(*zip(*curve, strict=True), drawstyle="steps-post", **look(row))
    logarithmic(axes, "y", [y for curve in curves for _, y in curve], units.power_of_ten, 7)
    every = [x for curve in curves for x, _ in curve]
    if axis == "seconds":
        logarithmic(axes, "x", every, lambda value: units.tick(value, units.TIME), 4 if narrow else 7)
        axes.set_xlabel("time")
    else:
        _rounds(axes, every, narrow)
    axes.set_ylabel("above the best objective")
    ends = [(*curve[-1], row["solver"], look(row)["color"]) for row, curve in zip(record["rows"], curves, strict=True)]
    labelled(figure, axes, ends)


def _rounds(axes: "Axes", every: Sequence[float], narrow: bool) -> None:
    """Logarithmic from 1 on, with the start, 0, before it."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    most = max([*every, 1.0])
    places = [0.0, *units.ticks(1.0, most, 4 if narrow else 8)]
    axes.set_xscale("symlog", linthresh=1.0, linscale=0.3)
    axes.set_xlim(0, most * 1.12)
    axes.xaxis.set_major_locator(FixedLocator(places))
    axes.xaxis.set_major_formatter(FixedFormatter([f"{place:,.0f}" for place in places]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("round")
