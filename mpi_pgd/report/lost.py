"""What ranks cost that were lost: the rounds over the seconds, which stand still until the others have their rows."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from mpi_pgd.report import units
from mpi_pgd.report.axes import timed
from mpi_pgd.report.shapes import Record
from mpi_pgd.report.theme import LIGHT, Picture, panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BESIDE = 50  # rounds that are shown on each side of the first loss and of the last, at most


def sentence(record: Record) -> str:
    """How many, and what it cost; nothing where none was."""
    lost = record.get("losses") or []
    number = sum(len(loss["ranks"]) for loss in lost)
    if not lost:
        return ""
    ranks = f"{units.count(number, 'rank')} {'was' if number == 1 else 'were'}"
    return f"{ranks} lost on the way, which cost {units.seconds(sum(loss['cost'] for loss in lost))}"


def pictures(record: Record, history: Mapping[str, Sequence[float]]) -> list[Picture]:
    """One, where ranks were lost between two rounds."""
    points = [*zip(history.get("seconds", ()), history.get("round", ()), strict=False)]
    inside = [loss for loss in record.get("losses") or [] if points and points[0][1] <= loss["round"] < points[-1][1]]
    if not inside:
        return []
    ends = min(loss["round"] for loss in inside) - BESIDE, max(loss["round"] for loss in inside) + BESIDE
    shown = [(seconds, turn) for seconds, turn in points if ends[0] <= turn <= ends[1]]
    usual = median(after[0] - before[0] for before, after in pairwise(points))
    cost, found = sum(loss["cost"] for loss in inside), sentence(record)
    found += f", as long as {cost / usual:,.0f} rounds" if usual > 0 and len(inside) == len(record["losses"]) else ""
    told = "; ".join(f"{', '.join(map(str, loss['ranks']))} in round {loss['round']:,}" for loss in inside)
    return [
        Picture(
            "lost",
            "Rounds over the seconds, where ranks were lost",
            f"A point is a round. A dotted line is where ranks were lost: until the others know it, and have read what they held, "
            f"no round is made. Lost: {told}.",
            f"Rounds over seconds. {found}.",
            lambda figure, narrow: _steps(figure, shown, [loss["seconds"] for loss in inside], narrow),
            (300, 320),
            finding=found,
        )
    ]


def _steps(figure: "Figure", points: Sequence[tuple[float, float]], lost: Sequence[float], narrow: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    axes = panels(figure, 1, narrow)[0]
    axes.plot(*zip(*points, strict=True), ".", color=LIGHT["text"], markersize=4)
    for seconds in lost:
        axes.axvline(seconds, color=LIGHT["muted"], linestyle=":", linewidth=1.2)
    timed(axes.xaxis, points[-1][0], "since the start")
    axes.xaxis.set_major_locator(MaxNLocator(3 if narrow else 6, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.set_ylabel("round")
