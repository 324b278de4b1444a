"""Pictures of how good a model is: predictions against targets, residuals, calibration, and classes taken for each other."""

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from mpi_pgd.errors import printable
from mpi_pgd.report import units
from mpi_pgd.report.evaluation import groups, sentence
from mpi_pgd.report.shapes import Record
from mpi_pgd.report.theme import LIGHT, Picture, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHADES = 6  # of cells that have rows: each of them counts more rows by the same factor
FAINT, FULL = 0.14, 0.95  # how much of its colour the lightest and the darkest has
TOLD = 0.5  # likewise, under numbers
CLASSES = 12  # in a picture


def pictures(name: str, every: Sequence[Record]) -> list[Picture]:
    """Of evaluations of one model; ``name`` begins the names of the files."""
    found = []
    for place, one in enumerate(every):
        ending, of = (f"-{place + 1}", f": {one['name']}") if len(every) > 1 else ("", "")
        if one.get("truth"):
            found += [_truth(f"{name}-truth{ending}", of, one), _residuals(f"{name}-residuals{ending}", of, one)]
        if one.get("confusion") and len(one["classes"]) <= CLASSES:
            found.append(_confusion(f"{name}-confusion{ending}", of, one))
        if one.get("calibration") and len(groups(one)) > 1:
            found.append(_calibration(f"{name}-calibration{ending}", of, one))
    return found


def _truth(name: str, of: str, one: Record) -> Picture:
    return Picture(
        name,
        f"Predictions against targets{of}",
        f"How many of {units.count(one['rows'], 'row')} are where: the stronger the colour the more, each shade by the same "
        f"factor. On the line both are alike. What lies beyond the axes is counted at their ends",
        f"Counts of rows by target and prediction, near a diagonal line where both are alike. {sentence(one)}.",
        lambda figure, narrow: _plane(figure, one, narrow),
        (460, 320),
        finding=sentence(one),
    )


def _plane(figure: "Figure", one: Record, narrow: bool) -> None:
    axes, of = panels(figure, 1, narrow)[0], one["truth"]
    ends = of["low"], of["high"]
    _shaded(axes, of["counts"], ends, ends)
    axes.plot(ends, ends, color=LIGHT["text"], linewidth=1.0)
    _scaled(axes, ends, ends, narrow)
    axes.set(xlabel="prediction", ylabel="target")


def _residuals(name: str, of: str, one: Record) -> Picture:
    error = one["metrics"].get("rmse")
    return Picture(
        name,
        f"Residuals{of}",
        "Target less prediction: how many rows have which, and, beside, how many are where by prediction: the stronger the colour "
        "the more, each shade by the same factor. Around 0 everywhere is good; a bend or a funnel is what the model has not seen",
        f"Histogram of the residuals, and counts of rows by residual and prediction. Their root mean square is {error or 0:.4g}.",
        lambda figure, narrow: _both(figure, one, narrow),
        (330, 560),
        finding=f"The residuals' root mean square is {error or 0:.4g}",
    )


