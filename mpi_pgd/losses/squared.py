"""A loss, seen only through the linear predictor eta = x'w + c.

A loss is a function ``(y, lines, sums)``: ``y`` (rows,) are the targets, ``lines`` (2, rows) holds a line of ones and eta, which it
replaces by each row's slope, the derivative of the row's loss in eta; into ``sums`` (2,) it writes the sum of the slopes and the
sum of the losses. All are float64. Sums, never means: rows can be split any way, and the division by n is done once.
"""

import numpy as np

from mpi_pgd.engine.arrays import Vector


def least_squares(y: Vector, lines: Vector, sums: Vector) -> None:
    """1/2 (eta - y)^2 for each row; the slope is eta - y."""
    slope = lines[1]
    np.subtract(slope, y, slope)
    np.dot(lines, slope, sums)  # the slopes with ones, and with themselves
    sums[1] *= 0.5
