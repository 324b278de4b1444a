"""Rows that a plane separates: the likelihood then has no optimum at finite weights, though gradients vanish on the way.

Without a penalty, logistic and softmax regression of separable classes follow a direction for ever (A. Albert and J. A. Anderson,
"On the existence of maximum likelihood estimates in logistic regression models", Biometrika 71, 1984); so do counts where a
direction moves nothing but rows whose target is 0, and these down. The gradient falls to nothing on that way, so a test of its norm
says "converged". But the unknowns come to no rest: they go on as far as they went before. Such a direction moves no row to the
wrong side of where it is pulled, and some to the right one, which a look at all rows tells. Directions to try are the unknowns
themselves, which show complete separation, and how Newton's method moves them, which shows the other kind, too: along all else it
has come to rest by then. Columns that separate alone are told by their ranges.
"""

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpi_pgd import kernel
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.errors import listed

TIED = 1e-4  # of what a row's movement is made of: no more than this is 0, as a direction is known no better
REST = 0.1  # of a row's linear predictor: nearer than that to their end, the unknowns are at rest


class Separation(StrEnum):
    """How a plane separates."""

    COMPLETE = "completely"  # all rows are on their sides of it
    QUASI = "quasi-completely"  # likewise, but some lie on it


class Motion(NamedTuple):
    """The round before, from which is seen how the unknowns move; part of a state. nan before the first."""

    point: Vector  # (size,)
    gradient: Vector  # (size,)

    @classmethod
    def still(cls, size: int) -> "Motion":
        """Before the first round."""
        return cls(np.full(size, np.nan), np.full(size, np.nan))

    def note(self, point: Vector, gradient: Vector) -> None:
        """A round, in place of the one before."""
        self.point[:], self.gradient[:] = point, gradient

    def left(self, point: Vector, gradient: Vector, reach: Vector) -> float:
        """How far it was, or is from here to where the gradient is 0 along the last move, for rows that are ``reach`` (size,) out.

        The losses of the rows nearest to a plane that separates fall like exp(-margin): by the secant, their margins lack about 1
        for ever, whatever the solver's step is. Near an optimum nothing is lacking.
        """
        move = point - self.point
        bend = kernel.dot(gradient - self.gradient, move)
        far = kernel.norm(move * reach)
        return far * max(1.0, abs(kernel.dot(gradient, move)) / bend) if bend > 0 else math.inf


def separation(against: float, along: float) -> Separation | None:
    """What a direction shows; None if it separates nothing.

    Args:
        against: the largest movement to a wrong side, over all rows that count.
        along: the largest to the right one.
    """
    if along <= TIED or against > TIED:
        return None
    return Separation.COMPLETE if against < -TIED else Separation.QUASI


def separating(highest: Vector, lowest: Vector, outputs: int, intercept: bool) -> tuple[NDArray[Any], NDArray[Any]]:
    """The columns that separate alone, completely, and quasi-completely; of several outputs one from all others.

    Args:
        highest, lowest: (groups, p) of the column's values, as an ``ExtremesTask`` has groups.
        outputs: k.
        intercept: whether the plane may be anywhere, or is at 0.
    """
    groups = np.arange(len(highest))
    sides = [(groups == group, groups != group) for group in groups] if outputs > 1 else [(groups > 0, groups < 2)]
    varies = highest.max(axis=0) > lowest.min(axis=0)
    clear, tied = np.zeros_like(varies), np.zeros_like(varies)
    for own, others in sides:
        for top, bottom in ((lowest[own], highest[others]), (-highest[own], -lowest[others])):
            above, below = top.min(axis=0), bottom.max(axis=0)
            between = (above >= below) if intercept else (above >= 0) & (below <= 0)
            tied |= between
            clear |= between & (above > below) & (intercept | (above > 0) & (below < 0))
    return np.flatnonzero(clear & varies), np.flatnonzero(tied & ~clear & varies)


def sentence(who: str, columns: Sequence[str], foremost: Sequence[str], how: str) -> str:
    """What the user reads.

    Args:
        who: is separated, from what.
        columns: the names of those that separate alone.
        foremost: where there are none, names of those that weigh most in the direction.
        how: a word, or nothing.
    """
    if len(columns) == 1:
        what = f"column {columns[0]} separates"
    elif columns:
        what = f"each of the columns {listed(columns)} separates"
    else:
        what = f"a combination of columns, with {listed(foremost)} foremost, separates"
    return f"no finite optimum: {what} {who}{how and ' '}{how}; add --l2"
