"""Classes that a plane separates: the likelihood then has no optimum at finite weights, though gradients vanish on the way.

Without a penalty, logistic and softmax regression of separable rows follow a direction for ever (A. Albert and J. A. Anderson,
"On the existence of maximum likelihood estimates in logistic regression models", Biometrika 71, 1984). The gradient falls to
nothing on that way, so a test of its norm says "converged". A direction d of all unknowns (weights and intercepts, without offsets)
tells, by the margins of all rows, of which the largest and the least are maxima that a round can ask for. Directions to try are the
unknowns themselves, which show complete separation, and how they moved last, which shows the other kind, too: what has an
optimum has come to rest by then.
"""

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpi_pgd.engine.arrays import Vector

TIED = 1e-4  # of the largest margin: no more than this is 0, as a direction is known no better
ROUNDS = 3  # in a row, of Newton's method, that look like a separation
NEAR = 0.05  # to 1/e


class Separation(StrEnum):
    """How a plane separates the classes."""

    COMPLETE = "completely"  # all rows are on their sides of it
    QUASI = "quasi-completely"  # likewise, but some lie on it


class Trend(NamedTuple):
    """Whether Newton's method looks as if it followed a separation; part of a state.

    The losses of the rows nearest to the plane fall like exp(-margin), so each step adds 1 to their margins, and the squared
    decrement falls to 1/e of it from one round to the next; at an optimum it falls faster each time.
    """

    squared: float = math.inf  # the last decrement's square
    rounds: int = 0  # in a row

    def next(self, squared: float) -> "Trend":
        """With the squared decrement of one more round."""
        share = squared / self.squared if 0 < self.squared < math.inf else 0.0
        return Trend(squared, self.rounds + 1 if abs(share - math.exp(-1)) < NEAR else 0)

    @property
    def suspicious(self) -> bool:
        """Worth a round that looks at the margins."""
        return self.rounds >= ROUNDS


def margins(y: Vector, eta: Vector) -> Vector:
    """By how much each row (rows,) is on its side.

    Args:
        y: (rows,) the number of the class, 0 or 1 if there is one output.
        eta: (rows,), or (k, rows) with k outputs, one for each class; without offsets.
    """
    if eta.ndim == 1:
        return eta * (2 * y - 1)
    rows, own = np.arange(len(y)), y.astype(np.int64)
    others = eta.copy()
    others[own, rows] = -np.inf
    found: Vector = eta[own, rows] - others.max(axis=0)
    return found


def separation(against: float, along: float) -> Separation | None:
    """What a direction shows; None if it separates nothing.

    Args:
        against: the largest of minus the margins, over all rows that count.
        along: the largest of the margins.
    """
    if not along > 0 or against > TIED * along:
        return None
    return Separation.COMPLETE if against < -TIED * along else Separation.QUASI


def separating(highest: Vector, lowest: Vector) -> NDArray[Any]:
    """The columns that tell a class from all others alone: none of its values lies among theirs, but for the end of the range.

    Args:
        highest, lowest: (classes, p) of the column's values in each class.
    """
    varies = highest.max(axis=0) > lowest.min(axis=0)
    found = np.zeros(highest.shape[1], dtype=bool)
    for number in range(len(highest)):
        others = np.arange(len(highest)) != number
        above = lowest[number] >= highest[others].max(axis=0)
        below = highest[number] <= lowest[others].min(axis=0)
        found |= above | below
    return np.flatnonzero(found & varies)


def sentence(kind: Separation, columns: Sequence[str], foremost: Sequence[str]) -> str:
    """What the user reads.

    Args:
        kind: as found.
        columns: the names of those that separate alone.
        foremost: where there are none, names of those that weigh most in the direction.
    """
    if len(columns) == 1:
        who = f"column {columns[0]} separates"
    elif columns:
        who = f"each of the columns {', '.join(columns)} separates"
    else:
        who = f"a combination of columns, with {', '.join(foremost)} foremost, separates"
    return f"no finite optimum: {who} the classes {kind}; add --l2"
