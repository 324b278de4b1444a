"""Measured points over sizes and numbers of ranks, and what lies between them and beyond."""

import math
from statistics import median, pstdev

import numpy as np

ENOUGH = 8  # points over sizes to tell a step from chance by their neighbours: fewer are too far apart
LAST = 3  # points whose median holds beyond the last: one point's chance would be carried far

Series = list[tuple[int, float]]  # bytes and a ratio
Points = dict[int, Series]  # by ranks


def between(points: Points, ranks: int, size: int, first: int = 0, folds: bool = True) -> float:
    """Interpolated in the logarithms of the size, then of the ranks of the same case.

    At the ends, the median of the last sizes from ``first`` on holds; beyond the ranks that were measured, that over all of them.
    With ``folds``, powers of two ranks are a case of their own.
    """
    logs = {count: at(points[count], size, first) for count in sorted(points)}
    if ranks > max(logs):
        return math.exp(median(logs.values()))
    alike = {count: log for count, log in logs.items() if not folds or power(count) == power(ranks) or count == ranks} or logs
    return float(math.exp(np.interp(math.log(ranks), list(map(math.log, alike)), list(alike.values()))))


def at(points: Series, size: float, first: int = 0) -> float:
    """The ratio's logarithm, of so many bytes."""
    sizes, logs = _logs(points)
    if size > points[-1][0]:
        return median([log for (there, _), log in zip(points, logs, strict=True) if there >= first][-LAST:] or logs[-LAST:])
    return float(np.interp(math.log(max(size, 1)), sizes, logs))


def scatter(points: Points, size: int) -> float:
    """How far the numbers of ranks are from each other."""
    return pstdev([at(some, size) for some in points.values()]) if points else 0.0


def apart(points: Points, ranks: int, size: int) -> float:
    """Half of how far the measured sizes around one are apart: from any size between, messages may be sent in another way."""
    if not points:
        return 0.0
    some = points[min(points, key=lambda count: abs(math.log(count / ranks)))]
    below = [math.log(ratio) for there, ratio in some if there <= size]
    above = [math.log(ratio) for there, ratio in some if there >= size]
    return abs(above[0] - below[-1]) / 2 if below and above else 0.0


def doublings(value: int, known: int) -> float:
    """How often what is known is doubled to get there."""
    return max(0.0, math.log2(value / known)) if known else 0.0


def power(count: int) -> bool:
    """Whether it is one of two."""
    return count & (count - 1) == 0


def _logs(points: Series) -> tuple[list[float], list[float]]:
    return [math.log(size) for size, _ in points], [math.log(value) for _, value in points]


def smooth(points: Series) -> Series:
    """Each but the ends replaced by the median with its neighbours: steps stay, a single point that something disturbed goes.

    The ends: by the median with their neighbour and where it and the next point to (J. W. Tukey, "Exploratory Data Analysis",
    1977, chapter 7: running medians of three, and his rule for the ends).
    """
    if len(points) < ENOUGH:
        return points
    logs = [math.log(ratio) for _, ratio in points]
    inner = [median(logs[place - 1 : place + 2]) for place in range(1, len(logs) - 1)]
    first = median([logs[0], inner[0], 3 * inner[0] - 2 * inner[min(1, len(inner) - 1)]])
    last = median([logs[-1], inner[-1], 3 * inner[-1] - 2 * inner[max(-2, -len(inner))]])
    return [(size, math.exp(log)) for (size, _), log in zip(points, [first, *inner, last], strict=True)]
