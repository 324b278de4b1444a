"""What several losses compute, in place, and without overflow or underflow where their values have none."""

import math
from collections.abc import Callable

import numpy as np

from mpi_pgd import kernel
from mpi_pgd.engine.arrays import Vector

Compiled = tuple[str, tuple[float, ...]]  # a function of kernel/source/losses.inc, and its parameters
LEAST = -340.0  # whose exponential is nothing beside any loss, and far from underflow even if squared
TINY = float(np.finfo(np.float64).tiny)


def exp(x: Vector, out: Vector) -> None:
    """e^x, of 1e-148 at least."""
    np.maximum(x, LEAST, out=out)
    kernel.exp(out, out)


def falling(x: Vector, out: Vector) -> None:
    """e^-|x|, the part of a logistic curve that can't overflow: 1 / (1 + e^-x) is 1 or that, over 1 and that."""
    np.copysign(x, -1.0, out)
    exp(out, out)


def bell(falling: Vector, room: Vector) -> None:
    """The logistic curve's derivative f / (1 + f)^2, in place of f = e^-|x|."""
    np.add(falling, 1.0, room)
    np.divide(falling, room, falling)
    np.divide(falling, room, falling)


def log(y: Vector, out: Vector) -> None:
    """The logarithm of y >= 0; finite at 0, so that y log y is 0 there."""
    np.maximum(y, TINY, out=out)
    kernel.log(out, out)


def of_number(function: Callable[[Vector, Vector], None], x: float) -> float:
    """One of the kernel's elementary functions of a single number."""
    room = np.array(x)
    function(room, room)
    return float(room)


def log_mean(mean: Vector) -> Vector:
    """The intercept under a log link; finite at 0."""
    out = np.empty_like(mean)
    log(mean, out)
    return out


def zero(y: Vector, out: Vector, room: Vector) -> None:
    """The floor of a loss that can be 0 whatever the target."""
    out[:] = 0.0


def slope_of_count(value: float, curvature: float) -> float:
    """The size of the slopes under a log link where half the deviance is ``value``, and the second derivative about ``curvature``.

    Where the variance is as a power of the mean mu, half the deviance is c v(r) and the slope c (1 - r), with r = y / mu and
    c = mu^(2 - power), which is the second derivative at y = mu. A slope 1 - r is at most v + (v^2 + 2 v)^(1/2) in size, as it is
    for gamma's v = r - 1 - log r.
    """
    return value + math.sqrt(value * (value + 2 * curvature))


def share(value: float, null: float) -> float | None:
    """Which part of ``null``, the mean loss of the intercept alone, is gone at ``value``; None if there is none."""
    return 1.0 - value / null if null > 0 else None
