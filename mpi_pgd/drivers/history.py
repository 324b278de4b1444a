"""What came of the rounds of a fit, line by line."""

import math
from array import array
from collections.abc import Callable
from time import perf_counter

import numpy as np

from mpi_pgd.drivers.objective import EPSILON
from mpi_pgd.engine.arrays import Vector

GROWN = 1e8  # times what the first step was to gain: no descent that will still converge rises so far


class History:
    """A line a round: objective and gradient's norm at the weights *after* it, its step, and the seconds since the start.

    The first line is the evaluation at the start, before round 1, to which no step led: 0.
    """

    COLUMNS = ("objective", "gradient_norm", "step", "seconds")

    def __init__(self, start: float) -> None:
        self.start = start  # ``perf_counter()`` when the clock began
        self.first = ""  # sha256 of the sums of that evaluation, once it was made: it tells these rows from others
        self._columns = [array("d") for _ in self.COLUMNS]
        self.objective, self.gradient_norm, self.step, self.seconds = self._columns

    @classmethod
    def of(cls, start: float, lines: Vector, first: str) -> "History":
        """With ``lines`` that another had."""
        made = cls(start)
        made.extend(0, lines)
        made.first = first
        return made

    def add(self, value: float, norm: float, step: float) -> None:
        """A line, now."""
        self.objective.append(value)
        self.gradient_norm.append(norm)
        self.step.append(step)
        self.seconds.append(perf_counter() - self.start)

    def lines(self, begin: int, end: int) -> Vector:
        """Some lines: (columns, end - begin) float64."""
        return np.array([column[begin:end] for column in self._columns])

    def extend(self, begin: int, lines: Vector) -> None:
        """Have ``lines``, as of ``lines``, from line ``begin`` on, and none after them."""
        for column, line in zip(self._columns, lines, strict=True):
            column[begin:] = array("d", line.tobytes())

    def cut(self, end: int) -> None:
        """Have no lines from ``end`` on."""
        if len(self.objective) > end:
            for column in self._columns:
                del column[end:]

    def columns(self) -> dict[str, list[float]]:
        """By name, beside the round, without the evaluation at the start."""
        lists = [column.tolist()[1:] for column in self._columns]
        return dict(zip(("round", *self.COLUMNS), [list(range(1, len(lists[0]) + 1)), *lists], strict=True))

    def rose(self, value: float, gain: Callable[[float], float]) -> bool:
        """Whether beyond all that a descent can come back from; a difference, as objectives may be negative."""
        first = self.objective[0]
        return value - first > GROWN * max(float(gain(self.gradient_norm[0])), EPSILON * abs(first))

    def digits(self, left: float) -> float:
        """By how many powers of ten the gradient's norm fell, to what is ``left`` of it."""
        first = self.gradient_norm[:1]
        return math.log10(first[0] / left) if first and 0 < left < first[0] else 0.0
