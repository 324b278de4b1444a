"""What a single message takes, by its size: alpha + n beta, and how far it is off that, as ping-pongs found it.

Libraries send short messages at once and ask before longer ones, which takes three latencies in place of one (the rendezvous
protocol; they change it at powers of two bytes), and the buffers of a connection have ends. A collective is made of messages, so
it is off likewise, where these have that size.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mpi_pgd.comm.paths import Path
from mpi_pgd.study.fitting import Fit, fit
from mpi_pgd.study.points import Series, at, smooth

Row = Mapping[str, Any]

ASKED = 0.5  # of alpha, at least, that a step adds to all longer messages
BETTER = 0.7  # times the residuals without a step, at most, that those with one are
ALIKE = 2.0  # times the least residuals, at most, of those that may be it as well
SURE = 0.03  # relative: smaller residuals need no step
NEXT = 2  # times a measured size that the next one is, at most, so that a step is at the larger one if it is a power of two
STEP = 1.5  # times, at least


class Messages(NamedTuple):
    """Of a link.

    Attributes:
        alpha, beta: seconds of a short message, and of a byte.
        points: by bytes, what was measured over alpha + n beta.
    """

    alpha: float
    beta: float
    points: Series

    @classmethod
    def of(cls, alpha: float, beta: float, rows: Sequence[Row]) -> "Messages":
        """From the ping-pongs of the link; none, if that is all that is known of it."""
        fitted = [(row, alpha + beta * row["bytes"]) for row in rows]
        found = sorted((row["bytes"], row["seconds"] / seconds) for row, seconds in fitted if seconds > 0)
        return cls(alpha, beta, smooth(found))

    def off(self, path: Path, vector: int) -> float:
        """What the messages on a path take over alpha + n beta; they are taken for alike, none longer than the vector's bytes."""
        if not self.points:
            return 1.0
        size = _size(path, vector)
        below, above = self._around(size)
        step = below[0] < size < above[0] <= NEXT * below[0] and max(above[1] / below[1], below[1] / above[1]) >= STEP
        return below[1] if step else math.exp(at(self.points, size))

    def unsure(self, path: Path, vector: int) -> float:
        """By what factor's logarithm that may be off, as the sizes that were measured are apart."""
        if not self.points:
            return 0.0
        middle, sizes = math.log(self.off(path, vector)), self._around(_size(path, vector))
        return max(abs(math.log(ratio) - middle) for _, ratio in sizes)

    def _around(self, size: float) -> tuple[tuple[int, float], tuple[int, float]]:
        """The points of the next sizes, or twice the end one."""
        below = [point for point in self.points if point[0] <= size] or self.points[:1]
        above = [point for point in self.points if point[0] >= size] or self.points[-1:]
        return below[-1], above[0]


def _size(path: Path, vector: int) -> float:
    return min(vector, path.bytes / max(1.0, path.latencies + path.behind))


def message(rows: Sequence[Row]) -> Fit:
    """Alpha, no overhead, and beta of ping-pongs; beside a step from some size on, if there is one, which is not alpha's."""
    sizes, seconds = np.array([row["bytes"] for row in rows], dtype=np.float64), [row["seconds"] for row in rows]
    one, none = np.ones(len(sizes)), np.zeros(len(sizes))
    found = fit(np.column_stack([one, none, sizes]), seconds)
    if found.rms > SURE:
        steps = [fit(np.column_stack([one, sizes >= first, sizes]), seconds) for first in np.unique(sizes)[2:]]
        best = min(steps, key=lambda each: each.rms, default=found)
        if best.rms <= BETTER * found.rms and best.values[1] >= ASKED * best.values[0]:
            alike = [each for each in steps if each.rms <= ALIKE * best.rms]  # where the step is, is not sure either
            low = np.min([each.low for each in alike], axis=0)
            high = np.max([each.high for each in alike], axis=0)
            return best._replace(values=best.values * [1, 0, 1], low=low, high=high)
    return found