def _both(figure: "Figure", one: Record, narrow: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    left, right = panels(figure, 2, narrow)
    of, value = one["residuals"], one["truth"]
    number = len(of["counts"])
    step = (of["high"] - of["low"]) / number
    middles = [of["low"] + (place + 0.5) * step for place in range(number)]
    left.bar(middles, of["counts"], step * 0.94, color=LIGHT["muted"])
    left.axvline(0, color=LIGHT["text"], linewidth=1.0)
    left.set_xlim(of["low"], of["high"])
    left.xaxis.set_major_locator(MaxNLocator(4))
    left.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    left.grid(visible=False, axis="x")
    left.set(xlabel="residual", ylabel="rows")
    across, down = (value["low"], value["high"]), (of["low"], of["high"])
    _shaded(right, one["spread"]["counts"], across, down)
    right.axhline(0, color=LIGHT["text"], linewidth=1.0)
    _scaled(right, across, down, narrow)
    right.set(xlabel="prediction", ylabel="residual")
    for axis in (left.xaxis, left.yaxis):
        _plain(axis)


def _calibration(name: str, of: str, one: Record) -> Picture:
    classes = one["kind"] == "classes"
    what = (
        "the probability that was predicted, and how often it was so" if classes else "the mean of predictions, and that of targets"
    )
    if len(one["classes"]) > 2:
        what = "the probability of the class that was predicted, and how often it was that"
    return Picture(
        name,
        f"Calibration{of}",
        f"Of groups of rows with like predictions {what}: on the line both are alike. The larger a mark, the more rows",
        f"A mark for each of {len(groups(one))} groups of rows: {what}.",
        lambda figure, narrow: _line(figure, one, narrow, classes),
        (380, 300),
        finding=f"Predictions and what was found, in {units.count(len(groups(one)), 'group')} of rows",
    )


def _line(figure: "Figure", one: Record, narrow: bool, classes: bool) -> None:
    axes, some = panels(figure, 1, narrow)[0], groups(one)
    x, y = [each["predicted"] for each in some], [each["found"] for each in some]
    ends = (0.0, 1.0) if classes else _around([*x, *y])
    axes.plot(ends, ends, color=LIGHT["muted"], linestyle=":", linewidth=1.2)
    axes.plot(x, y, color=LIGHT["text"], linewidth=1.4)
    most = max(each["weight"] for each in some)
    sizes = [16 + 100 * each["weight"] / most for each in some]
    axes.scatter(x, y, sizes, color=LIGHT["text"], edgecolors=LIGHT["page"], linewidths=0.8, zorder=3)
    margin = (ends[1] - ends[0]) * 0.04
    room = ends[0] - margin, ends[1] + margin
    _scaled(axes, room, room, narrow)
    axes.grid(visible=True)
    axes.set(xlabel="predicted", ylabel="found")


def _around(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _confusion(name: str, of: str, one: Record) -> Picture:
    number = len(one["classes"])
    return Picture(
        name,
        f"Which classes are taken for which{of}",
        "Rows of each class by the class that was predicted: how many; the stronger the colour the larger their share of the class",
        f"Counts of rows by class and predicted class. {sentence(one)}.",
        lambda figure, narrow: _squares(figure, one, narrow),
        (130 + 34 * number, 130 + 30 * number),
        finding=sentence(one),
    )


def _squares(figure: "Figure", one: Record, narrow: bool) -> None:
    axes, counts = panels(figure, 1, narrow)[0], one["confusion"]
    number = len(counts)
    names = [units.shortened(printable(each["name"]), 8 if narrow else 16) for each in one["classes"]]
    for row, line in enumerate(counts):
        for column, count in enumerate(line):
            share = count / (sum(line) or 1)
            axes.barh(row, 1.0, 1.0, left=column - 0.5, color=LIGHT["sky"], alpha=TOLD * share, linewidth=0)
            if number <= CLASSES // (2 if narrow else 1):
                axes.text(column, row, f"{count:,}", ha="center", va="center", color=LIGHT["text"])
    axes.set_xticks(range(number), names, rotation=90 if number > (3 if narrow else CLASSES // 2) else 0)
    axes.set_yticks(range(number), names)
    axes.set_xlim(-0.5, number - 0.5)
    axes.set_ylim(number - 0.5, -0.5)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.set(xlabel="predicted", ylabel="class")


def _shaded(axes: "Axes", counts: Sequence[Sequence[int]], across: tuple[float, float], down: tuple[float, float]) -> None:
    """Cells, lines from below, as rectangles in one colour, which is the page's own; neighbours of one shade are one."""
    from matplotlib.collections import PolyCollection

    most = max((max(line) for line in counts), default=0)
    width, height = (across[1] - across[0]) / len(counts[0]), (down[1] - down[0]) / len(counts)
    found: dict[int, list[list[tuple[float, float]]]] = {}
    for row, line in enumerate(counts):
        for shade, begin, end in _runs([_shade(count, most) for count in line]):
            left, right = across[0] + begin * width, across[0] + end * width
            low, high = down[0] + row * height, down[0] + (row + 1) * height
            found.setdefault(shade, []).append([(left, low), (right, low), (right, high), (left, high)])
    for shade, cells in sorted(found.items()):
        alpha = FAINT + (FULL - FAINT) * shade / (SHADES - 1)
        axes.add_collection(PolyCollection(cells, facecolors=LIGHT["sky"], alpha=alpha, linewidths=0), autolim=False)


def _shade(count: int, most: int) -> int:
    """From 0 to ``SHADES`` - 1; -1 of none."""
    if not count:
        return -1
    return min(SHADES - 1, int(SHADES * math.log(count) / math.log(most))) if most > 1 else SHADES - 1


def _runs(shades: Sequence[int]) -> Iterable[tuple[int, int, int]]:
    """Each run of one shade: which, from where, and where it ends; none of empty cells."""
    begin = 0
    for place in range(1, len(shades) + 1):
        if place == len(shades) or shades[place] != shades[begin]:
            if shades[begin] >= 0:
                yield shades[begin], begin, place
            begin = place


def _scaled(axes: "Axes", across: tuple[float, float], down: tuple[float, float], narrow: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlim(across)
    axes.set_ylim(down)
    axes.xaxis.set_major_locator(MaxNLocator(4 if narrow else 6))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    for axis in (axes.xaxis, axes.yaxis):
        _plain(axis)
    axes.grid(visible=False)


def _plain(axis: object) -> None:
    """Numbers without an offset or a factor at the axis' end."""
    from matplotlib.axis import Axis
    from matplotlib.ticker import FuncFormatter

    assert isinstance(axis, Axis)
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.6g}".replace("-", "\N{MINUS SIGN}")))
